"""Other things that could explain an impact, as far as they are seen, and what nobody looked at. Blames none."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from tocsin.diagnosis import scope
from tocsin.diagnosis.facts import Dependency, Facts, Node, Workload, troubles
from tocsin.diagnosis.symptoms import HEADROOM, broken, database_troubles, surge
from tocsin.diagnosis.verdict import LIMITS, Limits

SLOW_TIMES = 3.0
SLOW_SECONDS = 0.2
LOOKED_AT = ("series", "pods", "nodes", "workloads", "jobs", "logs", "databases", "dependencies")
"""Sources without which another cause may hide."""
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


class Causes(Struct, frozen=True):
    """`found` are other explanations that are seen, `unseen` what could hide one."""

    found: tuple[str, ...]
    unseen: tuple[str, ...]


def others(facts: Facts, limits: Limits = LIMITS, *, besides: str = "") -> Causes:
    """What could explain the impact besides a change of the workload called `besides`."""
    found = (
        *dependencies(facts),
        *(line for one in facts.databases.items for line in database_troubles(one, limits)),
        *(f"{c.name} is loading its data" for c in facts.caches.items if c.loading),
        *(f"{c.name} refused {c.rejected} connections" for c in facts.caches.items if c.rejected),
        *nodes(facts),
        *(f"{w.named} has {w.ready} of {w.desired} pods ready" for w in unready(facts) if w.name != besides),
        *crashing(facts, besides=besides),
        *((f"a surge: {said}",) if (said := surge(facts, limits)) else ()),
        *failing_states(facts),
        *migrations(facts, limits),
    )
    unset = (facts.dependencies.absent, facts.databases.absent)
    unseen = (*troubles(facts, *LOOKED_AT), *(why for why in unset if why))
    return Causes(found, unseen)


def dependencies(facts: Facts) -> tuple[str, ...]:
    """Dependencies that are not reached, or take far longer than they did."""
    return tuple(
        f"{d.name} ({d.address}): {d.reason or f'takes {d.seconds:.1f} s'}"
        for d in facts.dependencies.items
        if failing(d)
    )


def failing(one: Dependency) -> bool:
    return not one.reached or slow(one)


def slow(one: Dependency) -> bool:
    return one.usual is not None and one.seconds > SLOW_TIMES * one.usual and one.seconds > one.usual + SLOW_SECONDS


def nodes(facts: Facts) -> tuple[str, ...]:
    """Nodes with pods of the service that are not ready, or short of something."""
    used = {p.node for p in scope.pods(facts)}
    return tuple(said for n in facts.nodes.items if n.name in used and (said := ailing(n)))


def ailing(node: Node) -> str:
    """What is wrong with a node; empty when nothing is."""
    if not node.ready:
        return f"node {node.name} is not ready"
    pressed = [c.type for c in node.conditions if c.type in _PRESSURES and c.status == "True"]
    return f"node {node.name}: {', '.join(pressed)}" if pressed else ""


def unready(facts: Facts) -> tuple[Workload, ...]:
    return tuple(w for w in facts.workloads.items if w.desired > 0 and w.ready < w.desired)


def crashing(facts: Facts, *, besides: str = "") -> tuple[str, ...]:
    since = facts.reported_at - HEADROOM
    return tuple(
        f"{p.name} crashes: {why}"
        for p in facts.pods.items
        if p.workload != besides and not p.leaving and (why := broken(p, since=since))
    )[:5]


def failing_states(facts: Facts) -> tuple[str, ...]:
    """SQLSTATEs that pods of the service log in number."""
    return tuple(
        f"{failure.pod} logs SQLSTATE {failure.state} {failure.count} times"
        for logs in facts.logs.items
        for failure in logs.failures
        if failure.count >= 3
    )[:5]


def migrations(facts: Facts, limits: Limits = LIMITS) -> tuple[str, ...]:
    """Jobs that ran, or failed, shortly before the impact."""
    earliest = facts.reported_at - limits.recent
    return tuple(
        f"job {job.name} {'failed' if job.failed and not job.succeeded else 'ran'} at {scope.clock(job.started_at)}"
        for job in facts.jobs.items
        if job.started_at and earliest <= job.started_at <= facts.at + timedelta(minutes=1)
    )
