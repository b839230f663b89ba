"""People taking turns by the clock on the wall of one time zone.

A handoff happens at the first instant at which that clock shows the handoff time or later. So 09:00 stays 09:00 in
winter; a time that the clock skips in spring is the instant of the skip; a time that it shows twice in autumn is the
first of the two. Handoffs never run backwards, so that after the start there is always exactly one person: no gap, no
overlap. Refuses to know what time it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from msgspec import Struct

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HANDOFF = re.compile(r"(?:(?P<day>[A-Za-z]{3,9})\s+)?(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})")
_LENGTH = re.compile(r"(?:([0-9]{1,4})w)?(?:([0-9]{1,4})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?")
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=3660)


class RotationError(ValueError):
    """A rotation that cannot be; the text says why and what to write instead."""


class Rotation(Struct, frozen=True):
    """`people` in turn, the first from `starts` on (wall clock of `timezone`), each for `every`.

    Before `starts` nobody is on: the first person's turn has not begun.
    """

    timezone: ZoneInfo
    people: tuple[str, ...]
    every: timedelta
    starts: datetime

    def at(self, instant: datetime) -> tuple[str, ...]:
        """The one person on call at `instant` (aware); empty before the start."""
        turn = turn_at(instant, self.starts, self.every, self.timezone)
        return (self.people[turn % len(self.people)],) if turn >= 0 else ()

    def next_handoff(self, instant: datetime) -> datetime:
        """The first handoff after `instant`, in UTC; before the start it is the start."""
        turn = turn_at(instant, self.starts, self.every, self.timezone)
        return reached(self.starts + max(turn + 1, 0) * self.every, self.timezone)


def turn_at(instant: datetime, starts: datetime, every: timedelta, zone: tzinfo) -> int:
    """How many handoffs there were up to `instant`, itself included, less one; -1 or below before the start.

    `starts` is the naive wall time of the first; one follows `every` so long by the clock of `zone`.
    """
    wall = instant.astimezone(zone).replace(tzinfo=None)
    turn = (wall - starts) // every
    while reached(starts + (turn + 1) * every, zone) <= instant:  # the clock was turned back since
        turn += 1
    while reached(starts + turn * every, zone) > instant:
        turn -= 1
    return turn


def rotation(
    people: Sequence[str], *, timezone: str, every: str = "weekly", handoff: str | None = None, starts: date
) -> Rotation:
    """The rotation in the settings' words: `every` is daily, weekly, `12h` or `2w`; `handoff` "Mon 09:00" or "09:00".

    Without `handoff` it is 09:00, on the weekday of `starts`. Raises RotationError.
    """
    if not people:
        raise RotationError('needs at least one person: people = ["ana", "ben"]')
    if not 1970 <= starts.year <= 2200:
        raise RotationError(f"starts = {starts} is no day on which a rotation begins: write one of these years")
    day, at = _handoff(handoff) if handoff is not None else (None, time(9))
    length = turn_length(every)
    if day is not None and length % timedelta(weeks=1):
        raise RotationError(
            f'handoff names a weekday, which only rotation = "weekly" has: write handoff = "{at:%H:%M}"'
        )
    if day is not None and starts.weekday() != day:
        first = starts + timedelta(days=(day - starts.weekday()) % 7)
        raise RotationError(
            f"starts = {starts} is a {_DAYS[starts.weekday()].title()} but handoff is on {_DAYS[day].title()}: "
            f"write starts = {first}"
        )
    return Rotation(ZoneInfo(timezone), tuple(people), length, datetime.combine(starts, at))


def reached(wall: datetime, zone: tzinfo) -> datetime:
    """The first instant, in UTC, at which the clock of `zone` shows `wall` (naive) or later.

    Unlike RFC 5545 3.3.5, which moves a skipped time past the gap by the gap's length, this never puts a later wall
    time before an earlier one, however long the gap (Pacific/Apia skipped a whole day in 2011).
    """
    early, late = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if _shown(early, zone) >= wall:
        return early
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        early, late = (early, middle) if _shown(middle, zone) >= wall else (middle, late)
    return late


def _shown(instant: datetime, zone: tzinfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def turn_length(text: str) -> timedelta:
    """How long a turn of `daily`, `weekly`, `12h`, `3d` or `2w` lasts on the wall. Raises RotationError."""
    match = _LENGTH.fullmatch({"daily": "1d", "weekly": "1w"}.get(text, text))
    given = zip(_UNITS, match.groups(), strict=True) if match else ()
    length = timedelta(**{unit: int(number) for unit, number in given if number})
    if not SHORTEST <= length <= LONGEST:
        raise RotationError('rotation must be "daily", "weekly" or a length like "12h", "3d" or "2w"')
    return length


def _handoff(text: str) -> tuple[int | None, time]:
    match = _HANDOFF.fullmatch(text.strip())
    day = match["day"].casefold() if match and match["day"] else None
    names = [n for n in _DAYS if day is not None and _FULL[n].startswith(day)]
    if match is None or int(match["hour"]) > 23 or int(match["minute"]) > 59 or (day is not None and not names):
        raise RotationError('handoff must be a local time, "Mon 09:00" or "09:00"')
    return (_DAYS.index(names[0]) if names else None), time(int(match["hour"]), int(match["minute"]))


def weekday(name: str) -> int:
    """0 for `Mon` or `monday` to 6 for Sunday. Raises RotationError for what is no day."""
    found = [place for place, short in enumerate(_DAYS) if len(name) >= 3 and _FULL[short].startswith(name.casefold())]
    if not found:
        raise RotationError(f"{name!r} is no day of the week: write Mon, Tue, Wed, Thu, Fri, Sat or Sun")
    return found[0]


_FULL = dict(zip(_DAYS, ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), strict=True))
