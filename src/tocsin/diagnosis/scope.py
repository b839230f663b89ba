"""Which pods, series and workloads an incident is about. Refuses to judge them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from tocsin.diagnosis.facts import Facts, Pod, Revision, Series, Workload


def workload(facts: Facts) -> Workload | None:
    """The workload that the incident names; None when it names none, or it is not there."""
    wanted = facts.subject
    named = (w for w in facts.workloads.items if w.name == wanted.workload and wanted.workload)
    return next((w for w in named if wanted.kind in ("", w.kind) and wanted.namespace in ("", w.namespace)), None)


def pods(facts: Facts) -> tuple[Pod, ...]:
    """The pods of the incident's workload, or all there are when it names none. Those that are leaving are not."""
    staying = tuple(p for p in facts.pods.items if not p.leaving and p.phase != "Succeeded")
    return pods_of(staying, facts.subject.workload) if facts.subject.workload else staying


def pods_of(listed: Iterable[Pod], name: str) -> tuple[Pod, ...]:
    return tuple(p for p in listed if p.workload == name)


def revision_of(facts: Facts, pod: str) -> Revision | None:
    """What a pod was made from, by the pod itself or, when it is gone, by its name: `NAME-HASH-xxxxx`."""
    by_name = {r.name: r for r in facts.revisions.items}
    here = next((p for p in facts.pods.items if p.name == pod), None)
    if here is not None and here.revision in by_name:
        return by_name[here.revision]
    return by_name.get(pod.rpartition("-")[0])


def series(facts: Facts) -> tuple[Series, ...]:
    """The series of the incident's workload: by pod where they tell pods, else by service, else all there are."""
    everything = facts.series.items
    name = facts.subject.workload
    if name:
        own = tuple(s for s in everything if s.pod and workload_of(facts, s.pod) == name)
        if own:
            return own
    labelled = {facts.subject.service, name} - {""}
    mine = tuple(s for s in everything if not s.pod and s.service in labelled)
    return mine or (tuple(s for s in everything if not s.service) if labelled else everything)


def workload_of(facts: Facts, pod: str) -> str:
    here = next((p.workload for p in facts.pods.items if p.name == pod), "")
    revision = revision_of(facts, pod) if not here else None
    return here or (revision.workload if revision else "")


def instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"
