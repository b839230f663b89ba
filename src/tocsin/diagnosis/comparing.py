"""The pods of a new revision compared with those of the one before, by what they answered, on one clock."""

from __future__ import annotations

from msgspec import Struct

from tocsin.diagnosis import curves, scope
from tocsin.diagnosis.changes import Change
from tocsin.diagnosis.curves import ENOUGH, Curve
from tocsin.diagnosis.facts import Facts, Series
from tocsin.diagnosis.verdict import LIMITS, Limits

AT_ONCE_SECONDS = 30.0
"""A revision that fails for its own reasons does so within this time of its first answer, or by its second point."""


class Compared(Struct, frozen=True):
    """What the series say. Each is false when they do not say it.

    `only_new_fail`: at the same instants, the new fail and the old do not. `both_fail`: at the same instants.
    `old_failed_before`: the old did before the new were there. `old_fine`: it never did. `new_fail_from_start` and
    `new_fine` are of the new alone. `known`: both were there to be compared.
    """

    only_new_fail: bool = False
    both_fail: bool = False
    old_failed_before: bool = False
    old_fine: bool = False
    new_fail_from_start: bool = False
    new_fine: bool = False
    known: bool = False
    said: tuple[str, ...] = ()


def compared(facts: Facts, change: Change, limits: Limits = LIMITS) -> Compared:
    """What failures by pod say of the change; nothing when the series are not known by pod."""
    if facts.series.trouble or facts.series.absent:
        return Compared()
    new = curves.share(_of(facts, change.workload.name, change.now.name, new=True))
    old = curves.share(_of(facts, change.workload.name, change.now.name, new=False))
    return side_by_side(new, old, limits)


def side_by_side(new: Curve, old: Curve, limits: Limits = LIMITS) -> Compared:
    """The shares of failures of what is new and of what was before; nothing from too few points."""
    if len(new) < ENOUGH:
        return Compared()
    start = new[0][0]
    before = tuple(point for point in old if point[0] < start)
    failing = (curves.lately(new) or 0.0) >= limits.error_share
    side = {at: value for at, value in old if at >= start}
    both = [(value, side[at]) for at, value in new if at in side]
    high = [(n, o) for n, o in both if n >= limits.error_share]
    began = curves.began(new, lambda value: value >= limits.error_share)
    calm = limits.error_share / 5
    return Compared(
        only_new_fail=failing and len(high) >= ENOUGH and all(o < calm for _, o in both),
        both_fail=len(high) >= ENOUGH and sum(o >= limits.error_share / 2 for _, o in high) >= len(high) * 0.8,
        old_failed_before=_failed(before[-ENOUGH * 4 :], limits.error_share),
        old_fine=len(old) >= ENOUGH and all(value < calm for _, value in old),
        new_fail_from_start=failing and began is not None and began <= max(start + AT_ONCE_SECONDS, new[1][0]),
        new_fine=all(value < calm for _, value in new),
        known=len(old) >= ENOUGH,
        said=_said(new, old),
    )


def _failed(curve: Curve, limit: float) -> bool:
    """Whether it failed at least three times, and at most of the instants just before."""
    return sum(value >= limit for _, value in curve) >= ENOUGH and all(v >= limit for _, v in curve[-ENOUGH:])


def _of(facts: Facts, workload: str, revision: str, *, new: bool) -> list[Series]:
    """The series of the workload's pods that are of that revision, or of any other."""
    found = []
    for one in facts.series.items:
        made = scope.revision_of(facts, one.pod) if one.pod else None
        if made is not None and made.workload == workload and (made.name == revision) == new:
            found.append(one)
    return found


def _said(new: Curve, old: Curve) -> tuple[str, ...]:
    lines = [f"new revision: {(curves.lately(new) or 0.0):.0%} of its requests fail"]
    if old:
        lines.append(f"revision before: {(curves.lately(old) or 0.0):.1%} of its requests failed")
    return tuple(lines)
