"""Reads `watch -n 30 '...'` as what it is for a runner: the inner command, repeated."""

from __future__ import annotations

import re
from datetime import timedelta

from msgspec import Struct
from tree_sitter import Node

from tocsin.runbook.shell.syntax import Syntax

_DEFAULT = timedelta(seconds=2)  # watch(1)
_SHORTEST = timedelta(seconds=1)
_FLAG = re.compile(
    r"-[dtbegcxpwC]+|--(?:differences(?:=\w+)?|no-title|beep|errexit|chgexit|color|exec|precise|no-wrap)"
)
_INTERVAL = re.compile(r"(?:-[dtbegcxpw]*n|--interval=)(\d+(?:\.\d+)?)")


class Poll(Struct, frozen=True, gc=False):
    every: timedelta
    command: str


def read_poll(syntax: Syntax) -> Poll | None:
    """What a text that is one single `watch` repeats, and how often; None when it is anything else."""
    body = [node for node in syntax.root.children if node.is_named and node.type != "comment"]
    if len(body) != 1 or body[0].type != "command" or syntax.broken is not None:
        return None
    words = [node for node in body[0].children if node.is_named]
    if not words or syntax.text(words[0]) != "watch":
        return None
    return _poll(words[1:], syntax)


def _poll(words: list[Node], syntax: Syntax) -> Poll | None:
    every, index = _DEFAULT, 0
    while index < len(words):
        text = syntax.text(words[index])
        if text in ("-n", "--interval") and index + 1 < len(words):
            index, text = index + 1, f"-n{syntax.text(words[index + 1])}"
        interval = _INTERVAL.fullmatch(text)
        if interval:
            every = max(_SHORTEST, timedelta(seconds=float(interval[1])))
        elif not _FLAG.fullmatch(text):
            break
        index += 1
    command = _inner(words[index:], syntax)
    return Poll(every, command) if command else None


def _inner(words: list[Node], syntax: Syntax) -> str | None:
    """The text `watch` hands to its shell: one quoted string without its quotes, or the words as they stand."""
    if not words:
        return None
    if len(words) > 1 or words[0].type == "word":
        return syntax.source[words[0].start_byte : words[-1].end_byte].decode("utf-8", "replace")
    text = syntax.text(words[0])
    if words[0].type == "raw_string":
        return text[1:-1].strip()
    if words[0].type == "string" and "\\" not in text:
        return text[1:-1].strip()
    return None
