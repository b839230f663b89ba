"""The things to tick: the runbook's checklists and the tasks after an incident, each with an id that stays."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from msgspec import Struct

from tocsin.incident.state import Incident, Tick
from tocsin.runbook.model import Runbook


class Item(Struct, frozen=True):
    """`group` is `verification`, `follow_up`, `post_incident` or `other`; `within` counts from the resolve."""

    id: str
    text: str
    checklist: str
    group: str
    within: timedelta | None = None


def items(runbook: Runbook) -> tuple[Item, ...]:
    """Every item of the document, in its order: checklists first, then post-incident tasks."""
    found = [
        Item(f"{slug(c.title)}/{n}", text, c.title, c.purpose)
        for c in runbook.checklists
        for n, text in enumerate(c.items, start=1)
    ]
    for p in runbook.post_incident:
        tasks = p.items or (p.what,)
        found += [
            Item(f"{slug(p.what)}/{n}", text, p.what, "post_incident", p.within)
            for n, text in enumerate(tasks, start=1)
        ]
    return tuple(found)


def item(runbook: Runbook, id_: str) -> Item | None:
    return next((i for i in items(runbook) if i.id == id_), None)


def open_verification(incident: Incident, runbook: Runbook) -> tuple[Item, ...]:
    """Items that must be ticked before the incident may be resolved."""
    return tuple(i for i in items(runbook) if i.group == "verification" and not incident.ticked(i.id))


def open_tasks(incident: Incident, runbook: Runbook) -> tuple[tuple[Item, datetime], ...]:
    """Post-incident tasks not done, each with its due time (resolve + deadline), soonest first; none earlier."""
    ended = incident.first_resolved_at if incident.status.over else None
    if ended is None:
        return ()
    owed = [(i, ended + i.within) for i in items(runbook) if i.group == "post_incident" and i.within is not None]
    return tuple(sorted(((i, due) for i, due in owed if not incident.ticked(i.id)), key=lambda pair: pair[1]))


def tick_of(incident: Incident, id_: str) -> Tick | None:
    return next((t for t in incident.ticks if t.item == id_), None)


def slug(text: str) -> str:
    """Lower-case words joined by hyphens, what stands in parentheses left out."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\([^)]*\)", "", text).casefold()).strip("-") or "list"
