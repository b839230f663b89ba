"""Rotations laid over each other: groups in turn, on only in certain hours, the higher level before the lower.

Everything is of the clock on the wall, by the rules of `rotation`: hours that touch on the wall touch in time, so that
"09:00-21:00" and "21:00-09:00" leave no gap and no overlap through both changes of the clock. Refuses to know what time
it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from tocsin.oncall.overrides import Override, stand_in
from tocsin.oncall.rotation import RotationError, reached, turn_at, weekday

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
_SEARCHED = 100
_SPAN = re.compile(
    r"(?:(?P<first>[A-Za-z]{3,9})\s+)?(?P<begin>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)\s*[-–]\s*"
    r"(?:(?P<last>[A-Za-z]{3,9})\s+)?(?P<end>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)"
)


class Window(Struct, frozen=True):
    """Hours of every day, or with `day` (0 is Monday) of every week: from `begin` after midnight on, for `length`."""

    begin: timedelta
    length: timedelta
    day: int | None = None

    def spans(self, instant: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """(begin, end) in UTC, end exclusive, of those that may cover `instant` or be the next to begin."""
        today = instant.astimezone(zone).date()
        back, ahead = (2, 2) if self.day is None else (8, 8)  # a day more than needed: zones have skipped whole days
        for offset in range(-back, ahead + 1):
            day = today + timedelta(days=offset)
            if self.day is None or day.weekday() == self.day:
                begins = datetime.combine(day, time()) + self.begin
                yield reached(begins, zone), reached(begins + self.length, zone)


class Layer(Struct, frozen=True):
    """`groups` in turn, the first from `starts` on (wall clock of `timezone`), each for `every`.

    An empty group is nobody. With `lasts` a group is on only for so long from the begin of its turn; with `during` only
    in those hours; never before `since` (inclusive) nor from `until` on. A stand-in of `overrides` is on at any hour.
    """

    timezone: ZoneInfo
    groups: tuple[tuple[str, ...], ...]
    every: timedelta
    starts: datetime
    lasts: timedelta | None = None
    during: tuple[Window, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    level: int = 0
    overrides: tuple[Override, ...] = ()

    def at(self, instant: datetime) -> tuple[str, ...]:
        """Everybody of this layer on at `instant` (aware), in the order of the turns."""
        standing_in = stand_in(self.overrides, instant)
        if standing_in is not None:
            return standing_in
        if not self._open(instant):
            return ()
        turns = self._turns(instant)
        return tuple(dict.fromkeys(p for turn in turns for p in self.groups[turn % len(self.groups)]))

    def next_handoff(self, instant: datetime) -> datetime | None:
        """The first instant after `instant` at which somebody else may be on, in UTC; None when never."""
        bounds = [m for m in (self.since, self.until) if m is not None]
        bounds += [m for o in self.overrides for m in (o.starts_at, o.ends_at)]
        bounds += [m for window in self.during for span in window.spans(instant, self.timezone) for m in span]
        bounds += self._edges(instant)
        return min((m for m in bounds if m > instant), default=None)

    def _open(self, instant: datetime) -> bool:
        if self.since is not None and instant < self.since:
            return False
        if self.until is not None and instant >= self.until:
            return False
        return not self.during or any(
            begin <= instant < end for window in self.during for begin, end in window.spans(instant, self.timezone)
        )

    def _turns(self, instant: datetime) -> list[int]:
        """The turns that go on at `instant`, oldest first; several when one lasts longer than it takes to the next."""
        latest = turn_at(instant, self.starts, self.every, self.timezone)
        if self.lasts is None:
            return [latest] if latest >= 0 else []
        earliest = max(latest - self.lasts // self.every - 1, 0)
        return [t for t in range(earliest, latest + 1) if instant < self._ends(t)]

    def _edges(self, instant: datetime) -> list[datetime]:
        """Where turns begin and end around `instant`: every end still to come, and the next begin."""
        if self.lasts is None and len(set(self.groups)) == 1:
            return [self._begins(0)]
        latest = turn_at(instant, self.starts, self.every, self.timezone)
        edges = [self._begins(max(latest + 1, 0))]
        if self.lasts is not None:
            edges += [self._ends(t) for t in self._turns(instant)]
        return edges

    def _begins(self, turn: int) -> datetime:
        return reached(self.starts + turn * self.every, self.timezone)

    def _ends(self, turn: int) -> datetime:
        return reached(self.starts + turn * self.every + (self.lasts or self.every), self.timezone)


class Layered(Struct, frozen=True):
    """Several layers as one schedule: of those with anybody on, the highest level counts, whole.

    Layers of one level are on together, in their order.
    """

    layers: tuple[Layer, ...]

    def at(self, instant: datetime) -> tuple[str, ...]:
        """The people of the highest level that has somebody on at `instant`."""
        for level in sorted({layer.level for layer in self.layers}, reverse=True):
            on = [person for layer in self.layers if layer.level == level for person in layer.at(instant)]
            if on:
                return tuple(dict.fromkeys(on))
        return ()

    def next_handoff(self, instant: datetime) -> datetime | None:
        """The first instant after `instant` at which the people on are others, aware UTC; None when never.

        Looks over at most 100 places at which a layer changes; then it is the last of them.
        """
        now, moment = self.at(instant), instant
        for _ in range(_SEARCHED):
            following = [m for layer in self.layers if (m := layer.next_handoff(moment)) is not None]
            if not following:
                return None
            moment = min(following)
            if self.at(moment) != now:
                break
        return moment.astimezone(UTC)


def window(text: str) -> Window:
    """The hours that `09:00-17:00` (each day) or `Fri 18:00 - Mon 08:00` (each week) state.

    An end that is not after the begin is of the next day or week; the same time is all of it. Raises RotationError.
    """
    match = _SPAN.fullmatch(text.strip())
    days = [weekday(match[name]) if match and match[name] else None for name in ("first", "last")]
    if match is None or (days[0] is None) != (days[1] is None):
        raise RotationError(f'{text!r} states no hours: write "09:00-17:00", or "Fri 18:00 - Mon 08:00"')
    begin, end = _of_day(match["begin"], text), _of_day(match["end"], text)
    if begin == DAY:
        raise RotationError(f"{text!r} begins at 24:00: write 00:00 of the next day")
    whole = DAY if days[0] is None else WEEK
    if days[0] is not None and days[1] is not None:
        end += (days[1] - days[0]) * DAY
    length = (end - begin) % whole or whole
    return Window(begin, length, days[0])


def _of_day(text: str, whole: str) -> timedelta:
    hour, minute, second = (int(part) for part in (text + ":00").split(":")[:3])
    since = timedelta(hours=hour, minutes=minute, seconds=second)
    if minute > 59 or second > 59 or since > DAY:
        raise RotationError(f"{whole!r} has a time that no clock shows: {text}")
    return since


def first_turn(starts: date | datetime, handoff: time, zone: ZoneInfo) -> datetime:
    """The wall time, naive, at which turns begin; an instant with an offset is brought to the wall of `zone`."""
    if not isinstance(starts, datetime):
        return datetime.combine(starts, handoff)
    return starts.astimezone(zone).replace(tzinfo=None) if starts.tzinfo else starts
