"""What changed in production: the pod templates of a workload compared, and when the newest came. Refuses to blame it.

A restart (`kubectl.kubernetes.io/restartedAt`) is not a change. Revisions are ordered by their number, not by their
age: a rollback takes an old ReplicaSet up again.
"""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct

from tocsin.diagnosis import scope
from tocsin.diagnosis.facts import Container, Facts, Pod, Revision, Template, Workload

_MOVING = frozenset(
    ("latest", "main", "master", "develop", "dev", "edge", "nightly", "stable", "current", "prod", "production")
)
"""Names of tags that are put on one image after another."""


class Change(Struct, frozen=True):
    """The two newest revisions of a workload, `before` None for its first. `at` is when the newest began to replace the
    other. `differences` are in words, empty after a mere restart."""

    workload: Workload
    now: Revision
    before: Revision | None
    at: datetime
    differences: tuple[str, ...]
    less_memory: bool = False

    @property
    def real(self) -> bool:
        return bool(self.differences)

    @property
    def said(self) -> str:
        nothing = "restarted, nothing else changed" if self.before else "the first revision"
        what = "; ".join(self.differences) or nothing
        return f"{self.workload.named}: revision {self.now.number} at {scope.clock(self.at)} ({what})"


def latest(facts: Facts) -> tuple[Change, ...]:
    """The newest change of each workload that has a revision."""
    found = (newest(facts, w) for w in facts.workloads.items)
    return tuple(change for change in found if change is not None)


def newest(facts: Facts, workload: Workload) -> Change | None:
    mine = [r for r in facts.revisions.items if _is_of(r, workload)]
    ordered = sorted(mine, key=lambda r: r.number)
    if not ordered:
        return None
    now = ordered[-1]
    before = ordered[-2] if len(ordered) > 1 else None
    said = differences(before.template, now.template) if before else _first(facts, now)
    less = before is not None and _less_memory(before.template, now.template)
    return Change(workload, now, before, came(facts, now, before), said, less)


def _first(facts: Facts, now: Revision) -> tuple[str, ...]:
    """What is new stays under suspicion until it was ready once, before anything was reported."""
    mine = [p for p in facts.pods.items if p.revision == now.name]
    well = any(p.ready_since is not None and p.ready_since <= facts.reported_at for p in mine)
    return () if well or not mine else ("the first revision",)


def came(facts: Facts, now: Revision, before: Revision | None) -> datetime:
    """When the revision began to run: as it was made, or, taken up again, as the first of its pods was made."""
    if before is None or now.created_at >= before.created_at:
        return now.created_at
    made = [p.created_at for p in facts.pods.items if p.revision == now.name and p.created_at]
    scaled = [
        event.last_at
        for event in facts.events.items
        if event.reason == "ScalingReplicaSet" and f"up replica set {now.name} " in event.message and event.last_at
    ]
    return min(made) if made else max(scaled) if scaled else facts.at


def differences(before: Template, now: Template) -> tuple[str, ...]:
    """What a template asks for that the one before did not, in words; values of variables are never shown."""
    said: list[str] = []
    old = {c.name: c for c in before.containers}
    new = {c.name: c for c in now.containers}
    said += [f"container {name} is new" for name in new if name not in old]
    said += [f"container {name} is gone" for name in old if name not in new]
    for name in new:
        if name in old:
            said += _differences(old[name], new[name])
    if before.rest != now.rest:
        said.append("the rest of the template")
    return tuple(said)


def _differences(old: Container, new: Container) -> list[str]:
    said = [f"image {old.image} -> {new.image}"] if old.image != new.image else []
    said += [
        f"{words} {_amount(was)} -> {_amount(is_now)}"
        for words, was, is_now in (
            ("memory limit", old.memory_limit, new.memory_limit),
            ("memory request", old.memory_request, new.memory_request),
            ("CPU limit", old.cpu_limit, new.cpu_limit),
            ("CPU request", old.cpu_request, new.cpu_request),
        )
        if was != is_now
    ]
    names = sorted(n for n in {*old.environment, *new.environment} if old.environment.get(n) != new.environment.get(n))
    said += [f"variable {name}" for name in names]
    return [*said, *([f"settings of container {new.name}"] if old.rest != new.rest else [])]


def _less_memory(before: Template, now: Template) -> bool:
    old = {c.name: c.memory_limit for c in before.containers}
    return any(
        c.memory_limit is not None and (limit := old[c.name]) is not None and c.memory_limit < limit
        for c in now.containers
        if c.name in old
    ) or any(c.memory_limit is not None and old[c.name] is None for c in now.containers if c.name in old)


def mutable(image: str) -> bool:
    """Whether the image's tag may be put on another image: `latest`, none at all, or a name like a branch's."""
    if "@sha256:" in image:
        return False
    _, found, tag = image.rpartition("/")[2].partition(":")
    return not found or tag.casefold() in _MOVING or bool(re.search(r"(?:^|[-.])(?:latest|snapshot)$", tag, re.I))


def moved_tags(listed: tuple[Pod, ...]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Images whose one tag runs as several digests: image -> digest -> pods."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for pod in listed:
        for c in pod.containers:
            if c.image_id:
                digests = found.setdefault(c.image, {})
                digests[c.image_id] = (*digests.get(c.image_id, ()), pod.name)
    return {image: digests for image, digests in found.items() if len(digests) > 1}


def _is_of(revision: Revision, workload: Workload) -> bool:
    same = revision.workload == workload.name and revision.kind == workload.kind
    return same and revision.namespace == workload.namespace


def _amount(value: float | None) -> str:
    if value is None:
        return "none"
    if value < 1024:
        return f"{value:g}"
    for unit, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
