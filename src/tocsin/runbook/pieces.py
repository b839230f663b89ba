"""Where a long document can be cut so that its pieces parse as the whole does: before a heading that stands free.

A document parsed in one go keeps every token alive until its end, and Python's collector walks them again and again; in
pieces it costs the same for each page, however long the document is. Where anything is doubtful there is no cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_FENCE = re.compile(r"(?P<indent> {0,3})(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<rest>.*)")
_RAW = re.compile(r" {0,3}<(?:script|pre|style|textarea|\?|![A-Za-z]|!\[CDATA\[)", re.IGNORECASE)
_COMMENT = re.compile(r" {0,3}<!--")


def cuts(lines: Sequence[str], *, least: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each piece, as indices of lines, in order and without a gap; each but the last has at least
    `least` lines."""
    start = 0
    for at in _free_headings(lines):
        if at - start >= least:
            yield start, at
            start = at
    yield start, len(lines)


def _free_headings(lines: Sequence[str]) -> Iterator[int]:
    """The headings in the first column, after a blank line, that no fence, comment or raw HTML can hold.

    Fences within list items do not matter: a line in the first column ends the item. One indented by up to three blanks
    may stand in an item or not, so from a line in the first column inside it on nothing is certain.
    """
    fence, comment = "", False
    indented = False
    for at, line in enumerate(lines):
        marks = _FENCE.fullmatch(line)
        if comment:
            comment = "-->" not in line
        elif fence:
            if marks and marks["marks"].startswith(fence) and not marks["rest"].strip():
                fence = ""
            elif indented and line and line[0] not in " \t":
                return
        elif marks:
            fence, indented = marks["marks"], bool(marks["indent"])
        elif _RAW.match(line):
            return
        elif _COMMENT.match(line):
            comment = "-->" not in line
        elif _HEADING.match(line) and at and not lines[at - 1].strip():
            yield at
