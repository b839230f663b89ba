"""Mends what `tocsin check` finds where only one way of writing it can be meant.

A mend touches the lines it must and no other. What it made of the document is read again: a mend after which its own
finding still stands, or which brings an error, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

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
_MOST = 100  # mends tried one by one, each at the cost of a reading; a document with more is mended by running again


class Mended(Struct, frozen=True):
    """The document's new text, and the findings that are gone with it."""

    text: str
    mended: tuple[Finding, ...]


def mend(text: str, *, file: str) -> Mended:
    """The text with everything mended that can be; the same text and no finding when nothing can."""
    gone: list[Finding] = []
    for _ in range(_PASSES):
        before = read(text, file=file)
        text, mended = _all_at_once(text, before) or _one_by_one(text, before)
        gone += mended
        if not mended:
            break
    return Mended(text, tuple(sorted(gone, key=lambda found: (found.line, found.column))))


def _all_at_once(text: str, before: Reading) -> tuple[str, list[Finding]] | None:
    """Every mend of one pass, when all of them did what they should; None when one did not."""
    found = _mendable(before)
    changed, mended = text, []
    for one in found:
        rewritten = _changed(changed, one)
        if rewritten is not None and rewritten != changed:
            changed = rewritten
            mended.append(one)
    after = read(changed, file=before.runbook.file)
    whole = all(_count(after, code) <= _count(before, code) - _among(mended, code) for code in {f.code for f in mended})
    return (changed, mended) if whole and len(after.errors) <= len(before.errors) else None


def _one_by_one(text: str, before: Reading) -> tuple[str, list[Finding]]:
    mended = []
    for one in _mendable(before)[:_MOST]:
        changed = _changed(text, one)
        after = read(changed, file=before.runbook.file) if changed is not None and changed != text else before
        if changed is not None and _count(after, one.code) < _count(before, one.code) and not _worse(before, after):
            text, before = changed, after
            mended.append(one)
    return text, mended


def _mendable(reading: Reading) -> list[Finding]:
    """The findings with a mend, the last line first and those that add lines at the end, so that none moves another."""
    listed = [found for found in reading.findings if found.code in _MENDS]
    return sorted(listed, key=lambda found: (found.code == findings.NO_ENVIRONMENT.code, -found.line))


def _count(reading: Reading, code: str) -> int:
    return _among(reading.findings, code)


def _among(found: Iterable[Finding], code: str) -> int:
    return sum(one.code == code for one in found)


def _worse(before: Reading, after: Reading) -> bool:
    return len(after.errors) > len(before.errors)


def _changed(text: str, found: Finding) -> str | None:
    """The text with that finding's lines rewritten; None when they are not as the finding says."""
    lines = text.split("\n")
    ending = "\r" if lines[0].endswith("\r") else ""
    bare = [line.removesuffix("\r") for line in lines]
    edits = dict(_MENDS[found.code](bare, found))
    if not edits:
        return None
    rows = [row for at, line in enumerate(lines) for row in _rows(line, edits.get(at), ending)]
    return "\n".join(rows)


def _rows(line: str, edit: str | None, ending: str) -> list[str]:
    """The line, or what stands in its place: an edit may be of several lines."""
    return [line] if edit is None else [row + (ending if line.endswith("\r") else "") for row in edit.split("\n")]


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
    while at < len(lines) and not _FENCE.match(lines[at]):
        match = _PROMPT.match(lines[at])
        if match:
            yield at, match["indent"] + lines[at][match.end() :]
        elif lines[at].strip() and not lines[at].lstrip().startswith("#") and not lines[at - 1].endswith("\\"):
            return
        at += 1


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
