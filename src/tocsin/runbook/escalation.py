"""Who is told next, and when: the escalation matrix, the tables of conditions, and the ladders."""

from __future__ import annotations

import re
from datetime import timedelta

from tocsin.runbook import columns, durations, findings, ladders, levels, phrases, roles
from tocsin.runbook.document import Document, Section, Table
from tocsin.runbook.model import Finding, Rung
from tocsin.runbook.wording import Wording, is_nothing, plain

_ABOUT = Wording(r"escalat|escalon|escalada|escala[cç]|эскалац|升级|who to (?:page|call|notify)|notif", re.IGNORECASE)
_ROLE = re.compile(r"^(?:role|who|contact|person|team|title|escalate to|notify)\b", re.IGNORECASE)
_RESPONSE = re.compile(r"respon|resol|acknowledg|\back\b", re.IGNORECASE)
_AT_ONCE = re.compile(
    r"\b(?:initial|first (?:responder|contact|line|call|point)|immediate(?:ly)?|at once|primary)\b", re.IGNORECASE
)


_ACTION = re.compile(r"\baction", re.IGNORECASE)
_TOLD = r"escalate to|who to (?:notify|page|call|contact)|^notif(?:y|ied)|to notify"
_TO = r"escalate to|notify|contact|\bwho\b|\brole\b|person|\bteam\b|responder|owner|^name|page|action|escalation"
_WHEN = r"\bwhen\b|trigger|condition|criteria|\bafter\b|\btime|threshold|\bif\b|situation|unresolved"
_RANK = re.compile(r"(?:l|level|tier|stage|step|line)?\s?-?[0-9]+\b\s*[-–—:.)]*\s*", re.IGNORECASE)
_WHO = re.compile(
    r"^(?:escalat\w*|escala[cç]\w*|escalonamento|escalate to|"
    r"who to (?:page|notify|escalate|alert|call|contact|inform)|"
    r"escalation (?:contact|to|path|role))$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"^(?:time ?frames?|timing|when|after|within|escalation (?:time|after)|escalate (?:after|within|when|in)|"
    r"time to escalat\w*)$"
)
_FIRST = re.compile(r"^(?:first|initial|primary) (?:responders?|contacts?|response)$")
_TOLD_AT = re.compile(
    r"^(?:escalation|escalat(?:e|ed|es) (?:after|at|when)|escalation (?:time|after|when)|page[ds]? after)$",
    re.IGNORECASE,
)
_ARROW = re.compile(r"\s*(?:→|⇒|➔|-+>|=+>)\s*")
_RUNG_NAME = re.compile(r"^escalation (?:level |tier )?[0-9]|^(?:l|level|tier) ?[0-9]", re.IGNORECASE)


def read(document: Document, known: levels.Scale) -> tuple[tuple[Rung, ...], list[Finding]]:
    """Every rung the document names, in document order; `-` is nobody. An undefined severity is said."""
    rungs: list[Rung] = []
    said: list[Finding] = []
    for section in document.sections:
        for table in section.tables():
            found, doubts = _table(document, section, table, known)
            rungs += found
            said += doubts
    rungs += ladders.read(document, known)
    rungs = rungs or list(ladders.told(document, known))
    once: dict[tuple[str | None, timedelta | None, str], Rung] = {}
    for rung in rungs:
        once.setdefault((rung.severity, rung.after, rung.to.casefold()), rung)
    ordered = tuple(sorted(once.values(), key=lambda rung: rung.line))
    undefined = {
        rung.severity: rung for rung in reversed(ordered) if rung.severity and rung.severity not in known.names
    }
    said += _never(document, ordered, {found.line for found in said})
    if known.names:
        said += [_undefined(document, name, rung.line) for name, rung in undefined.items()]
    return ordered, said if ordered else [*said, findings.absent(findings.NO_ESCALATION)]


def _table(document: Document, section: Section, table: Table, known: levels.Scale) -> tuple[list[Rung], list[Finding]]:
    """The rungs of one table, by the first form that fits it."""
    times = _times(table, section)
    if times:
        return _matrix(document, table, times, known)
    rungs = _column(table, known) or _by_contact(table, known)
    if rungs:
        return rungs, []
    if section.under(_ABOUT):
        rungs, said = _transposed(document, table, known)
        named = next((named for title in section.trail if (named := levels.mentions(title, known))), ())
        return (rungs, said) if rungs else (_by_role(table, known) or _by_condition(table, known, named), said)
    return [], []


def _never(document: Document, rungs: tuple[Rung, ...], told: set[int]) -> list[Finding]:
    """What is said of the rungs without a time, once for each line."""
    untimed = {rung.line: rung for rung in reversed(rungs) if rung.after is None and rung.line not in told}
    return [
        findings.at(
            findings.UNTIMED_RUNG,
            (line, document.column(line, rung.to)),
            f'"{rung.to}" is named at no stated time, and is never paged by it',
            f"Write the time, e.g. `{rung.to} (30 min)`.",
        )
        for line, rung in sorted(untimed.items())
    ]


def _column(table: Table, known: levels.Scale) -> list[Rung]:
    """The rungs of a column `Escalation` in the table of levels: who, with a time where the cell states one."""
    if not re.search(columns.LEVEL, plain(table.header[0]).casefold()):
        return []
    header = [plain(cell).casefold() for cell in table.header]
    column = next((i for i, cell in enumerate(header) if i and _WHO.match(cell)), None)
    after = next((i for i, cell in enumerate(header) if i and _AFTER.match(cell)), None)
    first = next((i for i, cell in enumerate(header) if i and _FIRST.match(cell)), None)
    rungs = []
    for row in table.rows if column is not None else ():
        names = _levels_of(row.cells[0], known)
        text = columns.cell(row, column)
        to = roles.named_in(text)
        stated = durations.find(text)
        if stated is None:
            stated = durations.parse(columns.cell(row, after))
        if first is not None and not is_nothing(row.cells[first]):
            rungs += [Rung(name, timedelta(0), columns.cell(row, first), row.line) for name in names]
        if roles.names_one(to) or (after is not None and to and not is_nothing(to)):
            rungs += [Rung(name, stated, to, row.line) for name in names]
    return rungs


def _by_contact(table: Table, known: levels.Scale) -> list[Rung]:
    """The rungs of a table of contacts with a column that says when each is told: `SRE lead | #sre | 15 min`. A cell
    that is no time gives a rung without one, of the levels that it names (`SEV1 only`)."""
    column = next((i for i, cell in enumerate(table.header) if i and _TOLD_AT.match(plain(cell))), None)
    who = plain(table.header[0]).casefold()
    if column is None or not re.match(r"(?:role|who|contact|person|team|name|title)s?$", who):
        return []
    cells = [(row, plain(row.cells[0]), columns.cell(row, column)) for row in table.rows]
    measured = sum(durations.parse(text) is not None for _, _, text in cells)
    if measured < 2 or not all(roles.names_one(to) for _, to, _ in cells):
        return []
    return [
        Rung(name, durations.parse(text), to, row.line)
        for row, to, text in cells
        for name in levels.mentions(text, known) or (None,)
    ]


def _by_role(table: Table, known: levels.Scale) -> list[Rung]:
    """The rungs of a table of severities whose other columns are roles, or `Escalation 1`, with times in the cells."""
    if not re.search(columns.LEVEL, plain(table.header[0]).casefold()):
        return []
    named = {
        index: plain(cell)
        for index, cell in enumerate(table.header)
        if index
        and (_RUNG_NAME.match(plain(cell)) or roles.names_one(plain(cell)))
        and not _RESPONSE.search(plain(cell))
    }
    cells = [(row, index, plain(row.cells[index])) for row in table.rows for index in named]
    stated = [cell for cell in cells if not is_nothing(cell[2])]
    measured = [cell for cell in stated if durations.parse(cell[2]) is not None]
    if not measured or len(measured) * 2 < len(stated):
        return []
    return [
        Rung(name, durations.parse(text), named[index], row.line)
        for row, index, text in stated
        for name in _levels_of(row.cells[0], known)
    ]


def _by_condition(table: Table, known: levels.Scale, named_above: tuple[str, ...]) -> list[Rung]:
    """The rungs of a table that says in one column who, in another when: `L2 | Team lead | P1 unresolved > 30 min`.

    A row without a severity has the one that the heading names. A column of actions (`No answer -> page the lead`)
    names somebody only where its words do.
    """
    condition = columns.find(table, _WHEN, unlike=r"response time|respond")
    to = _told_column(table, condition)
    if condition is None or to is None or len(table.header) < 2:
        return []
    rungs = []
    for row in table.rows:
        severities, after = phrases.when(row.cells[condition], known)
        severities = severities or (_levels_of(row.cells[0], known) if 0 not in (condition, to) else ())
        named = _ranked(row.cells[0]) if 0 not in (condition, to) else ""
        if after is None and phrases.comes_first(row.cells[condition]):
            after = timedelta(0)
        acts = bool(_ACTION.search(plain(table.header[to])))
        severities = severities or (levels.mentions(row.cells[to], known) if acts else ()) or named_above
        who = named or (_acted(row.cells[to]) if acts else columns.cell(row, to))
        if not is_nothing(who):
            rungs += [Rung(name, after, who, row.line) for name in severities or (None,)]
    return rungs


def _told_column(table: Table, condition: int | None) -> int | None:
    """The column that says who is told: one that says so, before one of actions, before one that may say who acts."""
    for wording in (_TOLD, _TO):
        for index, cell in enumerate(table.header):
            if index != condition and re.search(wording, plain(cell).casefold()):
                return index
    return None


def _acted(cell: str) -> str:
    """Whom an action tells: of `No ack -> page the team lead` the team lead; the whole cell when it says it otherwise,
    and nothing when nobody is named."""
    told = roles.named_in(_ARROW.split(plain(cell))[-1])
    return told if roles.names_one(told) else ""


def _ranked(cell: str) -> str:
    """A cell such as `L2 - Lead Engineer`, when it names a role beside its rank; empty when it is a rank alone."""
    bare = plain(cell)
    rank = _RANK.match(bare)
    rest = bare[rank.end() :] if rank else bare
    return bare if roles.names_one(rest) and levels.leading(bare) is None else ""


def _levels_of(cell: str, known: levels.Scale) -> tuple[str, ...]:
    leading = levels.leading(cell)
    return levels.mentions(cell, known) or ((leading,) if leading else ())


def _times(table: Table, section: Section) -> dict[int, timedelta]:
    """Column -> time after the opening, when the table is severities by times; empty when it is not."""
    if not re.search(columns.LEVEL, plain(table.header[0]).casefold()):
        return {}
    about = section.under(_ABOUT)
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
    document: Document, table: Table, times: dict[int, timedelta], known: levels.Scale
) -> tuple[list[Rung], list[Finding]]:
    rungs: list[Rung] = []
    for row in table.rows:
        for name in _levels_of(row.cells[0], known):
            named = ((after, row.cells[index]) for index, after in times.items() if not is_nothing(row.cells[index]))
            rungs += [Rung(name, after, plain(cell), row.line) for after, cell in named]
    return rungs, _untimed(document, table, times)


def _transposed(document: Document, table: Table, known: levels.Scale) -> tuple[list[Rung], list[Finding]]:
    """The rungs of a matrix with severities as columns: its rows are times that hold roles, or roles that hold times.

    A role's cell that is no length of time (`Next day`) gives a rung without one; a row of times must all be times.
    """
    columns_of = {index: levels.mentions(cell, known) for index, cell in enumerate(table.header) if index}
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
    return rungs, [
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
