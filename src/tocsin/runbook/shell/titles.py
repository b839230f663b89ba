"""Step titles from comment groups: numbering dropped, a PromQL query or a time to keep looking recognised."""

from __future__ import annotations

import re

from msgspec import Struct

_NUMBERING = re.compile(r"^(?:step\s+)?\d+(?:\.\d+)*\s*[.):]\s+|^step\s+\d+\s*[-:.]\s*", re.IGNORECASE)
_QUERY = re.compile(r"^(?:prometheus|promql)(?:\s+query)?\s*:\s*(\S.*)$", re.IGNORECASE)
_LONGEST = 80


class Reading(Struct, frozen=True, gc=False):
    """A comment group: its title, what its other lines say, and the query it holds (None without one)."""

    title: str
    remarks: tuple[str, ...]
    query: str | None
    query_row: int


def read_notes(notes: tuple[tuple[int, str], ...]) -> Reading:
    """What a comment group says; the title is empty when the group has no words but a query."""
    words: list[str] = []
    query, query_row = None, -1
    for row, text in notes:
        found = _QUERY.match(_NUMBERING.sub("", text))
        if found and query is None:
            query, query_row = found[1].strip("`"), row
        elif query is not None and _open(query):
            query = f"{query} {text}"
        elif re.search(r"\w", text) and not (row == 0 and text.startswith("!")):
            words.append(_NUMBERING.sub("", text))
    return Reading(words[0] if words else "", tuple(words[1:]), query, query_row)


def manual_title(reading: Reading) -> str:
    """The whole group in one line: what is to be done often stands in its second line."""
    if not reading.remarks:
        return reading.title
    return f"{reading.title.rstrip(':.')}: {' '.join(reading.remarks)}"


def title_from(command: str) -> str:
    """A title for a body nobody gave one: its first line, shortened."""
    first = command.split("\n", 1)[0].rstrip(" \\")
    return first if len(first) <= _LONGEST else first[: _LONGEST - 1] + "…"


def _open(query: str) -> bool:
    return any(query.count(a) > query.count(b) for a, b in ("()", "[]", "{}"))
