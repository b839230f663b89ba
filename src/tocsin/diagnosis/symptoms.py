"""The four investigations: is the error rate raised, is it slow, do pods crash, is the database in trouble?

Each is answered from measurements alone; what caused it is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tocsin.diagnosis import curves, scope
from tocsin.diagnosis.facts import Container, ContainerState, Database, Facts, Pod, Signal, troubles
from tocsin.diagnosis.verdict import LIMITS, Limits, Verdict, no, unknown, yes
from tocsin.diagnosis.walk import NO, YES

HEADROOM = timedelta(minutes=15)
"""How long before the first alert a crash still belongs to it: alerts wait, and count, before they fire."""
REACH = timedelta(minutes=2)
"""How far before the first alert a series must reach to say that nothing changed."""
NOTHING_MEASURED = "no series of requests and failures is known"


def error_rate(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Yes when the share of failed requests is above the limit now, or came and went since the report."""
    curve, missing = _share(facts), troubles(facts, "series")
    latest = curves.lately(curve)
    if missing or latest is None:
        return unknown("the error rate is not known", settle=missing or (NOTHING_MEASURED,))
    high = _above(limits.error_share)
    if not (latest >= limits.error_share or _flaps(curve, limits.error_share, facts)):
        recent = curves.between(curve, _since(facts), curve[-1][0])
        calm = all(value < limits.error_share / 2 for _, value in recent)
        said = f"{latest:.1%} of the requests fail"
        return no(said) if calm else unknown(f"{said} now, more did before", settle=("look again in a minute",))
    since = curves.began(curve, high)
    times = curves.spells(curve, high)
    began = f"since {scope.clock(scope.instant(since))}" if since is not None else "now"
    flaps = (f"it came and went {times} times",) if times > 2 else ()
    return yes(f"{latest:.0%} of the requests fail, {began}", (*_where(facts, limits), *flaps))


def latency(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Yes when it takes at least twice as long as before."""
    curve, missing = _slowness(facts), troubles(facts, "series")
    latest, before = curves.lately(curve), _usually(curve, facts)
    if missing or latest is None or before is None:
        settle = missing or ("a series of latency that reaches back before the incident",)
        return unknown("what latency was and is, is not known", settle=settle)
    said = f"requests take {latest:.2f} s, they took {before:.2f} s"
    if latest >= before * limits.slower and latest >= before + limits.slower_by:
        return yes(said)
    if curve[0][0] > (facts.reported_at - REACH).timestamp():
        return unknown(f"{said}, as far as that is known", settle=("a series that reaches back further",))
    if latest <= before * 1.4 or latest < before + limits.slower_by / 2:
        return no(said)
    return unknown(f"{said}: not clear", settle=("look again in a minute",))


def pod_crashes(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Yes when a container of the service ended badly around the incident, or cannot start."""
    if missing := troubles(facts, "pods"):
        return unknown("the pods are not known", settle=missing)
    said = [f"{pod.name}: {why}" for pod in scope.pods(facts) if (why := broken(pod, since=_crash_since(facts)))]
    if said:
        return yes(f"{len(said)} of {len(scope.pods(facts))} pods crash or cannot start", said)
    if not scope.pods(facts):
        return unknown("the service has no pods that are known", settle=("the service's namespace and workload",))
    return no(f"none of {len(scope.pods(facts))} pods crashed since {scope.clock(_crash_since(facts))}")


def database(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Yes when sessions wait for locks, connections or disk run out, or a replica is behind."""
    if facts.databases.absent or (missing := troubles(facts, "databases")):
        why = facts.databases.absent or missing[0]
        return unknown("the database is not known", settle=(why,))
    said = [line for one in facts.databases.items for line in database_troubles(one, limits)]
    if said:
        return yes(said[0], said)
    if logged := _logged(facts):
        full = [line for line, states in logged if states]
        return yes(full[0], full) if full else unknown(logged[0][0], settle=("the database's own log",))
    if any(d.waiting for d in facts.databases.items):
        return unknown("sessions wait for a lock, none of them long yet", settle=("look again in a minute",))
    blind = [f"how full the disk of {d.name} is" for d in facts.databases.items if d.disk is None]
    if blind and (facts.logs.absent or facts.logs.trouble):
        settle = (*blind, facts.logs.absent or f"the logs: {facts.logs.trouble}")
        return unknown("not all of what could run out is known", settle=settle)
    used = [f"{d.name}: {d.connections} of {d.most} connections" for d in facts.databases.items]
    return (
        no("nothing waits and nothing runs out in the database", used)
        if used
        else unknown("no database is known", settle=("the address of the database",))
    )


def _logged(facts: Facts) -> list[tuple[str, bool]]:
    """(what pods log of the database itself, whether it is sure): no room, no connection left, shut down, damaged."""
    found = []
    for logs in facts.logs.items if not facts.logs.trouble else ():
        for failure in logs.failures:
            if failure.state[:2] in _OF_DATABASE:
                said = f"{failure.pod} logs SQLSTATE {failure.state} {failure.count} times"
                found.append((said, failure.state in _FULL and failure.count >= _OFTEN))
    return found


_OF_DATABASE = ("08", "53", "57", "58", "XX")
_FULL = ("53100", "53300")
"""The disk is full, too many connections. Source: the PostgreSQL manual, appendix A."""
_OFTEN = 5


def database_troubles(one: Database, limits: Limits = LIMITS) -> tuple[str, ...]:
    """What is wrong with a database, in words."""
    said = []
    if blocked := blocked_for(one, limits):
        said.append(blocked)
    if one.most and one.connections > limits.connections * one.most:
        said.append(f"{one.name}: {one.connections} of {one.most} connections are used")
    if one.disk is not None and one.disk >= limits.disk:
        said.append(f"{one.name}: its disk is {one.disk:.0%} full")
    if one.lag is not None and one.lag >= limits.lag:
        said.append(f"{one.name}: its replica is {one.lag.total_seconds():.0f} s behind")
    return tuple(said)


def blocked_for(one: Database, limits: Limits = LIMITS) -> str:
    """That sessions wait for locks longer than the limit, with who holds them; empty when none does."""
    long = [s for s in one.waiting if s.waiting >= limits.waiting]
    if not long:
        return ""
    oldest = max(s.waiting for s in long)
    heads = [h for h in one.holders if any(h.pid in s.blockers for s in long)]
    by = f", held by process {heads[0].pid} ({heads[0].state})" if heads else ""
    return f"{one.name}: {len(long)} sessions wait for locks, the longest for {oldest.total_seconds():.0f} s{by}"


def broken(pod: Pod, *, since: datetime) -> str:
    """How a pod's container crashed at or after `since`, or why it cannot start; empty when neither."""
    return next((why for c in pod.containers if (why := crash(c, since=since))), "")


def crash(c: ContainerState, *, since: datetime) -> str:
    """One container's crash in words, e.g. `OOMKilled (exit 137), 3 restarts`; empty when it did not crash."""
    if c.state == "waiting" and c.reason in STUCK:
        return f"{c.reason}: {c.message}"[:200].rstrip(": ")
    ended = c.finished_at if c.state == "terminated" else c.last_finished_at
    reason = c.reason if c.state == "terminated" else c.last_reason
    code = c.exit_code if c.state == "terminated" else c.last_exit_code
    if ended is not None and ended >= since and (code or reason == "OOMKilled"):
        return f"{reason or 'ended'} (exit {code}), {c.restarts} restarts"
    return f"CrashLoopBackOff, {c.restarts} restarts" if c.reason == "CrashLoopBackOff" else ""


STUCK = (
    "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
    "CreateContainerError", "RunContainerError",
)  # fmt: skip
"""Why a container waits for ever; source: the kubelet's waiting reasons."""


def out_of_memory(c: ContainerState, *, since: datetime) -> bool:
    """Whether the kernel killed it for its memory at or after `since`: it stands in lastState while it is restarted."""
    now = c.state == "terminated" and c.reason == "OOMKilled" and (c.finished_at is None or c.finished_at >= since)
    before = c.last_reason == "OOMKilled" and c.last_finished_at is not None and c.last_finished_at >= since
    return now or before


def onset(facts: Facts, limits: Limits = LIMITS) -> datetime | None:
    """When the impact is seen to begin in what was measured, on Prometheus's clock; None when it is not seen there.

    An alert's own beginning is no measure: it fires after it has waited.
    """
    if facts.series.trouble:
        return None
    starts = [curves.began(_share(facts), _above(limits.error_share))]
    slow = _slowness(facts)
    before = curves.usual(slow, before=_before(facts))
    if before is not None:
        starts.append(
            curves.began(slow, lambda value: value >= before * limits.slower and value >= before + limits.slower_by)
        )
    found = [at for at in starts if at is not None]
    return scope.instant(min(found)) if found else None


def young(facts: Facts, limits: Limits = LIMITS) -> bool:
    """Whether it began so lately that what is not seen yet may still come; by the alert where nothing is measured."""
    return facts.at - (onset(facts, limits) or facts.reported_at) < facts.settling


def harmless(facts: Facts, limits: Limits = LIMITS) -> bool:
    """Whether everything that would show an impact is known, and shows none though it had the time to."""
    return (
        not young(facts, limits)
        and error_rate(facts, limits).answer == NO
        and latency(facts, limits).answer == NO
        and pod_crashes(facts, limits).answer == NO
        and not troubles(facts, "workloads")
        and all(w.ready >= w.desired for w in facts.workloads.items)
        and all(e.healthy for e in facts.endpoints.items)
    )


def felt(facts: Facts, limits: Limits = LIMITS) -> bool:
    """Whether an impact is measured: failing, slow, or crashing."""
    return any(ask(facts, limits).answer == YES for ask in (error_rate, latency, pod_crashes))


def eased(facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """Whether the impact is gone at this moment: what was measured before a mitigation is not held against it."""
    if missing := troubles(facts, "series"):
        return unknown("what is failing is not known", settle=missing)
    failing, slow = curves.lately(_share(facts)), curves.lately(_slowness(facts))
    before = _usually(_slowness(facts), facts)
    if failing is None:
        return unknown("what is failing is not known", settle=(NOTHING_MEASURED,))
    late = (
        slow is not None and before is not None and slow >= before * limits.slower and slow >= before + limits.slower_by
    )
    said = f"{failing:.1%} of the requests fail" + (f", they take {slow:.2f} s" if slow is not None else "")
    if failing >= limits.error_share or late:
        return no(said)
    return yes(said) if failing < limits.error_share / 2 else unknown(said, settle=("look again in a minute",))


def surge(facts: Facts, limits: Limits = LIMITS) -> str:
    """That there are far more requests than before; empty when there are not, or it is not known."""
    curve = curves.total(scope.series(facts), Signal.REQUESTS)
    latest, before = curves.lately(curve), curves.usual(curve, before=_before(facts))
    if latest is None or not before or latest < before * limits.surge:
        return ""
    return f"{latest:.1f} requests a second, there were {before:.1f}"


def container_of(containers: tuple[Container, ...], name: str) -> Container | None:
    return next((c for c in containers if c.name == name), None)


def _where(facts: Facts, limits: Limits) -> tuple[str, ...]:
    """The pods with the greatest shares."""
    by_pod = {s.pod: s.pod for s in scope.series(facts) if s.pod}
    found = []
    for pod in by_pod:
        latest = curves.lately(curves.share(s for s in scope.series(facts) if s.pod == pod))
        if latest is not None:
            found.append((latest, pod))
    return tuple(f"{pod}: {value:.0%} of its requests fail" for value, pod in sorted(found, reverse=True)[:5])


def _share(facts: Facts) -> curves.Curve:
    return curves.share(scope.series(facts))


def _slowness(facts: Facts) -> curves.Curve:
    return curves.highest(scope.series(facts), Signal.LATENCY)


def _above(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


def _flaps(curve: curves.Curve, limit: float, facts: Facts) -> bool:
    recent = curves.between(curve, _since(facts), curve[-1][0])
    return curves.spells(recent, _above(limit)) >= 2


def _since(facts: Facts) -> float:
    return min(facts.reported_at, facts.at - timedelta(minutes=5)).timestamp()


def _before(facts: Facts) -> float:
    """Instants before this count as how it usually is: half a minute before the first alert."""
    return (facts.reported_at - timedelta(seconds=30)).timestamp()


def _usually(curve: curves.Curve, facts: Facts) -> float | None:
    """How it usually is; where nothing is known from long enough before, how it was until the first alert."""
    settled = curves.usual(curve, before=_before(facts))
    return curves.usual(curve, before=facts.reported_at.timestamp()) if settled is None else settled


def _crash_since(facts: Facts) -> datetime:
    return facts.reported_at - HEADROOM
