"""Series put together and compared. Times are seconds since the epoch, as Prometheus gives them: one clock for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import median
from typing import TypeAlias

from tocsin.diagnosis.facts import Series, Signal

Curve: TypeAlias = tuple[tuple[float, float], ...]
ENOUGH = 3
"""Points that must agree before anything is said."""
QUIET_SECONDS = 300.0
"""A symptom that was away for longer than this began anew."""


def total(series: Iterable[Series], signal: Signal) -> Curve:
    """The sum at each instant of every series of that signal."""
    sums: dict[float, float] = defaultdict(float)
    for one in series:
        if one.signal is signal:
            for at, value in one.points:
                sums[at] += value
    return tuple(sorted(sums.items()))


def highest(series: Iterable[Series], signal: Signal) -> Curve:
    """The greatest at each instant, for what does not add up."""
    most: dict[float, float] = {}
    for one in series:
        if one.signal is signal:
            for at, value in one.points:
                most[at] = max(value, most.get(at, value))
    return tuple(sorted(most.items()))


def share(series: Iterable[Series]) -> Curve:
    """Failed requests among all, at each instant at which there were any."""
    listed = tuple(series)
    failed = dict(total(listed, Signal.ERRORS))
    if not any(one.signal is Signal.ERRORS for one in listed):
        return ()
    asked = total(listed, Signal.REQUESTS)
    return tuple((at, min(failed.get(at, 0.0) / value, 1.0)) for at, value in asked if value > 0)


def lately(curve: Curve) -> float | None:
    """The middle of the last three values; None with fewer."""
    return median(value for _, value in curve[-ENOUGH:]) if len(curve) >= ENOUGH else None


def usual(curve: Curve, *, before: float) -> float | None:
    """The middle of what it was in the first half of what is known from before that instant; None when too little."""
    early = [value for at, value in curve if at < before]
    early = early[: max(len(early) // 2, ENOUGH)]
    return median(early) if len(early) >= ENOUGH else None


def began(curve: Curve, above: Callable[[float], bool]) -> float | None:
    """The first instant of the spell that lasts to the end, or came back within `QUIET_SECONDS`; None without one."""
    high = [at for at, value in curve if above(value)]
    if not high or curve[-1][0] - high[-1] > QUIET_SECONDS:
        return None
    start = high[-1]
    for at in reversed(high):
        if start - at > QUIET_SECONDS:
            break
        start = at
    return start


def spells(curve: Curve, above: Callable[[float], bool]) -> int:
    """How often it went from below to above."""
    marks = [above(value) for _, value in curve]
    return sum(1 for was, now in zip([False, *marks], marks, strict=False) if now and not was)


def between(curve: Curve, start: float, end: float) -> Curve:
    """The points from `start` to `end`, both included."""
    return tuple((at, value) for at, value in curve if start <= at <= end)
