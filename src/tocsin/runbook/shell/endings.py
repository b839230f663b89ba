"""Which program a piece of shell ends with: its exit status is the piece's own, so it says how to read that status."""

from __future__ import annotations

from tree_sitter import Node

from tocsin.runbook.shell.syntax import Syntax, parse

_WRAPPERS = {"sudo", "time", "timeout", "nohup", "nice", "env", "command", "exec"}
_HOLDS_LAST = {
    "program",
    "list",
    "pipeline",
    "redirected_statement",
    "negated_command",
    "compound_statement",
    "subshell",
}


def last_words(command: str) -> tuple[str, ...]:
    """The words of the last program that runs, unquoted, with `kubectl exec ... --` and wrappers taken off.

    Empty when the text ends in something else than a program, or cannot be understood.
    """
    syntax = parse(command)
    node = _last(syntax.root) if syntax.broken is None else None
    if node is None:
        return ()
    words = [_text(child, syntax) for child in node.children if child.is_named and child.type != "variable_assignment"]
    return tuple(_unwrapped(words))


def _last(node: Node) -> Node | None:
    while node.type != "command":
        children = [c for c in node.named_children if c.type != "comment" and not c.type.endswith("redirect")]
        if node.type not in _HOLDS_LAST or not children:
            return None
        node = children[-1]
    return node


def _text(node: Node, syntax: Syntax) -> str:
    text = syntax.text(node)
    return text[1:-1] if node.type in ("string", "raw_string") else text


def _unwrapped(words: list[str]) -> list[str]:
    while words:
        program = words[0].rsplit("/", 1)[-1]
        if program in ("kubectl", "k", "oc", "docker") and "exec" in words and "--" in words:
            words = words[words.index("--") + 1 :]
        elif program in _WRAPPERS:
            words = words[1:]
            while words and (words[0].startswith("-") or "=" in words[0] or words[0].rstrip("smhd").isdigit()):
                words = words[1:]
        else:
            return [program, *words[1:]]
    return words
