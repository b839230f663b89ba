"""What is owed next, as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tocsin.incident.deadlines import Deadline, Kind, deadlines
from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident
from tocsin.oncall.roster import Person

KINDS = {
    Kind.ACKNOWLEDGE: "Acknowledge",
    Kind.PAGE: "Pages",
    Kind.INFORM: "Informs",
    Kind.CONTACT: "Tries again",
    Kind.UPDATE: "Update to the team",
    Kind.APPROVAL: "Approval expires",
    Kind.VERIFY: "Monitoring",
    Kind.QUIET: "All signals ended",
    Kind.TASK: "After the incident",
    Kind.ACTION_ITEM: "Action item",
}


@dataclass(frozen=True)
class Owed:
    """A deadline as people read it; `people` are those it concerns at that time, with their ways."""

    deadline: Deadline
    label: str
    what: str
    people: tuple[Person, ...]
    late: bool


def owed_next(incident: Incident, policy: Policy, now: datetime) -> tuple[Owed, ...]:
    """Every deadline, soonest first."""
    return tuple(_owed(d, policy, now) for d in deadlines(incident, policy))


def _owed(d: Deadline, policy: Policy, now: datetime) -> Owed:
    named = policy.roster.named(d.who)
    people = (named,) if named else policy.roster.holders(d.who, max(d.due_at, now))
    late = (d.owed_at or d.due_at) <= now
    return Owed(d, KINDS[d.kind], _what(d), people if d.who else (), late)


def _what(d: Deadline) -> str:
    """The deadline's own words where its label does not say it all."""
    if d.kind in (Kind.ACKNOWLEDGE, Kind.UPDATE):
        return ""
    if d.kind in (Kind.PAGE, Kind.INFORM):
        return d.who
    return d.what.removeprefix("approval of ").removesuffix(" expires") if d.kind is Kind.APPROVAL else d.what
