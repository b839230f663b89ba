"""A shift of Grafana OnCall that comes again -> the layers that put the same people on at the same times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import gcd

from tocsin.migration.naming import DAY, WEEK, aware, hours, wall
from tocsin.migration.oncall_shapes import Shift
from tocsin.migration.plan import Layer
from tocsin.migration.reading import Entity

FREQUENCIES = {"hourly": timedelta(hours=1), "daily": DAY, "weekly": WEEK}
ROLLING = "rolling_users"
TOP = 1_000_000
"""The level of what stands above all others."""
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def alone(
    people: tuple[str, ...], begins: datetime, ends: datetime, zone: str, *, level: int = TOP, name: str = ""
) -> Layer:  # fmt: skip
    """A layer that is on once, from an instant to another."""
    return Layer(name, (people,), WEEK, wall(begins, zone), since=begins, until=ends, level=level, timezone=zone)


def recurring(
    entity: Entity, shift: Shift, groups: tuple[tuple[str, ...], ...], starts: datetime, zone: str, *, other: str
) -> list[Layer]:
    """The layers of a shift that comes again; `other` is its zone when it is not the schedule's."""
    length, interval = timedelta(seconds=shift.duration), shift.interval or 1
    since = aware(wall(shift.rotation_start, zone), zone) if shift.rotation_start else None
    until = aware(wall(shift.until, zone), zone) if shift.until else None
    turns = interval * FREQUENCIES[shift.frequency or "daily"]

    def layer(
        first: datetime, who: tuple[tuple[str, ...], ...], every: timedelta, lasts: timedelta | None = None,
        during: tuple[str, ...] = (), begins: datetime | None = None,
    ) -> Layer:  # fmt: skip
        bounds = [moment for moment in (since, begins) if moment is not None and moment > aware(first, zone)]
        return Layer(
            shift.name, who, every, first, lasts=lasts if lasts != every else None, during=during,
            since=max(bounds, default=None), until=until, level=shift.level or 0, timezone=other,
        )  # fmt: skip

    if not shift.by_day:
        return [layer(starts, groups, turns, length)]
    week_start = _day(entity, ".week_start", shift.week_start or "MO")
    days = sorted({_day(entity, ".by_day", d) for d in shift.by_day}, key=lambda day: (day - week_start) % 7)
    if starts.weekday() not in days and shift.type == ROLLING:  # then it begins with a week's first day
        starts += ((days[0] - starts.weekday()) % 7) * DAY
    at = starts - starts.replace(hour=0, minute=0, second=0, microsecond=0)
    week = starts - at - ((starts.weekday() - week_start) % 7) * DAY
    each_day = shift.frequency == "daily"
    fits = max((day - week_start) % 7 for day in days) * DAY + at + length <= WEEK
    same_each_week = (interval == 1 or each_day) if len(groups) == 1 else (interval == 1 and fits and not each_day)
    if same_each_week and length <= DAY:
        during = tuple(hours(at, length, day) for day in days)
        return [layer(week, groups, WEEK, during=during, begins=aware(starts, zone))]
    return [
        layer(first, who, every, length)
        for first, who, every in _day_by_day(groups, starts, days, week, interval, each_day=each_day)
    ]


def _day_by_day(
    groups: tuple[tuple[str, ...], ...], starts: datetime, days: Sequence[int], week: datetime, interval: int,
    *, each_day: bool,
) -> list[tuple[datetime, tuple[tuple[str, ...], ...], timedelta]]:  # fmt: skip
    """For each day of the week: when it first comes, whose turns its comings are, and how far apart they are."""
    found = []
    ordered = sorted(days, key=lambda day: (day - starts.weekday()) % 7)
    for place, day in enumerate(ordered):
        first = starts + ((day - starts.weekday()) % 7) * DAY
        if each_day:
            round_ = len(groups) * interval
            weeks = round_ // gcd(len(ordered), round_)
            turns = [((w * len(ordered) + place) // interval) % len(groups) for w in range(weeks)]
            found.append((first, tuple(groups[t] for t in turns), WEEK))
            continue
        passed = (first - week) // WEEK
        turn = -(-passed // interval)  # the first week of a turn at or after it
        first += (turn * interval - passed) * WEEK
        found.append((first, groups[turn % len(groups) :] + groups[: turn % len(groups)], interval * WEEK))
    return found


def _day(entity: Entity, where: str, name: str) -> int:
    """0 for Monday; days come as MO, or in the web's form with the full name."""
    short = name[:2].upper()
    if short not in _WEEKDAYS:
        raise entity.wrong(where, f"{name!r} is no day of the week")
    return _WEEKDAYS.index(short)
