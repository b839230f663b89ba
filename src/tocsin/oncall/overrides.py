"""One person standing in for another, and several schedules taken together."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tocsin.oncall.roster import Shifts, next_handoff


class Override(Struct, frozen=True):
    """`person` is on from `starts_at` (inclusive) until `ends_at` (exclusive), both aware."""

    starts_at: datetime
    ends_at: datetime
    person: str


def stand_in(overrides: tuple[Override, ...], instant: datetime) -> tuple[str, ...] | None:
    """Who stands in at `instant`; where two overlap the one written last wins, None when nobody does."""
    for override in reversed(overrides):
        if override.starts_at <= instant < override.ends_at:
            return (override.person,)
    return None


class Overridden(Struct, frozen=True):
    """A schedule with exceptions. Where two overrides overlap the one written last wins: there is one answer."""

    base: Shifts
    overrides: tuple[Override, ...]

    def at(self, instant: datetime) -> tuple[str, ...]:
        """The stand-in at `instant`, else whom the schedule names. An override counts before the start, too."""
        standing_in = stand_in(self.overrides, instant)
        return self.base.at(instant) if standing_in is None else standing_in

    def next_handoff(self, instant: datetime) -> datetime | None:
        """The first instant after `instant` at which somebody else may be on; None when never."""
        moments = [m for o in self.overrides for m in (o.starts_at, o.ends_at)] + [next_handoff(self.base, instant)]
        return min((m for m in moments if m is not None and m > instant), default=None)


class Together(Struct, frozen=True):
    """Several schedules as one: everybody whom any of them names, in order, each once."""

    parts: tuple[Shifts, ...]

    def at(self, instant: datetime) -> tuple[str, ...]:
        return tuple(dict.fromkeys(person for part in self.parts for person in part.at(instant)))

    def next_handoff(self, instant: datetime) -> datetime | None:
        moments = (next_handoff(part, instant) for part in self.parts)
        return min((m for m in moments if m is not None), default=None)
