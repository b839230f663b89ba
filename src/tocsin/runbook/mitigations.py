"""Mitigations: the actions that change production, each with when to use it and its command."""

from __future__ import annotations

import re

from tocsin.runbook import columns, commands, findings, links, options
from tocsin.runbook.document import Document, Row, Section, Table
from tocsin.runbook.model import Finding, Mitigation, Procedure, StepKind
from tocsin.runbook.shell import read_command
from tocsin.runbook.wording import Wording, code_spans, is_nothing, slug, unique

_ABOUT = Wording(rf"{options.ABOUT.pattern}|immediate action|remediat|corrective", re.IGNORECASE)
_REFERENCE = Wording(r"reference|key commands|useful commands|escalat|contact", re.IGNORECASE)
_ACTION = (
    r"^(?:(?:immediate |mitigation |recommended |containment |corrective |quick )?actions?|"
    r"mitigations?|(?:immediate )?containment|fix|option|remed\w*|solution|what to do)\b"
)


def read(document: Document, known: links.Titles) -> tuple[tuple[Mitigation, ...], list[Finding]]:
    """The rows of the action tables and the options written otherwise, in order; a row whose cells are cut by a stray
    `|` has no command."""
    found: list[Mitigation] = []
    said: list[Finding] = []
    taken: set[str] = set()
    for section in document.sections:
        for table in section.tables():
            shape = _shape(section, table)
            for row in table.rows if shape else ():
                mitigation = _row(row, shape, taken, said)
                if mitigation:
                    mitigation = _pointed(document, row, mitigation, known, said)
                    found.append(mitigation)
    commands_known = {" ".join((m.command or "").split()) for m in found if m.command}
    for option in options.read(document):
        if not option.command or " ".join(option.command.split()) not in commands_known:
            found.append(_option(document, option, known, taken, said))
    return tuple(sorted(found, key=lambda mitigation: mitigation.line)), said


def beside(mitigations: tuple[Mitigation, ...], procedures: tuple[Procedure, ...]) -> tuple[Procedure, ...]:
    """The procedures without those about mitigation that hold no command beside the mitigations' own."""
    own = {" ".join((m.command or "").split()) for m in mitigations}
    return tuple(p for p in procedures if not (options.ABOUT.search(p.title) and _all_among(own, p)))


def _all_among(own: set[str], procedure: Procedure) -> bool:
    runs = [" ".join(step.command.split()) for step in procedure.steps if step.kind is StepKind.SHELL]
    return bool(runs) and own.issuperset(runs)


def _option(
    document: Document, option: options.Option, known: links.Titles, taken: set[str], said: list[Finding]
) -> Mitigation:
    name = unique(slug(option.action) or "mitigation", taken)
    if option.command is None:
        pointed = links.reference(option.source, known)
        said.append(without_command(document, (option.action, option.line), pointed))
        see = pointed[0] if pointed else None
        return Mitigation(option.action, name, option.when, None, None, (), option.line, see=see)
    read = read_command(option.command, line=option.command_line)
    said += read.findings
    judged = read.classification
    return Mitigation(
        option.action,
        name,
        option.when,
        read.command,
        judged.step_class,
        read.placeholders,
        option.line,
        class_reason=judged.reason,
    )


def _shape(section: Section, table: Table) -> dict[str, int | None]:
    """Which column holds the action, when to use it and its command; empty when it is no table of mitigations."""
    if section.under(_REFERENCE):
        return {}
    action = columns.find(table, _ACTION)
    when = columns.find(table, columns.WHEN)
    command = columns.find(table, columns.COMMAND)
    about = section.under(_ABOUT)
    if action is None or (command is None and not (about and when is not None)):
        return {}
    return {"action": action, "when": when, "command": command}


def _row(row: Row, shape: dict[str, int | None], taken: set[str], said: list[Finding]) -> Mitigation | None:
    action, when = columns.cell(row, shape["action"]), columns.cell(row, shape["when"])
    if is_nothing(action):
        return None
    if (
        shape["command"] is None
        and when
        and (commands.looks_like_one(action) or _is_code(row.cells[shape["action"] or 0]))
    ):
        action = when  # a cell that is nothing but a command names no action; the row is known by its case
    name = unique(slug(action) or "mitigation", taken)
    source = row.cells[shape["command"]] if shape["command"] is not None else row.cells[shape["action"] or 0]
    text = None if row.surplus else _command(source, headed=shape["command"] is not None)
    if text is None:
        return Mitigation(action, name, when, None, None, (), row.line)
    read = read_command(text, line=row.line)
    said += read.findings
    judged = read.classification
    return Mitigation(
        action, name, when, read.command, judged.step_class, read.placeholders, row.line, class_reason=judged.reason
    )


def _is_code(cell: str) -> bool:
    """Whether a cell is one code span and nothing else: an SQL statement, a call of the API."""
    return [f"`{span}`" for span in code_spans(cell)] == [cell.strip()]


def _command(cell: str, *, headed: bool) -> str | None:
    """The first code span that is a command, else the whole cell when it is one without any dress.

    Under a heading that says so (`headed`) code is a command whatever its program is called; a document's name is not.
    """
    found = commands.first_in(cell)
    if found is None and headed:
        found = next((span for span in code_spans(cell) if not commands.names_document(span)), None)
    if found is None and not code_spans(cell) and commands.looks_like_one(cell):
        found = cell.strip()
    return found


def _pointed(
    document: Document, row: Row, mitigation: Mitigation, known: links.Titles, said: list[Finding]
) -> Mitigation:
    """The mitigation with the document it points to when it has no command; either way that is said."""
    if mitigation.command is not None or row.surplus:
        return mitigation
    pointed = next((found for cell in row.cells if (found := links.reference(cell, known))), None)
    said.append(without_command(document, (mitigation.action, row.line), pointed))
    return _seeing(mitigation, pointed[0]) if pointed else mitigation


def without_command(document: Document, action: tuple[str, int], pointed: tuple[str, bool] | None) -> Finding:
    """What is said of an (action, line) without a command: where it points to, or that it points nowhere."""
    name, line = action
    if pointed is None:
        message = f'"{name}" has no command; it can only be noted as done'
        return findings.at(findings.NO_COMMAND, (line, document.column(line, name)), message)
    target, linked = pointed
    place = (line, document.column(line, "See" if "See" in document.source(line) else name))
    if linked:
        return findings.at(findings.POINTS_ELSEWHERE, place, f'"{name}" sends the responder to {target}')
    hint = f"Link it where it is named, e.g. `See [{target}](./{slug(target)}.md)`."
    message = f'"{name}" names "{target}", but no link of this document bears that name'
    return findings.at(findings.POINTS_NOWHERE, place, message, hint)


def _seeing(m: Mitigation, target: str) -> Mitigation:
    return Mitigation(m.action, m.slug, m.when, None, None, (), m.line, see=target)
