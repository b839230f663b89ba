"""Mends what `tocsin check` finds where only one way of writing it can be meant.

A mend touches the lines it must and no other. What it made of the document is read again: a mend after which its own
finding still stands, or which brings an error, is left out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct

from tocsin.runbook import findings
from tocsin.runbook.document import is_delimiter, split_cells
from tocsin.runbook.model import Finding, Reading
from tocsin.runbook.reader import read

_FENCE = re.compile(r"(?P<indent>\s*)(?:`{3,}|~{3,})")
_TERMINAL = re.compile(r"(?P<before>\bexec\b[^|;&]*?)\s(?:-it|-ti|-i -t|-t -i)(?=\s)")
_PROMPT = re.compile(r"(?P<indent>\s*)\$ ")
_ESCAPED = re.compile(r"\s*(?:\\`){3}\s*\w*\s*")
_PASSES = 5  # a mended table may show a cut command, a mended fence a prompt
_READ = 3_000_000  # characters read to tell good mends from bad; a document with more is mended by running again


_Mend: TypeAlias = tuple[Finding, int]  # with the line where it would stand in the mended text


class Mended(Struct, frozen=True):
    """The document's new text, and the findings that are gone with it."""

    text: str
    mended: tuple[Finding, ...]


class _State(Struct, frozen=True):
    """A text with what it reads as."""

    text: str
    reading: Reading


def mend(text: str, *, file: str) -> Mended:
    """The text with everything mended that can be; the same text and no finding when nothing can."""
    state = _State(text, read(text, file=file))
    gone: list[Finding] = []
    for _ in range(_PASSES):
        state, mended = _pass(state)
        gone += mended
        if not mended:
            break
    return Mended(state.text, tuple(sorted(gone, key=lambda found: (found.line, found.column))))


def _pass(state: _State) -> tuple[_State, list[Finding]]:
    """Every mend of one pass that did what it should: all of them, else all but those whose finding still stands, else
    those that are found by halves."""
    found = _mendable(state.reading)
    after, mended = _tried(state, found)
    standing = {(one.code, one.line) for one in after.reading.findings}
    good = [one for one, line in mended if (one.code, line) not in standing]
    if not _holds(state, after, mended) and len(good) < len(mended):
        after, mended = _tried(state, good)
    if _holds(state, after, mended):
        return after, [one for one, _ in mended]
    return _by_halves(state, found, most=_READ // max(1, len(state.text)))


def _by_halves(state: _State, found: list[Finding], *, most: int) -> tuple[_State, list[Finding]]:
    """The mends that did what they should, found with at most so many readings: what fails is tried in halves."""
    pending, kept = [found], list[Finding]()
    while pending and most > 0:
        some = pending.pop()
        after, mended = _tried(state, some)
        most -= bool(mended)
        if _holds(state, after, mended):
            state, kept = after, [*kept, *(one for one, _ in mended)]
        elif len(some) > 1:
            pending += [some[len(some) // 2 :], some[: len(some) // 2]]
    return state, kept


def _tried(state: _State, found: list[Finding]) -> tuple[_State, list[_Mend]]:
    changed, mended = _changed(state.text, found)
    return (_State(changed, read(changed, file=state.reading.runbook.file)) if mended else state), mended


def _holds(before: _State, after: _State, mended: list[_Mend]) -> bool:
    """Whether the findings of those mends are gone, and no error came."""
    gone = Counter(one.code for one, _ in mended)
    fewer = all(_count(after, code) <= _count(before, code) - gone[code] for code in gone)
    return fewer and len(after.reading.errors) <= len(before.reading.errors)


def _count(state: _State, code: str) -> int:
    return sum(one.code == code for one in state.reading.findings)


def _mendable(reading: Reading) -> list[Finding]:
    """The findings with a mend, the last line first and those that add lines at the end, so that none moves another."""
    listed = [found for found in reading.findings if found.code in _MENDS]
    return sorted(listed, key=lambda found: (found.code == findings.NO_ENVIRONMENT.code, -found.line))


def _changed(text: str, found: list[Finding]) -> tuple[str, list[_Mend]]:
    """The text with the lines of those findings rewritten, and the mends that rewrote any."""
    lines = text.split("\n")
    ending = "\r" if lines[0].endswith("\r") else ""
    bare = [line.removesuffix("\r") for line in lines]
    mended: list[Finding] = []
    added: list[int] = []
    for one in found:
        edits = {at: edit for at, edit in _MENDS[one.code](bare, one) if edit != bare[at]}
        for at, edit in sorted(edits.items(), reverse=True):
            rows = edit.split("\n")
            lines[at : at + 1] = [row + (ending if lines[at].endswith("\r") else "") for row in rows]
            bare[at : at + 1] = rows
            added += [at + 1] * (len(rows) - 1)
        mended += [one] if edits else []
    added.sort()
    return "\n".join(lines), [(one, one.line + bisect_left(added, one.line)) for one in mended]


def _dashes(lines: list[str], found: Finding) -> Iterator[tuple[int, str]]:
    """The line of dashes with as many cells as its header."""
    at = found.line
    if at < len(lines) and is_delimiter(lines[at]):
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        yield at, indent + "|---" * len(split_cells(lines[at - 1].strip())) + "|"


def _pipes(lines: list[str], found: Finding) -> Iterator[tuple[int, str]]:
    """The row with the pipes between its backticks escaped."""
    pieces = lines[found.line - 1].split("`")
    if len(pieces) % 2:
        inside = [re.sub(r"(?<!\\)\|", r"\\|", piece) if at % 2 else piece for at, piece in enumerate(pieces)]
        yield found.line - 1, "`".join(inside)


def _escapes(lines: list[str], found: Finding) -> Iterator[tuple[int, str]]:
    """Every line that is nothing but escaped marks (and a language) with its marks; none when they do not pair."""
    marked = [at for at, line in enumerate(lines) if _ESCAPED.fullmatch(line)]
    if len(marked) % 2 == 0 and found.line - 1 in marked:
        yield from ((at, lines[at].replace("\\`", "`")) for at in marked)


def _prompts(lines: list[str], found: Finding) -> Iterator[tuple[int, str]]:
    """The commands of the fence without `$ `; a fence with lines that carry none may show output, and stays."""
    at = found.line - 1
    edits = []
    while at < len(lines) and not _FENCE.match(lines[at]):
        match = _PROMPT.match(lines[at])
        if match:
            edits.append((at, match["indent"] + lines[at][match.end() :]))
        elif lines[at].strip() and not lines[at].lstrip().startswith("#") and not lines[at - 1].endswith("\\"):
            return
        at += 1
    yield from edits


def _terminal(lines: list[str], found: Finding) -> Iterator[tuple[int, str]]:
    """The command without `-it`."""
    line = lines[found.line - 1]
    if _TERMINAL.search(line):
        yield found.line - 1, _TERMINAL.sub(r"\g<before>", line, count=1)


def _exports(lines: list[str], found: Finding) -> Iterator[tuple[int, str]]:
    """The fence's opening line with the exports it relies on below it."""
    wanted = re.fullmatch(r"Begin the fence with `(?P<exports>.+)`\.", found.hint)
    opening = next((at for at in range(found.line - 1, -1, -1) if _FENCE.match(lines[at])), None)
    if wanted and opening is not None and (fence := _FENCE.match(lines[opening])):
        added = [fence["indent"] + export for export in wanted["exports"].split("; ")]
        yield opening, "\n".join([lines[opening], *added])


_MENDS: dict[str, Callable[[list[str], Finding], Iterator[tuple[int, str]]]] = {
    findings.NOT_A_TABLE.code: _dashes,
    findings.SURPLUS_CELLS.code: _pipes,
    findings.CUT_COMMAND.code: _pipes,
    findings.NO_ENVIRONMENT.code: _exports,
    findings.ESCAPED_FENCE.code: _escapes,
    "S003": _prompts,
    "S009": _terminal,
}
MENDED = frozenset(_MENDS)
"""The codes of the findings that can be mended."""
