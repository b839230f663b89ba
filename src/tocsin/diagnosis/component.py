"""Is a single component failing? Exactly one thing is down while the others are well, or failures gather in one pod."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from tocsin.diagnosis import causes, curves, scope, symptoms
from tocsin.diagnosis.facts import Facts, Pod, Signal, Workload, troubles
from tocsin.diagnosis.verdict import LIMITS, Limits, Verdict, no, unknown, yes
from tocsin.diagnosis.walk import NO, YES

_NEEDED = ("workloads", "pods", "nodes")
SETTLING = timedelta(minutes=1)
"""Pods younger than this may still be starting."""
_FEW = 2
_NOT_SCRAPED = "Prometheus reaches no target of"
_SEEN_ITSELF = "its own health address, or its port among the dependencies"


def single_component(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Yes about the one that fails: a workload, a dependency, a pod, a node."""
    if missing := troubles(facts, *_NEEDED):
        return unknown("what is running is not known", settle=missing)
    if facts.workloads.absent:
        return unknown("no cluster is asked", settle=(facts.workloads.absent,))
    if node := _one_node(facts):
        return yes(f"everything that fails is on {node}", _failing_pods(facts), about=node)
    down = failing(facts)
    if len(down) == 1:
        return _one(facts, *next(iter(down.items())))
    if len(down) > _FEW:
        return no(f"{len(down)} components fail, not one", down.values())
    if down:
        return unknown(
            "two components fail: one may be the other's reason", down.values(), settle=("which fell first",)
        )
    return _gathered(facts, limits)


def failing(facts: Facts) -> Mapping[str, str]:
    """Each component that fails, with how: pods not ready, a dependency not reached, a job not scraped."""
    found: dict[str, str] = {}
    for w in causes.unready(facts):
        if not _starting(facts, w) and not _without_node(facts, w):
            found[w.named] = f"{w.named} has {w.ready} of {w.desired} pods ready"
    names = {w.name: w.named for w in facts.workloads.items}
    for d in facts.dependencies.items:
        if causes.failing(d):
            found.setdefault(names.get(d.workload or d.name, d.name), f"{d.name} ({d.address}): {d.reason or 'slow'}")
    for job in _down_jobs(facts):
        found.setdefault(names.get(job, job), f"{_NOT_SCRAPED} {job}")
    return found


def _down_jobs(facts: Facts) -> list[str]:
    jobs: dict[str, list[bool]] = {}
    for scrape in facts.scrapes.items:
        jobs.setdefault(scrape.job, []).append(scrape.up)
    return [job for job, ups in jobs.items() if not any(ups)]


def _starting(facts: Facts, workload: Workload) -> bool:
    """Whether what is not ready is only too young, and nothing of it crashed."""
    waiting = [p for p in scope.pods_of(facts.pods.items, workload.name) if not p.ready and not p.leaving]
    since = facts.reported_at - symptoms.HEADROOM
    return bool(waiting) and all(
        p.created_at is not None and facts.at - p.created_at < SETTLING and not symptoms.broken(p, since=since)
        for p in waiting
    )


def _without_node(facts: Facts, workload: Workload) -> bool:
    """Whether all that is not ready waits for a node: no fault of the component, and no restart would help."""
    waiting = [p for p in scope.pods_of(facts.pods.items, workload.name) if not p.ready and not p.leaving]
    return bool(waiting) and all(p.unscheduled for p in waiting)


def _one(facts: Facts, name: str, said: str) -> Verdict:
    """One thing fails: a yes when others are there and well, and what could fail beside it is known."""
    others = [w for w in facts.workloads.items if w.named != name and w.ready >= w.desired > 0]
    unseen = troubles(facts, "dependencies", "scrapes")
    if said.startswith(_NOT_SCRAPED):
        return unknown(f"{name} is not scraped, and nothing else says that it is down", (said,), settle=(_SEEN_ITSELF,))
    if not others:
        return unknown(f"{name} fails, and there is nothing to compare it with", (said,), settle=("another component",))
    if unseen:
        return unknown(f"{name} fails; whether it is the only one is not known", (said,), settle=unseen, suspect=name)
    well = (f"{len(others)} other workloads are ready: {', '.join(w.name for w in others[:6])}",)
    return yes(f"only {name} fails", (said, *well), about=name)


def _one_node(facts: Facts) -> str:
    """The node that is unwell and holds every failing pod of several workloads; empty otherwise."""
    bad = [p for p in facts.pods.items if not p.ready and not p.leaving and p.phase != "Succeeded"]
    nodes = {p.node for p in bad}
    unwell = {n.name for n in facts.nodes.items if causes.ailing(n)}
    several = len({p.workload for p in bad}) > 1
    elsewhere = any(p.ready and p.node not in nodes for p in facts.pods.items)
    return f"node/{nodes.pop()}" if len(nodes) == 1 and nodes <= unwell and several and elsewhere else ""


def _failing_pods(facts: Facts) -> Iterable[str]:
    return (
        f"{p.name} on {p.node or 'no node'} is not ready" for p in facts.pods.items if not p.ready and not p.leaving
    )


def _gathered(facts: Facts, limits: Limits) -> Verdict:
    """Nothing is down: whether the failures gather in one pod."""
    unseen = troubles(facts, "series", "dependencies", "scrapes")
    shares = _shares(facts)
    high = {pod: value for pod, value in shares.items() if value >= limits.error_share}
    part = _parts(facts)
    settled = not symptoms.young(facts, limits)
    if len(shares) > _FEW and len(high) == 1 and not facts.series.trouble and settled:
        pod = next(iter(high))
        alike = _made_alike(facts, shares)
        if part.get(pod, 0.0) >= limits.concentrated and alike:
            return yes(f"{part[pod]:.0%} of the failures are of {pod}", _told(shares), about=f"pod/{pod}")
        return unknown(f"{pod} fails more than the others", _told(shares), settle=("whether it runs what they run",))
    unset = [why for why in (facts.series.absent, facts.dependencies.absent) if why]
    if unseen or (unset and not symptoms.harmless(facts, limits)):
        return unknown("nothing is down; where the failures are is not known", settle=(*unseen, *unset))
    if elsewhere := _ailing_elsewhere(facts, limits):
        return unknown(
            "something else fails or is slow too",
            (*_told(shares), *elsewhere.values()),
            settle=("which of them is the other's reason",),
            suspect=", ".join(elsewhere),
        )
    if not high:
        if symptoms.latency(facts, limits).answer == YES:
            slow = symptoms.latency(facts, limits).reason
            return unknown("nothing is down, and it is slow", (slow,), settle=("what it waits for",))
        if not shares or symptoms.error_rate(facts, limits).answer != NO:
            return unknown("nothing is down; no failures are known by pod", settle=("series of failures by pod",))
        if symptoms.pod_crashes(facts, limits).decided and not symptoms.pod_crashes(facts, limits).evidence:
            return no("every component is up, and no pod fails more than the others", _up(facts))
        seen = symptoms.pod_crashes(facts, limits)
        return unknown("pods crash, and no workload is down", seen.evidence, settle=seen.settle or ("why they crash",))
    if len(high) == len(shares) > 1:
        return no("every component is up, and all pods fail alike", _told(shares))
    return unknown("some pods fail, others do not", _told(shares), settle=("what the failing ones have in common",))


def _ailing_elsewhere(facts: Facts, limits: Limits) -> dict[str, str]:
    """Other workloads whose own requests fail, or take much longer than they did; nothing without a service's name."""
    found: dict[str, str] = {}
    for one in facts.workloads.items if facts.subject.workload else ():
        mine = [s for s in facts.series.items if s.pod and scope.workload_of(facts, s.pod) == one.name]
        if one.name == facts.subject.workload or not mine:
            continue
        failing_share, slow = curves.lately(curves.share(mine)), curves.highest(mine, Signal.LATENCY)
        takes, took = curves.lately(slow), _took(slow, before=facts.reported_at.timestamp())
        if failing_share is not None and failing_share >= limits.error_share:
            found[one.named] = f"{one.named}: {failing_share:.0%} of its requests fail"
        elif takes and took and takes >= max(took * limits.slower, took + limits.slower_by):
            found[one.named] = f"{one.named} takes {takes:.2f} s, it took {took:.2f} s"
    return found


def _took(slow: curves.Curve, *, before: float) -> float | None:
    """What it usually took; the least it ever took where that is not known: rather silent than wrong."""
    return curves.usual(slow, before=before) or min((value for _, value in slow), default=None)


def _made_alike(facts: Facts, shares: Mapping[str, float]) -> bool:
    made = {p.revision for p in facts.pods.items if p.name in shares}
    return len(made) == 1


def _shares(facts: Facts) -> dict[str, float]:
    """The share of failures of each pod of the service that answers requests now."""
    names: dict[str, Pod] = {p.name: p for p in scope.pods(facts)}
    found: dict[str, float] = {}
    for name in names:
        latest = curves.lately(curves.share(s for s in scope.series(facts) if s.pod == name))
        if latest is not None:
            found[name] = latest
    return found


def _parts(facts: Facts) -> dict[str, float]:
    """Each pod's part of all failures, over the last three instants."""
    failures = {
        p.name: sum(v for _, v in curves.total((s for s in scope.series(facts) if s.pod == p.name), Signal.ERRORS)[-3:])
        for p in scope.pods(facts)
    }
    whole = sum(failures.values())
    return {name: value / whole for name, value in failures.items()} if whole > 0 else {}


def _told(shares: Mapping[str, float]) -> list[str]:
    return [
        f"{pod}: {value:.0%} of its requests fail" for pod, value in sorted(shares.items(), key=lambda x: -x[1])[:8]
    ]


def _up(facts: Facts) -> tuple[str, ...]:
    ready = f"{len(facts.workloads.items)} workloads are ready"
    return (ready, *(f"{d.name} is reached in {d.seconds:.2f} s" for d in facts.dependencies.items))
