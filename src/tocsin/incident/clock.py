"""What the passing of time brings about: the deadlines that are due, as events. Pure: the context has the instant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from tocsin.incident import events as e
from tocsin.incident import quiet
from tocsin.incident.deadlines import Deadline, Kind, deadlines, first_role, open_rungs, rung_key
from tocsin.incident.paging import inform_rung, page_rung
from tocsin.incident.policy import Context
from tocsin.incident.state import Incident, Status
from tocsin.incident.steps import publish, resolved, unconvincing, verification, what_is_missing
from tocsin.incident.wording import duration


class Look(Struct, frozen=True):
    """`events` is what the first deadline due brings about; `next_at` is when the soonest of all is due, None for none.

    Without events, nothing is left to do until `next_at`.
    """

    events: tuple[e.Event, ...]
    next_at: datetime | None


def look(incident: Incident, ctx: Context) -> Look:
    """What is due at `ctx.at`. Apply its events and look again: one may undo another."""
    owed = deadlines(incident, ctx.policy)
    next_at = owed[0].due_at if owed else None
    for deadline in owed:
        if deadline.due_at > ctx.at:
            break
        found = _FIRE[deadline.kind](incident, ctx, deadline)
        if found:
            return Look(found, next_at)
    return Look((), next_at)


def due(incident: Incident, ctx: Context) -> tuple[e.Event, ...]:
    """The events of the first deadline due at `ctx.at`, if any."""
    return look(incident, ctx).events


def _acknowledge(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    return (e.AcknowledgeMissed(deadline.due_at),)


def _rung(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    rung = next(r for r in open_rungs(incident, ctx.policy) if rung_key(incident, r) == deadline.key)
    if deadline.kind is Kind.INFORM:
        return inform_rung(incident, ctx, rung)
    why = "not acknowledged" if incident.status is Status.OPEN else "not mitigated"
    return page_rung(incident, ctx, rung, cause=f"{why}, {incident.severity} rung of the escalation matrix")


def _contact(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    page, _, rule = deadline.key.rpartition("|")
    return (e.ContactTried(page.rpartition("|")[0], deadline.who, rule.partition(":")[2]),)


def _update(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    named = ctx.policy.roster.named(incident.commander) if incident.commander else None
    holders = (named,) if named else ctx.policy.roster.holders(first_role(incident, ctx.policy), ctx.at)
    return (e.UpdateReminded(deadline.due_at, tuple(p.id for p in holders)),)


def _approval(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    return (e.ApprovalExpired(deadline.key.removeprefix("approval:")),)


def _verify(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    if deadline.key == "resolve":
        return resolved(incident, ctx, reason="", open_items=())
    doubts = unconvincing(incident)
    if not doubts:
        return (e.VerificationPassed(),)
    back = publish(incident, ctx, Status.MITIGATING) if incident.status is Status.MONITORING else ()
    return (e.VerificationFailed("; ".join(doubts)), *back)


def _quiet(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    """Every alert has been silent for long: resolved where nobody is needed for it, else proposed to people.

    What was never watched (an alert that flapped) is watched first.
    """
    since = incident.quiet_since or deadline.due_at
    cause = f"every alert stopped firing, {duration(ctx.at - since)} ago"
    if not quiet.by_itself(incident, ctx.policy):
        return (e.ResolveProposed(since, what_is_missing(incident, ctx)),)
    if quiet.watch(incident) is None:
        return verification(incident, ctx, cause=cause, owned=incident.status is not Status.OPEN)
    return resolved(incident, ctx, reason=cause, open_items=())


def _remind(incident: Incident, ctx: Context, deadline: Deadline) -> tuple[e.Event, ...]:
    """One reminder, however many were missed while nothing ran."""
    rules = ctx.policy.rules
    key, _, given = deadline.key.rpartition("@")
    missed = (ctx.at - deadline.due_at) // rules.repeat_reminder if rules.repeat_reminder else 0
    reached = min(int(given) + missed, rules.reminders - 1)
    return (e.TaskReminded(f"{key}@{reached}", deadline.what, deadline.who, deadline.owed_at or deadline.due_at),)


_FIRE: Mapping[Kind, Callable[[Incident, Context, Deadline], tuple[e.Event, ...]]] = {
    Kind.ACKNOWLEDGE: _acknowledge,
    Kind.PAGE: _rung,
    Kind.INFORM: _rung,
    Kind.CONTACT: _contact,
    Kind.UPDATE: _update,
    Kind.APPROVAL: _approval,
    Kind.VERIFY: _verify,
    Kind.QUIET: _quiet,
    Kind.TASK: _remind,
    Kind.ACTION_ITEM: _remind,
}
