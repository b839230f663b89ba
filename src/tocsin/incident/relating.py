"""Which open incidents may be one trouble, and why, in words. Refuses to join anything: it suggests, a person decides.

Reasons are weighed and added up. What began at quite another time is never suggested, nor is what has nothing but its
time in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from tocsin.incident.likeness import alike
from tocsin.incident.state import Incident
from tocsin.incident.wording import duration, listed

WINDOW = timedelta(hours=1)
"""What began further apart is another trouble."""
AT_ONCE, SOON = timedelta(minutes=2), timedelta(minutes=15)
ENOUGH = 4
MOST = 5
_NEAR = ("node", "instance", "host", "hostname", "pod", "device", "database", "datname")
_AROUND = ("namespace", "workload", "deployment", "statefulset", "job", "team", "component", "app")
_FAR = ("cluster", "region", "zone", "availability_zone", "datacenter")
_DEPLOY = ("version", "release", "revision", "commit", "sha", "image", "image_tag", "deploy", "rollout")
_WEIGHED: tuple[tuple[int, tuple[str, ...]], ...] = ((3, _NEAR), (2, _AROUND), (1, _FAR))


class Reason(Struct, frozen=True):
    weight: int
    said: str


class Related(Struct, frozen=True):
    """`incident` may be one trouble with another: `reasons` in words, the weightiest first."""

    incident: Incident
    score: int
    reasons: tuple[str, ...]

    @property
    def why(self) -> str:
        """`same namespace shop, began 40 s apart`."""
        return ", ".join(self.reasons)


def related(
    incident: Incident, others: Iterable[Incident], *, depends_on: Mapping[str, tuple[str, ...]]
) -> tuple[Related, ...]:
    """The likeliest of the others first, at most `MOST`. `depends_on` is by service what it needs."""
    found = (_weighed(incident, other, depends_on) for other in others)
    likely = sorted(filter(None, found), key=lambda r: (-r.score, r.incident.number))
    return tuple(likely[:MOST])


def began(incident: Incident) -> datetime:
    """When its trouble began, as far as is known; no later than it was opened."""
    return min(filter(None, (incident.impact_started_at, incident.opened_at)))


def apart(one: Incident, other: Incident) -> timedelta:
    return abs(began(one) - began(other))


def _weighed(one: Incident, other: Incident, depends_on: Mapping[str, tuple[str, ...]]) -> Related | None:
    if _kept_apart(one, other) or apart(one, other) > WINDOW:
        return None
    why = sorted(_in_common(one, other, depends_on), key=lambda r: -r.weight)
    gap = apart(one, other)
    near = 2 if gap <= AT_ONCE else 1 if gap <= SOON else 0
    score = sum(r.weight for r in why) + near
    if not why or score < ENOUGH:
        return None
    return Related(other, score, (*(r.said for r in why), f"began {duration(gap)} apart" if gap else "began together"))


def _kept_apart(one: Incident, other: Incident) -> bool:
    """The same, over, split from one another, or said by a person to have nothing in common."""
    split = {o.id for i in (one, other) for o in (*i.split_off, i.split_from) if o is not None}
    said = other.id in one.unrelated or one.id in other.unrelated
    return (
        one.id == other.id
        or one.drill != other.drill
        or other.status.over
        or said
        or not split.isdisjoint({one.id, other.id})
    )


def _in_common(one: Incident, other: Incident, depends_on: Mapping[str, tuple[str, ...]]) -> Iterator[Reason]:
    mine, theirs = _services(one), _services(other)
    both = [s for s in mine if s in theirs]
    if both:
        yield Reason(4, f"the same service {listed(both)}")
    else:
        yield from _needs(mine, theirs, depends_on)
        yield from _needs(theirs, mine, depends_on)
    yield from _labels(one.labels, other.labels)
    if alike(one.title, other.title):
        yield Reason(1, "told in like words")


def _services(incident: Incident) -> tuple[str, ...]:
    return tuple(filter(None, (incident.service, *incident.services)))


def _needs(ones: Iterable[str], others: Iterable[str], depends_on: Mapping[str, tuple[str, ...]]) -> Iterator[Reason]:
    found = [(one, other) for one in ones for other in others if other in depends_on.get(one, ())]
    if found:
        yield Reason(3, f"{found[0][0]} depends on {found[0][1]}")


def _labels(mine: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Reason]:
    """Of each kind of label the first in common counts: a namespace says what its team says too."""
    name = mine.get("alertname", "")
    if name and name == theirs.get("alertname"):
        yield Reason(2, f"the same alert {name}")
    for weight, names in (*_WEIGHED, (2, _DEPLOY)):
        same = [n for n in names if mine.get(n) and mine[n] == theirs.get(n)]
        if same:
            yield Reason(weight, f"same {same[0].replace('_', ' ')} {mine[same[0]]}")
