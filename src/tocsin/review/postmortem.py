"""The postmortem an incident's timeline writes: the runbook's sections, filled with what really happened.

What only a person knows (root cause, impact, lessons) is never invented: until it is recorded, its section says who
records it and how.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from tocsin.incident import events as e
from tocsin.incident.facts import Fact
from tocsin.incident.state import ActionItem, Incident
from tocsin.incident.wording import instant
from tocsin.review import account
from tocsin.review.account import Known
from tocsin.review.document import Block, Bullets, Paragraphs, Postmortem, Section, Table
from tocsin.review.document import as_json as as_json
from tocsin.review.html import as_html as as_html
from tocsin.review.markdown import as_markdown as as_markdown
from tocsin.review.metrics import acknowledge_sla, metrics, update_cadence
from tocsin.runbook.model import Runbook

DEFAULT_SECTIONS = ("Incident summary", "Timeline", "Root cause", "Impact", "Lessons learned", "Action items")
_WELL, _BADLY = r"went well", r"improve|went wrong|went poorly"


def postmortem(
    incident: Incident, timeline: Sequence[e.Entry], runbook: Runbook, *, now: datetime | None = None
) -> Postmortem:
    """The postmortem as it stands; with `now`, action items past their time are called overdue.

    The runbook's own sections come first, in its order; what happened and has no section there follows them.
    """
    known = Known(incident, tuple(timeline), runbook, now)
    return Postmortem(
        incident=incident.id,
        number=incident.number,
        title=incident.title,
        severity=incident.severity,
        status=incident.status,
        service=incident.service,
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at or incident.first_resolved_at,
        sections=_sections(known),
        metrics=metrics(incident, known.timeline, now=now),
        acknowledge_sla=acknowledge_sla(incident, known.timeline),
        update_cadence=update_cadence(known.timeline),
        action_items=incident.action_items,
        drill=incident.drill,
    )


Writer: TypeAlias = Callable[[Known], tuple[Block, ...]]
Writers: TypeAlias = tuple[tuple[str, Writer], ...]


def _sections(known: Known) -> tuple[Section, ...]:
    written: set[Writer] = set()
    sections = []
    for title in _titles(known):
        writer = _writer(title, _WRITERS)
        if writer:
            written.add(writer)
        blocks = writer(known) if writer else _recorded(known, title)
        sections.append(Section(title, blocks or (Paragraphs("Nothing was recorded."),)))
    for title, writer in _APPENDED:
        blocks = () if writer in written else writer(known)
        if blocks:
            sections.append(Section(title, blocks))
    return tuple(sections)


def _titles(known: Known) -> tuple[str, ...]:
    outline = known.runbook.postmortem
    return (outline.sections if outline else ()) or DEFAULT_SECTIONS


def _writer(title: str, writers: Writers) -> Writer | None:
    return next((writer for pattern, writer in writers if re.search(pattern, title, re.IGNORECASE)), None)


# What people say of it


def _summary(known: Known) -> tuple[Block, ...]:
    said = known.incident.facts.get(Fact.SUMMARY) or known.incident.summary
    lead = Paragraphs(said) if said.strip() else _missing(known, Fact.SUMMARY)
    return (lead, *account.summary(known))


def _impact(known: Known) -> tuple[Block, ...]:
    return (_fact(known, Fact.IMPACT),)


def _root_cause(known: Known) -> tuple[Block, ...]:
    return (_fact(known, Fact.ROOT_CAUSE),)


def _went_well(known: Known) -> tuple[Block, ...]:
    return (_fact(known, Fact.WENT_WELL),)


def _to_improve(known: Known) -> tuple[Block, ...]:
    return (_fact(known, Fact.TO_IMPROVE),)


def _lessons(known: Known) -> tuple[Block, ...]:
    """The agenda's questions, each with what was recorded under it; an agenda without any gets the two usual ones."""
    outline, said = known.runbook.postmortem, known.incident.facts.get(Fact.LESSONS, "")
    asked = [item for item in (outline.agenda if outline else ()) if not _writer(item, _OWN_SECTIONS)]
    questions = asked or ["What went well", "What could improve"]
    lead = (Paragraphs(said),) if said.strip() else ()
    return (*lead, *(_fact(known, _prompted(question), title=question) for question in questions))


def facts_asked(runbook: Runbook) -> tuple[str, ...]:
    """The names of the facts that this runbook's postmortem wants of people: the usual ones, then its own in order."""
    outline = runbook.postmortem
    titles = (outline.sections if outline else ()) or DEFAULT_SECTIONS
    agenda = outline.agenda if outline else ()
    own = (_named(title) for title in titles if _writer(title, _WRITERS) is None)
    questions = (_prompted(item) for item in agenda if not _writer(item, _OWN_SECTIONS))
    return tuple(dict.fromkeys((Fact.SUMMARY.value, Fact.IMPACT.value, Fact.ROOT_CAUSE.value, *own, *questions)))


def _prompted(question: str) -> str:
    """The fact that answers a question of the agenda."""
    if re.search(_WELL, question, re.IGNORECASE):
        return Fact.WENT_WELL
    return Fact.TO_IMPROVE if re.search(_BADLY, question, re.IGNORECASE) else _named(question)


def _recorded(known: Known, title: str) -> tuple[Block, ...]:
    """A section only this runbook has: a fact of the same name."""
    return (_fact(known, _named(title)),)


def _named(title: str) -> str:
    return re.sub(r"\W+", "_", title.casefold()).strip("_")


def _fact(known: Known, name: str, *, title: str = "") -> Paragraphs:
    said = known.incident.facts.get(name, "")
    return Paragraphs(said, title=title) if said.strip() else _missing(known, name, title=title)


def _missing(known: Known, name: str, *, title: str = "") -> Paragraphs:
    commander = known.incident.commander
    who = f"{commander} (incident commander)" if commander else "The incident commander"
    text = f"Not recorded yet. {who} records it as {name}, in the incident room or with tocsin note."
    return Paragraphs(text, missing=True, title=title)


# What remains to be done


def _action_items(known: Known) -> tuple[Block, ...]:
    i = known.incident
    rows = tuple((a.title, a.owner or "nobody", f"{a.due_at:%Y-%m-%d}", _state(a, known.now)) for a in i.action_items)
    blocks: list[Block] = []
    if rows:
        blocks.append(Table(("Action item", "Owner", "Due", "State"), rows))
    else:
        blocks.append(Paragraphs("No action items yet.", missing=True))
    if follow_up := i.facts.get(Fact.FOLLOW_UP, "").strip():
        blocks.append(Paragraphs(follow_up))
    kinds = known.runbook.checklist("follow_up")
    covered = {a.kind.casefold() for a in i.action_items}
    open_kinds = tuple(k for k in (kinds.items if kinds else ()) if k.casefold() not in covered)
    if open_kinds:
        blocks.append(Bullets(open_kinds, title="The runbook also asks to consider"))
    return tuple(blocks)


def _promised(known: Known) -> tuple[Block, ...]:
    """Action items that exist are shown even where the runbook has no section for them."""
    return _action_items(known) if known.incident.action_items and not _listed(known) else ()


def _listed(known: Known) -> bool:
    return any(_writer(title, _WRITERS) is _action_items for title in _titles(known))


def _state(item: ActionItem, now: datetime | None) -> str:
    if item.done_at is not None:
        return f"done {item.done_at:%Y-%m-%d}"
    return "overdue" if now is not None and now > item.due_at else "open"


def _agenda(known: Known) -> tuple[Block, ...]:
    outline, ended = known.runbook.postmortem, known.incident.first_resolved_at
    blocks: list[Block] = []
    if outline and outline.agenda:
        blocks.append(Bullets(outline.agenda))
    if outline and outline.attendees:
        blocks.append(Paragraphs(f"Attendees: {outline.attendees}"))
    due = tuple(
        (p.what, instant(ended + p.within))
        for p in known.runbook.post_incident
        if ended is not None and p.within is not None
    )
    if due:
        blocks.append(Table(("After the incident", "Due"), due))
    return tuple(blocks)


# What a section's title asks for, the first pattern that is found in it
_OWN_SECTIONS: Writers = (
    (r"action|follow-?\s?up|next steps", _action_items),
    (r"timeline|chronolog", account.timeline),
    (r"root cause|^cause|contributing cause", _root_cause),
    (r"impact", _impact),
)
_WRITERS: Writers = (
    *_OWN_SECTIONS,
    (_WELL, _went_well),
    (_BADLY, _to_improve),
    (r"lesson|learn", _lessons),
    (r"summary|overview", _summary),
    (r"metric|^measures$", account.measures),
    (r"mitigation|resolution|tried", account.tried),
    (r"decision", account.decisions),
    (r"evidence|diagnos", account.evidence),
    (r"agenda", _agenda),
)
_APPENDED: tuple[tuple[str, Writer], ...] = (
    ("Action items", _promised),
    ("What was tried", account.tried),
    ("Decision path", account.decisions),
    ("Evidence that mattered", account.evidence),
    ("Measures", account.measures),
    ("Review agenda", _agenda),
)
