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
_OPENING = frozenset("`~<#")
_TAG = re.compile(r" {0,3}</?[A-Za-z]")


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
    may stand in an item or not, so from a line further left inside it on nothing is certain; nor is it from a fence or
    a comment on that follows a line of HTML without a blank one between.
    """
    fence, indent = "", 0
    comment = html = False
    for at, line in enumerate(lines):
        first = line.strip(" \t")[:1]
        if comment:
            comment = "-->" not in line
        elif fence:
            if indent and line[:indent].strip(" \t"):
                return
            if first == fence[0] and _closes(line, fence):
                fence = ""
        elif first not in _OPENING:
            html = html and bool(first)
        elif _RAW.match(line):
            return
        elif marks := _FENCE.fullmatch(line):
            if html:
                return
            fence, indent = marks["marks"], len(marks["indent"])
        elif _COMMENT.match(line):
            if html or line.startswith(" "):
                return
            comment = "-->" not in line
        elif _HEADING.match(line) and at and not lines[at - 1].strip(" \t"):
            yield at
            html = False
        else:
            html = html or bool(_TAG.match(line))


def _closes(line: str, fence: str) -> bool:
    marks = _FENCE.fullmatch(line)
    return marks is not None and marks["marks"].startswith(fence) and not marks["rest"].strip(" \t")
