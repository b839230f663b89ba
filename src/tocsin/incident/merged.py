"""What merging and splitting make of an incident, as changes for the fold. Decides nothing: `incident.merging` does."""

from __future__ import annotations

from typing import Any

from tocsin.incident import events as e
from tocsin.incident.state import Incident, Other

Changes = dict[str, Any]


def merged(event: e.Merged, i: Incident, entry: e.Entry) -> Changes:
    """Over here: nothing is owed any more, and its alerts count where they are now."""
    return {
        "merged_into": Other(event.number, event.incident, event.title),
        "closed_at": entry.at,
        "alerts_total": 0,
        "alerts_firing": 0,
        "quiet_since": None,
        "proposed_at": None,
        "verification": None,
        "resolve_requested_by": None,
    }


def absorbed(event: e.Absorbed, i: Incident, *, most_groups: int, most_reporters: int) -> Changes:
    """With the other's alerts, reports and pages; the ladder's clock is that of whichever began first.

    An incident that was reopened keeps its own clock: pages from before the reopening must stay of the past.
    """
    firing = i.alerts_firing + event.alerts_firing
    about = (s for s in event.services if s and s != i.service)
    return {
        "absorbed": (*i.absorbed, Other(event.number, event.incident, event.title)),
        "alerts_total": i.alerts_total + event.alerts_total,
        "alerts_firing": firing,
        "quiet_since": None if firing else max(filter(None, (i.quiet_since, event.quiet_since)), default=None),
        "proposed_at": None if firing else i.proposed_at,
        "impact_started_at": min(filter(None, (i.impact_started_at, event.impact_started_at)), default=None),
        "services": tuple(dict.fromkeys((*i.services, *about))),
        "groups": tuple(dict.fromkeys((*i.groups, *event.groups)))[:most_groups],
        "reporters": _reporters(i.reporters, event.reporters)[:most_reporters],
        "reported_at": max(filter(None, (i.reported_at, event.reported_at)), default=None),
        "clock_started_at": i.clock_started_at if i.generation else min(i.clock_started_at, event.clock_started_at),
        "passed": tuple(dict.fromkeys((*i.passed, *event.reached))),
        "pages": (*i.pages, *event.pages),
    }


def split_off(event: e.SplitOff, i: Incident, entry: e.Entry) -> Changes:
    """Without those alerts; when none of the others fires, it is quiet from now on."""
    firing = max(0, i.alerts_firing - event.alerts_firing)
    left = max(0, i.alerts_total - event.alerts_total)
    quiet = (i.quiet_since or entry.at) if left and not firing else None
    return {
        "split_off": (*i.split_off, Other(event.number, event.incident, event.title)),
        "alerts_total": left,
        "alerts_firing": firing,
        "quiet_since": quiet,
        "proposed_at": i.proposed_at if quiet else None,
    }


def split_from(event: e.SplitFrom, i: Incident, entry: e.Entry) -> Changes:
    return {
        "split_from": Other(event.number, event.incident, event.title),
        "alerts_total": event.alerts_total,
        "alerts_firing": event.alerts_firing,
        "quiet_since": None if event.alerts_firing else entry.at,
        "impact_started_at": event.impact_started_at,
    }


def _reporters(own: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """A person who reported both counts once; somebody unnamed each time."""
    return (*own, *(r for r in others if not r or r not in own))
