"""The programs that a runbook's shell steps start on this machine. What runs inside a pod is not looked for here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from tocsin.runbook.model import Purpose, Runbook, StepKind
from tocsin.runbook.shell.options import names
from tocsin.runbook.shell.syntax import Syntax, parse, walk

_BUILTINS = names(
    ". : [ alias bg break builtin case cd command continue declare dirs disown echo eval exec exit export false fc fg "
    "getopts hash help history if jobs kill let local logout mapfile popd printf pushd pwd read readonly return set "
    "shift shopt source test time times trap true type typeset ulimit umask unalias unset wait"
)
_WRAPPERS = names("sudo doas timeout nohup nice ionice stdbuf command exec env xargs time watch")
_WORDS = names("command_name word number string raw_string")
_OF_THE_WRAPPER = re.compile(r"-|[0-9.]+[smhd]?$|\w+=")  # its options, their numbers, variables that it sets
_NAME = re.compile(r"[\w.+/~-]+")


def programs(book: Runbook) -> dict[str, int]:
    """Each program by name, with the line of the first step that starts it."""
    found: dict[str, int] = {}
    for text, line in _texts(book):
        for name in _started(text):
            found.setdefault(name, line)
    return found


def _texts(book: Runbook) -> Iterator[tuple[str, int]]:
    for procedure in book.procedures:
        if procedure.purpose is Purpose.REFERENCE:
            continue
        for step in procedure.steps:
            if step.kind is StepKind.SHELL:
                yield step.poll_command if step.poll else step.command, step.line
    for mitigation in book.actions():
        if mitigation.command:
            yield mitigation.command, mitigation.line


def _started(text: str) -> Iterator[str]:
    syntax = parse(text)
    for node in walk(syntax.root):
        if node.type == "command":
            yield from _of_command(node, syntax)


def _of_command(node: Node, syntax: Syntax) -> Iterator[str]:
    """The program, and what it starts in turn where it is one that only wraps another."""
    texts = [syntax.text(c) for c in node.children if c.type in _WORDS]
    for text in texts:
        word = text.strip("\"'")
        if word != text and " " in word:  # `watch 'df -h; uptime'`: a text that is read as shell again
            yield from _started(word)
            return
        if _OF_THE_WRAPPER.match(word):
            continue
        if not _NAME.fullmatch(word):
            return
        if word not in _BUILTINS:
            yield word
        if word not in _WRAPPERS:
            return
