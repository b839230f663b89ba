"""The things to tick: the runbook's checklists and the tasks after an incident, each with an id that stays."""

from __future__ import annotations

import re
from collections import Counter
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
    lists: list[tuple[str, tuple[str, ...], str, timedelta | None]] = [
        *((c.title, c.items, c.purpose, None) for c in runbook.checklists),
        *((p.what, p.items or (p.what,), "post_incident", p.within) for p in runbook.post_incident),
    ]
    seen: Counter[str] = Counter()
    found: list[Item] = []
    for title, texts, group, within in lists:
        name = slug(title)
        seen[name] += 1
        prefix = name if seen[name] == 1 else f"{name}-{seen[name]}"
        found += [Item(f"{prefix}/{n}", text, title, group, within) for n, text in enumerate(texts, start=1)]
    return tuple(found)


def item(runbook: Runbook, id_: str) -> Item | None:
    return next((i for i in items(runbook) if i.id == id_), None)


def item_of_text(runbook: Runbook, text: str) -> Item | None:
    """The first item that reads so, compared without case."""
    return next((i for i in items(runbook) if i.text.casefold() == text.strip().casefold()), None)


def open_verification(incident: Incident, runbook: Runbook) -> tuple[Item, ...]:
    """Items that must be ticked before the incident may be resolved."""
    return tuple(i for i in items(runbook) if i.group == "verification" and not incident.ticked(i.id))


def open_tasks(incident: Incident, runbook: Runbook) -> tuple[tuple[Item, datetime], ...]:
    """Post-incident tasks not done, each with its due time (resolve + deadline), soonest first; none earlier."""
    ended = incident.resolved_at if incident.status.over else None
    if ended is None:
        return ()
    owed = [(i, ended + i.within) for i in items(runbook) if i.group == "post_incident" and i.within is not None]
    return tuple(sorted(((i, due) for i, due in owed if not incident.ticked(i.id)), key=lambda pair: pair[1]))


def tick_of(incident: Incident, id_: str) -> Tick | None:
    return next((t for t in incident.ticks if t.item == id_), None)


def slug(text: str) -> str:
    """Lower-case words joined by hyphens, what stands in parentheses left out."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\([^)]*\)", "", text).casefold()).strip("-") or "list"
