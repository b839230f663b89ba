"""Two incidents that are one trouble made one, and one that are two made two: what is said of each, decided.

The incident that is merged is over; the other has its alerts, its ladder's place, its owner when it has none itself,
and what was promised. Nobody who was reached is paged for it again.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from tocsin.incident import commands, steps
from tocsin.incident import events as e
from tocsin.incident.deadlines import done_keys
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import Context, Policy
from tocsin.incident.state import ActionItem, Incident, Page, Status

Events = tuple[e.Event, ...]
HANDS_ON = ("running", "unknown")
"""Mitigations that a person must see the end of, where they stand."""
MOST_PAGES = 100
CONTINUED = "This is part of another incident, and we go on reporting there: {title}"


class Moved(Struct, frozen=True):
    """How many alerts went from one incident to another."""

    total: int
    firing: int


def refuse(one: Incident, into: Incident) -> None:
    """Raises CommandError or TransitionError when `one` may not be merged into `into`."""
    if one.id == into.id:
        raise CommandError("an incident cannot be merged into itself", {"into": "another incident"})
    if into.merged_into is not None and into.merged_into.id == one.id:
        raise TransitionError(f"#{into.number} was merged into #{one.number} already: that would go round in a circle")
    if one.drill != into.drill:
        raise TransitionError("one of the two is a drill: a drill and what is real stay apart")
    for incident in (one, into):
        if incident.merged_into is not None:
            raise TransitionError(f"#{incident.number} was merged into #{incident.merged_into.number}: name that one")
        if incident.status.over:
            raise TransitionError(f"#{incident.number} is {incident.status}: reopen it before it is merged")
    busy = next((a for a in one.approvals if a.status in HANDS_ON), None)
    if busy is not None:
        how = "runs" if busy.status == "running" else "ended without a known outcome"
        raise TransitionError(f"{busy.action} {how} in #{one.number}: see to its end there before it is merged")


def leaving(one: Incident, into: Incident, ctx: Context) -> Events:
    """What ends with the incident that is merged: proposals, and what the public reads of it."""
    why = f"the incident was merged into #{into.number}: propose it there"
    ended = tuple(e.MitigationRejected(a.id, why) for a in one.approvals if a.status in ("pending", "approved"))
    shown = one.public[-1].status if one.public else "resolved"
    title = into.public_title or one.public_title
    told = (steps.public_event(one, ctx, "resolved", CONTINUED.format(title=title)),) if shown != "resolved" else ()
    return (*ended, *told)


def merged(into: Incident, *, reason: str = "") -> e.Merged:
    return e.Merged(into.number, into.id, into.title, reason.strip())


def absorbed(one: Incident, into: Incident, moved: Moved, *, reason: str = "") -> e.Absorbed:
    """What the other incident takes over of `one`, which is as it was before it was merged."""
    reached = tuple(k for key in _reached(one) if (k := _as_of(key, one, into)) not in done_keys(into))
    return e.Absorbed(
        number=one.number, incident=one.id, title=one.title, severity=one.severity, opened_at=one.opened_at,
        clock_started_at=one.clock_started_at, alerts_total=one.alerts_total, alerts_firing=moved.firing,
        quiet_since=one.quiet_since, impact_started_at=one.impact_started_at,
        services=tuple(filter(None, (one.service, *one.services))), groups=one.groups, reporters=one.reporters,
        reported_at=one.reported_at, reached=reached, pages=_arrived(one), reason=reason.strip(),
    )  # fmt: skip


def afterwards(one: Incident, into: Incident, ctx: Context) -> Events:
    """What follows for the incident that goes on: the severer level, what was promised, what people knew, the public's
    word. `one` is as it was before."""
    events: list[e.Event] = []
    if _worse(one, into, ctx.policy):
        events.append(e.SeverityChanged(one.severity, into.severity, f"#{one.number} was merged into it"))
    events += _promised(one, into)
    events += (e.FactRecorded(name, text) for name, text in one.facts.items() if name not in into.facts)
    if one.alerts_firing:
        events += commands.fires_again(into, ctx, f"#{one.number} was merged into it and fires")
    shown = one.public[-1] if one.public else None
    if shown is not None and shown.status != "resolved" and not into.public:
        events.append(steps.public_event(into, ctx, shown.status, shown.text))
    return tuple(events)


def owner_of(one: Incident, into: Incident) -> str:
    """Who owns the other incident from now on because they own this one; empty when nothing follows."""
    if into.status is not Status.OPEN or one.status is Status.OPEN:
        return ""
    return one.commander or one.acknowledged_by or ""


def split_off(incident: Incident, into: Incident, moved: Moved, *, reason: str = "") -> e.SplitOff:
    return e.SplitOff(into.number, into.id, into.title, moved.total, moved.firing, reason.strip())


def split_from(incident: Incident, moved: Moved) -> e.SplitFrom:
    return e.SplitFrom(
        incident.number, incident.id, incident.title, moved.total, moved.firing, incident.impact_started_at
    )


def unrelated(incident: Incident, other: Incident, *, reason: str = "") -> Events:
    """A person keeps the two apart; said twice it changes nothing."""
    if incident.id == other.id:
        raise CommandError("an incident is related to itself", {"incident": "another incident"})
    if other.id in incident.unrelated:
        return ()
    commands.refuse_over(incident)
    return (e.RelationDenied(other.number, other.id, reason.strip()),)


def _reached(one: Incident) -> tuple[str, ...]:
    """Rungs of its present ladder that arrived at somebody, or that nobody holds."""
    now = (p for p in one.pages if p.at >= one.clock_started_at and (p.delivered or p.informed))
    rungs = (key for key in (*(p.key for p in now), *one.passed) if key.startswith("rung:"))
    return tuple(key for key in rungs if not one.generation or key.endswith(f"#{one.generation}"))


def _as_of(key: str, one: Incident, into: Incident) -> str:
    """The rung's name in the other incident, whose openings are counted apart."""
    name = key.removesuffix(f"#{one.generation}") if one.generation else key
    return f"{name}#{into.generation}" if into.generation else name


def _arrived(one: Incident) -> tuple[Page, ...]:
    """Its pages that reached their people, each named as of this incident; what did not arrive is not taken along, and
    the ladder pages it anew."""
    kept = [p for p in one.pages if p.delivered][-MOST_PAGES:]
    return tuple(p if p.of else replace(p, key=f"merged:{one.number}:{p.key}", of=one.number) for p in kept)


def _promised(one: Incident, into: Incident) -> tuple[e.Event, ...]:
    """Its open action items, counted on from those that there are."""
    owed: list[ActionItem] = [a for a in one.action_items if a.done_at is None]
    first = len(into.action_items) + 1
    return tuple(e.ActionItemAdded(str(n), a.title, a.owner, a.due_at, a.kind) for n, a in enumerate(owed, start=first))


def _worse(one: Incident, into: Incident, policy: Policy) -> bool:
    names = [level.name for level in policy.runbook.severities]
    return one.severity in names and into.severity in names and names.index(one.severity) < names.index(into.severity)
