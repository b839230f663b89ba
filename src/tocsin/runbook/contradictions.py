"""What a document says twice and differently. The first is what counts; the second is told, with the line of both."""

from __future__ import annotations

import re

from tocsin.runbook import answers, columns, durations, findings, levels, severities
from tocsin.runbook.document import Document
from tocsin.runbook.model import Finding, Rung, Severity
from tocsin.runbook.wording import Wording, plain

_ESCALATION = Wording(r"escalat|escalon|escalada|эскалац|升级", re.IGNORECASE)
_ONCE = "Say it in one place, and point to it from the other."


def of_levels(document: Document, kept: tuple[Severity, ...], told: frozenset[int]) -> list[Finding]:
    """A finding for each place that states another response time for a level than its definition does, but for the
    lines of `told`."""
    known = {levels.key(level.name): level for level in kept if level.response is not None}
    spelling = severities.scale(document, kept)
    stated = list(answers.sources(document, spelling))
    stated += [(level.name, level.response_text, level.line) for level in severities.in_headings(document)]
    stated += _first_responses(document)
    said: dict[tuple[int, str], Finding] = {}
    for name, text, line in stated:
        level, other = known.get(levels.key(spelling.spelled(name))), durations.parse(text)
        if level is None or other in {None, level.response} or line == level.line or line in told:
            continue
        mine = (at for said_of, own, at in stated if own == level.response_text and _same(said_of, level, spelling))
        used = f'in "{level.response_text}" by line {next(mine, level.line)}, which is used'
        message = f'{level.name} is answered in "{text}" here and {used}'
        place = (line, document.column(line, text))
        said.setdefault((line, name), findings.at(findings.CONTRADICTED, place, message, _ONCE))
    return list(said.values())


def _same(name: str, level: Severity, spelling: levels.Scale) -> bool:
    return levels.key(spelling.spelled(name)) == levels.key(level.name)


def _first_responses(document: Document) -> list[tuple[str, str, int]]:
    """(level, time, line) of the tables of escalation that say when somebody first responds."""
    found = []
    for section in document.sections:
        for table in section.tables() if section.under(_ESCALATION) else ():
            column = columns.find(table, r"^(?:initial |first )?response$")
            if column is not None and re.search(columns.LEVEL, plain(table.header[0]).casefold()):
                rows = ((levels.leading(row.cells[0]), columns.cell(row, column), row.line) for row in table.rows)
                found += [(name, text, line) for name, text, line in rows if name]
    return found


def of_rungs(document: Document, rungs: tuple[Rung, ...]) -> list[Finding]:
    """A finding for each rung that comes at another time than the same role of the same severity did above it."""
    first: dict[tuple[str | None, str], Rung] = {}
    said = []
    for rung in rungs:
        if rung.after is None:
            continue
        earlier = first.setdefault((rung.severity, " ".join(sorted(set(rung.to.casefold().split())))), rung)
        if earlier.after is not None and earlier.after != rung.after and rung.after and earlier.after:
            when, before = durations.words(rung.after), durations.words(earlier.after)
            whose = f"{rung.severity}: " if rung.severity else ""
            message = f"{whose}{rung.to} is paged after {when} here and after {before} by line {earlier.line}"
            place = (rung.line, document.column(rung.line, rung.to))
            said.append(findings.at(findings.CONTRADICTED, place, message, "Keep one time for each role."))
    return said
