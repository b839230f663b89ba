"""Who is told next, and when: the escalation matrix."""

from __future__ import annotations

import re
from datetime import timedelta

from tocsin.runbook import columns, durations, findings, levels
from tocsin.runbook.document import Document, Section, Table
from tocsin.runbook.model import Finding, Rung
from tocsin.runbook.wording import is_nothing, plain

_ABOUT = re.compile(r"escalat|who to (?:page|call|notify)|notif", re.IGNORECASE)
_ROLE = re.compile(r"^(?:role|who|contact|person|team|title|escalate to|notify)\b", re.IGNORECASE)
_AT_ONCE = re.compile(r"\b(?:initial|first responder|immediate(?:ly)?|at once|primary)\b", re.IGNORECASE)


def read(document: Document, defined: tuple[str, ...]) -> tuple[tuple[Rung, ...], list[Finding]]:
    """The named cells of the matrix, row by row; `-` is nobody. A severity the document does not define is said."""
    rungs: list[Rung] = []
    said: list[Finding] = []
    for section in document.sections:
        for table in section.tables():
            times = _times(table, section)
            if times:
                found, doubts = _matrix(document, table, times, defined)
            elif any(_ABOUT.search(title) for title in section.trail):
                found, doubts = _transposed(document, table, defined)
            else:
                continue
            rungs += found
            said += doubts
    return tuple(rungs), said if rungs else [*said, findings.absent(findings.NO_ESCALATION)]


def _times(table: Table, section: Section) -> dict[int, timedelta]:
    """Column -> time after the opening, when the table is severities by times; empty when it is not."""
    if not re.search(columns.LEVEL, plain(table.header[0]).casefold()):
        return {}
    about = any(_ABOUT.search(title) for title in section.trail)
    times = {}
    for index, cell in enumerate(table.header[1:], start=1):
        header = plain(cell)
        after = durations.parse(_bare(header))
        if after is not None:
            times[index] = after
        elif about and _AT_ONCE.search(header):
            times[index] = timedelta(0)
    measured = sum(durations.parse(_bare(plain(cell))) is not None for cell in table.header[1:])
    return times if measured >= 2 or (about and measured) else {}


def _bare(header: str) -> str:
    """The time in a header cell: `Escalation (15 min)` and `After 15 min` state 15 minutes."""
    inside = re.search(r"\(([^()]*)\)", header)
    if inside and durations.parse(header) is None:
        return inside[1]
    return re.sub(r"^(?:escalat\w*|notify|page)\s+(?:after|within|at|in)?\s*", "", header, flags=re.IGNORECASE)


def _matrix(
    document: Document, table: Table, times: dict[int, timedelta], defined: tuple[str, ...]
) -> tuple[list[Rung], list[Finding]]:
    rungs: list[Rung] = []
    said = _untimed(document, table, times)
    for row in table.rows:
        names = levels.mentions(row.cells[0], defined) or (
            (leading,) if (leading := levels.leading(row.cells[0])) else ()
        )
        for name in names:
            if defined and name not in defined:
                said.append(_undefined(document, name, row.line))
            named = ((after, row.cells[index]) for index, after in times.items() if not is_nothing(row.cells[index]))
            rungs += [Rung(name, after, plain(cell), row.line) for after, cell in named]
    return rungs, said


def _transposed(document: Document, table: Table, defined: tuple[str, ...]) -> tuple[list[Rung], list[Finding]]:
    """The rungs of a matrix with severities as columns: its rows are times that hold roles, or roles that hold times.

    A role's cell that is no length of time (`Next day`) gives a rung without one; a row of times must all be times.
    """
    columns_of = {index: levels.mentions(cell, defined) for index, cell in enumerate(table.header) if index}
    if len(columns_of) < 2 or not all(len(names) == 1 for names in columns_of.values()):
        return [], []
    times = [durations.parse(_bare(plain(row.cells[0]))) for row in table.rows]
    cells = [(row, times[at], index) for at, row in enumerate(table.rows) for index in columns_of]
    if all(time is not None for time in times):
        placed = [(row, index, time, row.cells[index]) for row, time, index in cells]
    elif _ROLE.search(plain(table.header[0])):
        placed = [(row, index, durations.parse(plain(row.cells[index])), row.cells[0]) for row, _, index in cells]
    else:
        return [], []
    rungs = [
        Rung(columns_of[index][0], after, plain(to), row.line)
        for row, index, after, to in placed
        if not is_nothing(row.cells[index])
    ]
    unknown = [name for (name,) in columns_of.values() if defined and name not in defined]
    said = [_undefined(document, name, table.line) for name in unknown]
    return rungs, said + [
        _timeless(document, row.cells[index], to, row.line)
        for row, index, after, to in placed
        if after is None and not is_nothing(row.cells[index])
    ]


def _timeless(document: Document, cell: str, to: str, line: int) -> Finding:
    message = f'"{plain(cell)}" is no length of time; {plain(to)} is not paged by it'
    return findings.at(findings.UNTIMED_RUNG, (line, document.column(line, cell)), message, "Write e.g. `24 hours`.")


def _untimed(document: Document, table: Table, times: dict[int, timedelta]) -> list[Finding]:
    said = []
    for index, header in enumerate(table.header[1:], start=1):
        if index not in times and any(not is_nothing(row.cells[index]) for row in table.rows):
            place = (table.line, document.column(table.line, header))
            message = f'the column "{plain(header)}" states no time; its roles are never paged'
            said.append(findings.at(findings.UNTIMED_RUNG, place, message, "Put a time in the header: `30 min`."))
    return said


def _undefined(document: Document, name: str, line: int) -> Finding:
    message = f"{name} is escalated but is none of the severity levels"
    hint = f"Define {name} in the table of levels, or correct the name."
    return findings.at(findings.UNKNOWN_SEVERITY, (line, document.column(line, name)), message, hint)
