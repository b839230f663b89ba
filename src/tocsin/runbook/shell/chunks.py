"""Cuts a fence where its comments are: a group of comment lines, then the commands that belong to it."""

from __future__ import annotations

import re

from msgspec import Struct
from tree_sitter import Node

from tocsin.runbook.shell.syntax import Syntax

_HEREDOC = re.compile(r"<<-?\s*[\"'\\]?([A-Za-z_]\w*)")
_QUOTED = re.compile(r"\\.|'|\"|(?:^|\s)#.*")


class Chunk(Struct, frozen=True, gc=False):
    """A comment group (`notes`: row and text without "#") and the body under it; either may be empty. Rows from 0."""

    notes: tuple[tuple[int, str], ...]
    body: str
    body_row: int
    commands: int

    @property
    def row(self) -> int:
        return self.notes[0][0] if self.notes else self.body_row


def chunks(syntax: Syntax) -> tuple[Chunk, ...]:
    """The chunks of an understood text, by its syntax tree: a comment in a string, heredoc or loop cuts nothing."""
    found: list[Chunk] = []
    notes: list[tuple[int, str]] = []
    body: list[Node] = []
    last_row = -1
    for node in syntax.root.children:
        row = node.start_point.row
        if node.type == "comment" and not (body and _continues(node, syntax)):
            if row != last_row:
                if body or (notes and row > notes[-1][0] + 1):
                    found.append(_chunk(notes, body, syntax))
                    notes, body = [], []
                notes.append((row, _note(syntax.text(node))))
        elif node.type != "\n":
            body.append(node)
        last_row = node.end_point.row
    if notes or body:
        found.append(_chunk(notes, body, syntax))
    return tuple(found)


def rough_chunks(text: str) -> tuple[Chunk, ...]:
    """The chunks of a text whose grammar was not understood, by its lines alone."""
    found: list[Chunk] = []
    notes: list[tuple[int, str]] = []
    body: list[tuple[int, str]] = []
    heads = 0
    state = _LineState()
    for row, line in enumerate(text.split("\n")):
        inside = state.inside
        if not inside and line.lstrip().startswith("#"):
            if body or (notes and row > notes[-1][0] + 1):
                found.append(_rough(notes, body, heads))
                notes, body, heads = [], [], 0
            notes.append((row, _note(line)))
        elif inside or line.strip() or body:
            body.append((row, line))
            heads += bool(line.strip()) and not inside
            state.feed(line)
    if notes or body:
        found.append(_rough(notes, body, heads))
    return tuple(found)


def _continues(comment: Node, syntax: Syntax) -> bool:
    """Whether the comment stands on a line that a backslash joined to the command before."""
    return syntax.masked[: comment.start_byte].rstrip(b" \t").endswith(b"\\\n")


def count_commands(nodes: list[Node]) -> int:
    """Logical commands: statements on a line of their own (a loop, a heredoc, `a && b`, `a; b` are one each)."""
    total, last_row = 0, -1
    for node in nodes:
        if node.is_named and node.start_point.row != last_row:
            total += 1
        last_row = node.end_point.row
    return total


class _LineState:
    """Whether the next line continues something: a backslash, an open quote, a heredoc."""

    def __init__(self) -> None:
        self._quote = ""
        self._heredoc = ""
        self._continued = False

    @property
    def inside(self) -> bool:
        return bool(self._quote or self._heredoc or self._continued)

    def feed(self, line: str) -> None:
        if self._heredoc:
            if line.strip() == self._heredoc:
                self._heredoc = ""
            return
        for mark in _QUOTED.findall(line):
            if mark in ("'", '"'):
                self._quote = "" if self._quote == mark else self._quote or mark
        self._continued = line.endswith("\\")
        heredoc = _HEREDOC.search(line)
        if heredoc and not self._quote:
            self._heredoc = heredoc[1]


def _chunk(notes: list[tuple[int, str]], body: list[Node], syntax: Syntax) -> Chunk:
    if not body:
        return Chunk(tuple(notes), "", -1, 0)
    text = syntax.source[body[0].start_byte : body[-1].end_byte].decode("utf-8", "replace")
    return Chunk(tuple(notes), text.strip(), body[0].start_point.row, count_commands(body))


def _rough(notes: list[tuple[int, str]], body: list[tuple[int, str]], heads: int) -> Chunk:
    if not body:
        return Chunk(tuple(notes), "", -1, 0)
    return Chunk(tuple(notes), "\n".join(line for _, line in body).strip(), body[0][0], heads)


def _note(comment: str) -> str:
    """The comment's text without its "#" and without rules drawn around it."""
    return comment.lstrip().lstrip("#").strip().strip("=-*#─━ ").strip()
