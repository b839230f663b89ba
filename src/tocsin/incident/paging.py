"""Whom a rung reaches: pages, information, and the fall-through when nobody holds a role."""

from __future__ import annotations

from datetime import timedelta

from tocsin.incident import events as e
from tocsin.incident.deadlines import first_role, open_rungs, opened_key, rung_key
from tocsin.incident.policy import Context
from tocsin.incident.state import Incident, Status
from tocsin.oncall.roster import Person
from tocsin.runbook.model import Rung

NOBODY = "nobody holds this role now"


def page_first(incident: Incident, ctx: Context) -> tuple[e.Event, ...]:
    """The page owed when an incident opens: the flow's first role, or the next rung at once when nobody holds it."""
    role = first_role(incident, ctx.policy)
    found = _page(incident, ctx, role, key=opened_key(incident), cause="the incident opened")
    if found:
        return found
    passed = e.RungPassed(opened_key(incident), role, NOBODY)
    cause = f"the incident opened; nobody is {role}"
    return (passed, *_next_held(open_rungs(incident, ctx.policy), incident, ctx, cause=cause))


def page_rung(incident: Incident, ctx: Context, rung: Rung, *, cause: str) -> tuple[e.Event, ...]:
    """The page of one rung; when nobody holds its role it is passed over and the next rung is paged at once."""
    found = _page(incident, ctx, rung.to, key=rung_key(incident, rung), cause=cause)
    if found:
        return found
    passed = e.RungPassed(rung_key(incident, rung), rung.to, NOBODY)
    ladder = open_rungs(incident, ctx.policy)
    later = ladder[ladder.index(rung) + 1 :] if rung in ladder else ()
    return (passed, *_next_held(later, incident, ctx, cause=f"{cause}; nobody is {rung.to}"))


def inform_rung(incident: Incident, ctx: Context, rung: Rung) -> tuple[e.Event, ...]:
    """The same rung after an acknowledge: its holders are told. Nobody to tell is said, and nothing more."""
    key = rung_key(incident, rung)
    people = ctx.policy.roster.holders(rung.to, ctx.at)
    told = tuple(e.Informed(key, rung.to, p.id) for p in people)
    return told or (e.RungPassed(key, rung.to, NOBODY),)


def page_again(incident: Incident, ctx: Context, role: str, *, cause: str) -> tuple[e.Event, ...]:
    """A page asked for by a person outside the ladder; empty when nobody holds the role."""
    count = sum(p.key.startswith("escalated:") for p in incident.pages)
    return _page(incident, ctx, role, key=f"escalated:{count + 1}", cause=cause)


def _next_held(rungs: tuple[Rung, ...], incident: Incident, ctx: Context, *, cause: str) -> tuple[e.Event, ...]:
    passed: list[e.Event] = []
    for rung in rungs:
        found = _page(incident, ctx, rung.to, key=rung_key(incident, rung), cause=cause)
        if found:
            return (*passed, *found)
        passed.append(e.RungPassed(rung_key(incident, rung), rung.to, NOBODY))
    return tuple(passed)


def _page(incident: Incident, ctx: Context, role: str, *, key: str, cause: str) -> tuple[e.Event, ...]:
    people = ctx.policy.roster.holders(role, ctx.at)
    # once somebody has acknowledged, no later contact of the person's rules follows: use all of them now
    ways = first_ways if incident.status is Status.OPEN else every_way
    return tuple(e.Paged(key, role, p.id, cause, ways(p)) for p in people)


def first_ways(person: Person) -> tuple[str, ...]:
    """The channels to use at once by the person's own rules; empty means every one there is."""
    return tuple(r.via for r in person.notify if r.after == timedelta(0))


def every_way(person: Person) -> tuple[str, ...]:
    """Every channel the person's own rules name, each once; empty means every one there is."""
    return tuple(dict.fromkeys(r.via for r in person.notify))
