"""What an incident's timeline measures: times to detect, acknowledge, mitigate and resolve, and the promises kept.

The first acknowledge and the first resolve count, over every reopening. A number that cannot be true is marked invalid
with its reason; none is ever negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct, field

from tocsin.incident import events as e
from tocsin.incident.state import Incident
from tocsin.incident.wording import duration


class Metric(Struct, frozen=True):
    """`value` is None when an end of it has not happened or is not known, and when `invalid` says why it cannot be."""

    name: str
    value: timedelta | None = field(name="value_seconds")
    formula: str
    invalid: str | None = None


class Sla(StrEnum):
    MET = "met"
    MISSED = "missed"
    NONE = "none"


class AcknowledgeSla(Struct, frozen=True):
    """`target` counts from opening; None, as is `due_at`, when no response time was promised or it is not settled."""

    outcome: Sla
    target: timedelta | None = field(name="target_seconds")
    due_at: datetime | None = None


class UpdateCadence(Struct, frozen=True):
    """`longest_gap` lies between two neighbouring posts to the team; None with fewer than two."""

    posts: int
    reminders: int
    longest_gap: timedelta | None = field(name="longest_gap_seconds")


def metrics(incident: Incident, timeline: Sequence[e.Entry], *, now: datetime | None = None) -> tuple[Metric, ...]:
    """MTTD, MTTA, MTTM, MTTR, in that order. With `now`, an end that lies after it is invalid.

    An incident that was merged counts once, where it went on: here each is invalid, and says so.
    """
    opened = ("the opening", incident.opened_at)
    acknowledged = _at(first(timeline, e.Acknowledged))
    mitigated = _at(_held(timeline))
    resolved = _at(first(timeline, e.Resolved))
    found = (
        _metric("MTTD", "opened - impact start", ("the impact start", incident.impact_started_at), opened, now=now),
        _metric("MTTA", "first acknowledged - opened", opened, ("the acknowledge", acknowledged), now=now),
        _metric("MTTM", "mitigation that held - opened", opened, ("the mitigation", mitigated), now=now),
        _metric("MTTR", "first resolved - opened", opened, ("the resolve", resolved), now=now),
    )
    into = incident.merged_into
    if into is None:
        return found
    return tuple(Metric(m.name, None, m.formula, f"merged into #{into.number}, where it counts") for m in found)


def acknowledge_sla(incident: Incident, timeline: Sequence[e.Entry]) -> AcknowledgeSla:
    """Whether the first acknowledge came by the time the severity of that moment asked for, that time inclusive."""
    acknowledged = first(timeline, e.Acknowledged)
    if acknowledged is not None and isinstance(acknowledged.event, e.Acknowledged):
        due = acknowledged.event.due_at
        outcome = Sla.NONE if due is None else Sla.MET if acknowledged.at <= due else Sla.MISSED
    else:
        missed = first(timeline, e.AcknowledgeMissed)
        due = missed.event.due_at if missed is not None and isinstance(missed.event, e.AcknowledgeMissed) else None
        outcome = Sla.NONE if due is None else Sla.MISSED
    target = max(timedelta(0), due - incident.opened_at) if due is not None else None
    return AcknowledgeSla(outcome, target, due)


def update_cadence(timeline: Iterable[e.Entry]) -> UpdateCadence:
    """How steadily the team was told: posts, reminders that were needed, and the longest silence between two posts."""
    entries = list(timeline)
    posted = sorted(entry.at for entry in entries if isinstance(entry.event, e.Posted))
    reminders = sum(isinstance(entry.event, e.UpdateReminded) for entry in entries)
    gap = max((later - earlier for earlier, later in pairwise(posted)), default=None)
    return UpdateCadence(len(posted), reminders, gap)


def first(timeline: Iterable[e.Entry], *kinds: type[e.Event]) -> e.Entry | None:
    """The earliest entry, in the timeline's own order, that is of one of these kinds."""
    return next((entry for entry in timeline if isinstance(entry.event, kinds)), None)


def _held(timeline: Iterable[e.Entry]) -> e.Entry | None:
    """The mitigation that held until the first resolve: one that failed its verification did not.

    A resolve without any is when the impact is known to have stopped, as the fold counts it.
    """
    held: e.Entry | None = None
    for entry in timeline:
        if isinstance(entry.event, e.Resolved):
            return held or entry
        if isinstance(entry.event, e.VerificationFailed):
            held = None
        elif isinstance(entry.event, e.Mitigated):
            held = held or entry
    return held


def _at(entry: e.Entry | None) -> datetime | None:
    return entry.at if entry is not None else None


Moment = tuple[str, datetime | None]


def _metric(name: str, formula: str, start: Moment, end: Moment, *, now: datetime | None) -> Metric:
    (start_name, began), (end_name, ended) = start, end
    if began is None or ended is None:
        return Metric(name, None, formula)
    if ended < began:
        late = duration(began - ended)
        return Metric(name, None, formula, f"{start_name} is recorded {late} after {end_name}")
    if now is not None and ended > now:
        return Metric(name, None, formula, f"{end_name} is recorded {duration(ended - now)} in the future")
    return Metric(name, ended - began, formula)
