"""Shell text -> syntax tree, with the blanks masked and whatever the grammar did not understand made plain.

tree-sitter is forgiving by design; a runner must not be. Besides its own error nodes, text that the tree does not
account for, or one command that swallowed the next line, counts as not understood. Never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise

import tree_sitter_bash
from msgspec import Struct
from tree_sitter import Language, Node, Parser

from tocsin.runbook.shell.placeholders import Blank, find_blanks, mask

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NEARLY_EVERY = frozenset({b"", b" "})
_WITHIN_LINE = frozenset({"word", "variable_name", "comment"})
_ONE_LINE = {"command", "declaration_command", "unset_command", "variable_assignment", "pipeline", "file_redirect"}


class Syntax(Struct, frozen=True):
    """A parsed text. `source` is the document's bytes, `masked` what was parsed (same length); `broken` is the byte
    offset of the first thing that was not understood, None when all of it was."""

    source: bytes
    masked: bytes
    blanks: tuple[Blank, ...]
    root: Node
    broken: int | None

    def text(self, node: Node) -> str:
        """The document's own text of a node."""
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def blanks_in(self, node: Node) -> tuple[Blank, ...]:
        return self.blanks and tuple(b for b in self.blanks if node.start_byte <= b.start and b.end <= node.end_byte)


@lru_cache(maxsize=64)  # a step is looked at from several sides in a row
def parse(text: str) -> Syntax:
    """The syntax of a piece of bash; look at `broken` before relying on it."""
    source = text.encode("utf-8", "replace")
    blanks = find_blanks(source)
    masked = mask(source, blanks)
    root = Parser(_language()).parse(masked).root_node
    return Syntax(source, masked, blanks, root, _first_doubt(root, masked))


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in document order."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.children))


@cache
def _language() -> Language:
    return Language(tree_sitter_bash.language())


def _first_doubt(root: Node, masked: bytes) -> int | None:
    if control := _CONTROL.search(masked):
        return control.start()
    end, errors = 0, root.has_error
    pending = [root]
    while pending:  # a document's every node passes here: fetching the children costs as much as the rest
        node = pending.pop()
        children = node.children
        if (errors and (node.is_error or node.is_missing)) or _runs_on(node, children, masked):
            return node.start_byte
        if children:
            pending += children[::-1]
        elif node.end_byte > end:
            gap = masked[end : node.start_byte]
            # A word continued on the next line is one word to bash and two to the grammar.
            if gap == b"\\\n" or not _blank(gap, newlines=True):
                return end
            end = node.end_byte
    return None if _blank(masked[end:], newlines=True) else end


def _runs_on(node: Node, children: list[Node], masked: bytes) -> bool:
    """Whether a node that must end with its line goes on to the next without a backslash."""
    kind = node.type
    if kind in _WITHIN_LINE:
        text = masked[node.start_byte : node.end_byte]
        return b"\n" in text and b"\n" in text.replace(b"\\\n", b"")
    if kind not in _ONE_LINE:
        return False
    for a, b in pairwise(children):
        gap = masked[a.end_byte : b.start_byte]
        if gap not in _NEARLY_EVERY and not _blank(gap, newlines=kind == "pipeline") and "heredoc" not in a.type:
            return True
    return False


def _blank(gap: bytes, *, newlines: bool) -> bool:
    if gap in _NEARLY_EVERY:
        return True
    rest = gap.replace(b"\\\n", b"").strip(b" \t\r\n" if newlines else b" \t")
    return not rest
