"""Is it a resource issue? CPU, memory, replicas, room on nodes, connections: too little of something, now, for the pods
that suffer. A full disk of a database is asked as a data issue.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tocsin.diagnosis import curves, scope, symptoms
from tocsin.diagnosis.facts import Autoscaler, Database, Facts, Node, Pod, Series, Signal, Workload, troubles
from tocsin.diagnosis.verdict import LIMITS, Limits, Verdict, no, unknown, yes
from tocsin.diagnosis.walk import YES

_NEEDED = ("pods", "workloads", "nodes", "autoscalers")
NEARLY = 0.9
"""Share of a limit below which it holds nothing back."""
_SHORT = ("MemoryPressure", "PIDPressure")


def resource_issue(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Yes when something the service runs on is used up, and it suffers from that."""
    if missing := troubles(facts, *_NEEDED):
        return unknown("what the service runs on is not known", settle=missing)
    if facts.workloads.absent:
        return unknown("no cluster is asked", settle=(facts.workloads.absent,))
    strong: list[str] = []
    weak: list[str] = []
    for said, shown in _signs(facts, limits):
        (strong if shown else weak).append(said)
    if strong:
        return yes(strong[0], strong, counter=weak, about=facts.subject.named)
    unseen = [*troubles(facts, "series", "databases"), *_unmeasured(facts)]
    if facts.databases.absent and not symptoms.harmless(facts, limits):
        unseen.append(f"the database's connections: {facts.databases.absent}")
    if weak or unseen:
        reason = weak[0] if weak else "not all of what could run out is known"
        return unknown(reason, weak, settle=unseen or ("whether the service suffers from it",))
    counter = [f"{d.name}: its disk is full, which is asked as a data issue" for d in facts.databases.items if _full(d)]
    return no("CPU, memory, replicas, nodes and connections suffice", _enough(facts), counter=counter)


def _signs(facts: Facts, limits: Limits) -> Iterator[tuple[str, bool]]:
    """(what is short, whether it is shown that the service suffers from it)."""
    mine, felt = scope.pods(facts), symptoms.felt(facts, limits)
    yield from _memory(facts, mine)
    yield from _throttled(facts, limits, mine)
    yield from _room(facts, mine)
    yield from _nodes(facts, mine)
    yield from ((said, felt) for a in facts.autoscalers.items if (said := _at_its_most(facts, a)))
    yield from ((said, felt) for d in facts.databases.items if (said := _connections(d, limits)))
    for cache in facts.caches.items:
        if cache.rejected:
            yield f"{cache.name} refused {cache.rejected} connections: it allows {cache.most_clients}", felt
        elif cache.most and cache.memory >= cache.most and cache.evicted:
            yield f"{cache.name} uses all of its memory and evicted {cache.evicted} keys", False


def _memory(facts: Facts, mine: tuple[Pod, ...]) -> Iterator[tuple[str, bool]]:
    since = facts.reported_at - symptoms.HEADROOM - facts.pods.clock
    killed = [p for p in mine if any(symptoms.out_of_memory(c, since=since) for c in p.containers)]
    if killed:
        again = any(not p.ready or p.restarts > 1 for p in killed)
        named = ", ".join(p.name for p in killed[:5])
        yield (
            f"{len(killed)} of {len(mine)} pods were killed for their memory ({named})",
            again or 2 * len(killed) >= len(mine),
        )
    for pod in mine:
        used, most = _used(facts, pod.name), _limit(facts, pod)
        if used is not None and most and pod not in killed and used[1] >= NEARLY * most[1] > 0:
            yield f"{pod.name} uses {used[1] / most[1]:.0%} of its memory", False


def _throttled(facts: Facts, limits: Limits, mine: tuple[Pod, ...]) -> Iterator[tuple[str, bool]]:
    """Sustained, more than it was before, and slow with it: some services are throttled always, and well."""
    found = [s for s in scope.series(facts) if s.signal is Signal.THROTTLED]
    high = [(s, value) for s in found if (value := curves.lately(s.points)) is not None and value > limits.throttled]
    if not high or facts.series.trouble:
        return
    slow = symptoms.latency(facts, limits).answer == YES
    fresh = [s for s, value in high if (was := _before(facts, s)) is not None and was < value / 2]
    said = f"{len(high)} of {max(len(found), 1)} pods are throttled in {max(v for _, v in high):.0%} of their periods"
    yield said, slow and 2 * len(fresh) >= max(len(found), 1)


def _before(facts: Facts, one: Series) -> float | None:
    return curves.usual(one.points, before=facts.reported_at.timestamp() - 30)


def _room(facts: Facts, mine: tuple[Pod, ...]) -> Iterator[tuple[str, bool]]:
    waiting = [p for p in mine if "insufficient" in p.unscheduled.casefold()]
    if waiting:
        short = any(w.ready < w.desired and _of(w, waiting) for w in facts.workloads.items)
        yield f"{len(waiting)} pods find no node: {waiting[0].unscheduled[:160]}", short and symptoms.felt(facts)


def _of(workload: Workload, listed: list[Pod]) -> bool:
    return any(p.workload == workload.name for p in listed)


def _nodes(facts: Facts, mine: tuple[Pod, ...]) -> Iterator[tuple[str, bool]]:
    for node in facts.nodes.items:
        pressed = _pressed(node, since=facts.reported_at - symptoms.HEADROOM * 2)
        here = [p for p in mine if p.node == node.name]
        if pressed and here:
            bad = [p for p in mine if not p.ready]
            suffer = bool(bad) and all(p.node == node.name for p in bad)
            yield f"node {node.name} is short ({pressed}), {len(here)} of the pods are on it", suffer


def _pressed(node: Node, *, since: datetime) -> str:
    found = (c for c in node.conditions if c.type in (*_SHORT, "DiskPressure") and c.status == "True")
    return ", ".join(c.type for c in found if c.since is None or c.since >= since)


def _at_its_most(facts: Facts, one: Autoscaler) -> str:
    """That the autoscaler may not add a pod though it would have to; empty when it need not."""
    if facts.subject.workload and one.workload != facts.subject.workload:
        return ""
    held = any(
        c.type == "ScalingLimited" and c.status == "True" and c.reason == "TooManyReplicas" for c in one.conditions
    )
    over = [g for g in one.gauges if g.current is not None and g.target and g.current > g.target * 1.05]
    if not (held and one.current >= one.most and over):
        return ""
    return (
        f"the autoscaler {one.name} is at its most, {one.most} replicas, with {over[0].name} at {over[0].current:g} "
        f"of {over[0].target:g}"
    )


def _connections(one: Database, limits: Limits) -> str:
    """That the connections run out; empty when they do not, or when those that wait for a lock are why."""
    if not one.most or one.connections <= limits.connections * one.most or len(one.waiting) >= one.connections * 0.3:
        return ""
    return f"{one.name}: {one.connections} of {one.most} connections are used"


def _full(one: Database) -> bool:
    return one.disk is not None and one.disk >= LIMITS.disk


def _used(facts: Facts, pod: str) -> tuple[float, float] | None:
    return next(((u.cpu, u.memory) for u in facts.usage.items if u.pod == pod), None)


def _limit(facts: Facts, pod: Pod) -> tuple[float, float] | None:
    """CPU and memory that the pod may use, 0 for no limit; None when its template is not known."""
    workload = next((w for w in facts.workloads.items if w.name == pod.workload), None)
    made = scope.revision_of(facts, pod.name)
    template = made.template if made else workload.template if workload else None
    if template is None:
        return None
    return sum(c.cpu_limit or 0.0 for c in template.containers), sum(c.memory_limit or 0.0 for c in template.containers)


def _unmeasured(facts: Facts) -> tuple[str, ...]:
    """Pods of which it is not known whether CPU and memory hold them back."""
    measured = {s.pod for s in facts.series.items if s.signal is Signal.THROTTLED}
    for pod in scope.pods(facts):
        used, most = _used(facts, pod.name), _limit(facts, pod)
        free = most is not None and most[0] == 0
        easy = used is not None and most is not None and (free or used[0] < NEARLY * most[0])
        if pod.ready and not (easy or free or pod.name in measured):
            return ("the CPU that the pods use, or how often they are throttled",)
    return ()


def _enough(facts: Facts) -> tuple[str, ...]:
    ready = f"{len(facts.nodes.items)} nodes without pressure"
    scaled = (f"{a.name}: {a.current} of at most {a.most} replicas" for a in facts.autoscalers.items)
    used = (f"{d.name}: {d.connections} of {d.most} connections" for d in facts.databases.items)
    return (ready, *scaled, *used)


def resources_or_disk(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """The same where the question counts disks among the resources."""
    found = resource_issue(facts, limits)
    full = [
        f"{d.name}: its disk is {d.disk:.0%} full" for d in facts.databases.items if d.disk and d.disk >= limits.disk
    ]
    if found.answer == YES or not full or facts.databases.trouble:
        return found
    return yes(full[0], full, about=facts.subject.named)
