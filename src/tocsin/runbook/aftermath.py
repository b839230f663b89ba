"""What is owed after the incident: tasks with their deadlines, the review and the postmortem's outline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from tocsin.runbook import columns, durations, findings
from tocsin.runbook.document import Document, Items, Part, Section, Table
from tocsin.runbook.model import Finding, PostIncident, PostmortemOutline
from tocsin.runbook.wording import plain, unnumbered, without_parentheses

_ABOUT = re.compile(
    r"post[-\s]?(?:incident|mortem)|after (?:the |an )?incident|retrospective|incident review", re.IGNORECASE
)
_LEGAL = re.compile(r"gdpr|regulat|authorit|legal|breach", re.IGNORECASE)
_BARE = timedelta(hours=12)  # `Timeline review (15 minutes)` is how long a point takes, `Review (48 hours)` a deadline
_WITHIN = re.compile(r"\b(?:within|in the (?:first|next))\s+(?P<time>[^,;.():]+)", re.IGNORECASE)
_AGENDA = re.compile(r"agenda", re.IGNORECASE)
_OUTLINE = re.compile(
    r"^(?:document(?:ation)?|report|postmortem|post-mortem|write-?up|contents?)(?:\s+(?:sections?|template|outline))?$",
    re.I,
)
_ATTENDEES = re.compile(r"attendees|participants|who attends", re.IGNORECASE)


def tasks(document: Document) -> tuple[tuple[PostIncident, ...], list[Finding]]:
    """The groups of tasks with a stated deadline: of the heading, of a bold label, or of a task itself."""
    found = tuple(entry for section in document.sections if _about(section) for entry in _section(section))
    return found, [] if found else [findings.absent(findings.NO_POST_INCIDENT)]


def outline(document: Document) -> PostmortemOutline | None:
    """The review's agenda, who attends, and the sections its document shall have; None when none is listed."""
    agenda: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    attendees = ""
    for part in (part for section in document.sections if _about(section) for part in section.parts()):
        if _AGENDA.search(part.label) and not agenda:
            agenda = _items(part)
        elif _OUTLINE.search(part.label) and not sections:
            sections = _items(part)
        elif _ATTENDEES.search(part.label) and not attendees:
            attendees = plain(part.value)
    return PostmortemOutline(sections, agenda, attendees) if agenda or sections or attendees else None


def _about(section: Section) -> bool:
    return any(_ABOUT.search(title) for title in section.trail)


def _section(section: Section) -> Iterator[PostIncident]:
    within = _deadline(section.title)
    parts = section.parts()
    if within is not None:
        yield PostIncident(_name(section.title), within, _items(parts[0]), section.line)
        return
    for part in parts:
        within = _deadline(part.label)
        if within is not None:
            yield PostIncident(_name(part.label), within, _items(part), part.line)
            continue
        for block in part.blocks:
            if isinstance(block, Table):
                yield from _table(block)
            for item in block.items if isinstance(block, Items) else ():
                own = _deadline(item.text)
                if own is not None and not _LEGAL.search(item.text):
                    yield PostIncident(_name(item.text), own, (), item.line)


def _table(table: Table) -> Iterator[PostIncident]:
    """The rows of a table of tasks with a column for the deadline; a row without a measure is left out."""
    due = columns.find(table, r"deadline|\bdue\b|time ?frame|timeline|within")
    task = columns.find(table, r"task|action|item|activity|what|step")
    for row in table.rows if due is not None and task is not None else ():
        stated = columns.cell(row, due)
        within = durations.parse(stated) or _deadline(stated)
        if within is not None:
            yield PostIncident(columns.cell(row, task), within, (), row.line)


def _name(title: str) -> str:
    return without_parentheses(unnumbered(title)).rstrip(": ")


def _deadline(text: str) -> timedelta | None:
    """The time that a heading, label or task gives: `Immediate (Within 24 hours)`, `Hold a review within 1 week`."""
    bare = plain(text)
    for inside in re.findall(r"\(([^()]*)\)", bare):
        measured = durations.parse(inside)
        if measured is not None and (measured >= _BARE or _WITHIN.search(inside)):
            return measured
    match = _WITHIN.search(bare)
    if not match:
        return None
    words = match["time"].split()
    lengths = (durations.parse(" ".join(words[:count])) for count in range(min(len(words), 4), 0, -1))
    calendar = durations.parse_range(match["time"]) is None
    return None if calendar else next((length for length in lengths if length is not None), None)


def _items(part: Part) -> tuple[str, ...]:
    blocks = (block for block in part.blocks if isinstance(block, Items))
    return tuple(plain(item.text) for block in blocks for item in block.items)
