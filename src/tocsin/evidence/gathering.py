"""Everything that can be known now, fetched side by side; a source that fails or hangs is unknown, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
from msgspec.structs import replace

from tocsin.diagnosis.facts import Database, Facts, Pod, Signal, Subject, Taken
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.kube.cluster import Cluster
from tocsin.evidence.measuring import Measuring, named
from tocsin.evidence.postgresql import PostgreSql
from tocsin.evidence.reaching import Dependencies, Endpoints
from tocsin.evidence.redis import Redis

_OF_CLUSTER = (
    "workloads",
    "revisions",
    "pods",
    "events",
    "autoscalers",
    "nodes",
    "usage",
    "jobs",
    "applications",
    "logs",
)

MEET_EVERY = timedelta(minutes=5)
"""How often is looked in calm which pods there are: a list of them may be long."""
REMEMBERED = timedelta(hours=1)
MOST_MET = 5000


class Gathering:
    """The sources that are set up; None is one that is not. `http` is closed with it."""

    def __init__(
        self,
        *,
        cluster: Cluster | None,
        measuring: Measuring | None,
        databases: PostgreSql,
        caches: Redis,
        endpoints: Endpoints,
        dependencies: Dependencies,
        now: Callable[[], datetime],
        timeout: float = 8.0,
        complete: bool = False,
        http: httpx.AsyncClient | None = None,
        namespaces: Sequence[str] = ("",),
    ) -> None:
        self._cluster = cluster
        self._measuring = measuring
        self._databases = databases
        self._caches = caches
        self._endpoints = endpoints
        self._dependencies = dependencies
        self._now = now
        self._timeout = timeout
        self._complete = complete
        self._http = http
        self._namespaces = tuple(namespaces)
        self._met: dict[tuple[str, str], tuple[datetime, Pod]] = {}
        self._met_at: datetime | None = None

    async def facts(self, subject: Subject, *, reported_at: datetime) -> Facts:
        """What every source says of the subject now. Never raises for a source, and ends within the time-out."""
        at = self._now()
        first = Facts(at=at, reported_at=min(reported_at, at), subject=await self._placed(subject))
        looked, measured, databases, caches, endpoints, dependencies = await asyncio.gather(
            self._looked(first),
            self._measured(first),
            self._bounded(self._databases.look(at), at),
            self._bounded(self._caches.look(at), at),
            self._bounded(self._endpoints.look(at), at),
            self._bounded(self._dependencies.look(at), at),
        )
        found = replace(
            looked, series=measured.series, scrapes=measured.scrapes, databases=databases, caches=caches,
            endpoints=endpoints, dependencies=dependencies, settling=measured.settling,
        )  # fmt: skip
        found = replace(found, earlier=self._earlier(found))
        self._meet(found.pods, at)
        return _with_disks(named(_nothing_else(found) if self._complete else found))

    async def standing(self, subject: Subject) -> Facts:
        """Only what a mitigation stands on: the cluster and the databases. Quicker than everything."""
        at = self._now()
        first = Facts(at=at, reported_at=at, subject=await self._placed(subject))
        looked, databases = await asyncio.gather(
            self._looked(first, logs=False), self._bounded(self._databases.look(at), at)
        )
        found: Facts = replace(looked, databases=databases)
        return found

    async def close(self) -> None:
        """Ends the connections that are kept."""
        if self._cluster is not None:
            await self._cluster.client.close()
        if self._http is not None:
            await self._http.aclose()

    async def warm(self) -> None:
        """Measures dependencies in calm, and sees which pods there are, so that there is something to compare with."""
        at = self._now()
        jobs: list[Awaitable[Taken[Any]]] = [self._dependencies.look(at)]
        if self._cluster is not None and (self._met_at is None or at - self._met_at >= MEET_EVERY):
            jobs += [self._cluster.running(where) for where in self._namespaces]
            self._met_at = at
        for taken in (await asyncio.gather(*(self._bounded(job, at) for job in jobs)))[1:]:
            self._meet(taken, at)

    def _meet(self, pods: Taken[Pod], at: datetime) -> None:
        """Remembers which image each pod runs, for an hour after it was last seen."""
        known = {key: (seen, pod) for key, (seen, pod) in self._met.items() if at - seen < REMEMBERED}
        for pod in pods.items:
            if any(c.image_id for c in pod.containers):
                known[pod.namespace, pod.name] = (at, pod)
        self._met = dict(sorted(known.items(), key=lambda item: item[1][0])[-MOST_MET:])

    def _earlier(self, facts: Facts) -> tuple[Pod, ...]:
        """The pods met in the subject's namespace that are there no more; none when not all of them are known."""
        if not facts.pods.whole:
            return ()
        there = {p.name for p in facts.pods.items}
        met = (
            p for (place, name), (_, p) in self._met.items() if place == facts.subject.namespace and name not in there
        )
        return tuple(met)

    async def _placed(self, subject: Subject) -> Subject:
        """The subject with its namespace: the kubeconfig's when nothing names one."""
        if subject.namespace or self._cluster is None:
            return subject
        try:
            return replace(subject, namespace=await self._cluster.client.namespace())
        except EvidenceError:
            return subject  # each list says why itself

    async def _looked(self, facts: Facts, *, logs: bool = True) -> Facts:
        if self._cluster is None:
            nothing = Taken[Any](at=facts.at, absent="no cluster is set up: see [evidence.kubernetes]")
            return replace(facts, **dict.fromkeys(_OF_CLUSTER, nothing))
        try:
            async with asyncio.timeout(self._timeout):
                return await self._cluster.look(facts, logs=logs)
        except TimeoutError:
            late = Taken[Any](at=facts.at, error=f"no answer within {self._timeout:g} s")
            return replace(facts, **dict.fromkeys(_OF_CLUSTER, late))

    async def _measured(self, facts: Facts) -> Facts:
        if self._measuring is None:
            nothing = Taken[Any](at=facts.at, absent="no Prometheus is set up: see [sources.prometheus]")
            return replace(facts, series=nothing, scrapes=nothing)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._measuring.look(facts)
        except TimeoutError:
            late = Taken[Any](at=facts.at, error=f"no answer within {self._timeout:g} s")
            return replace(facts, series=late, scrapes=late)

    async def _bounded(self, asked: Awaitable[Taken[Any]], at: datetime) -> Taken[Any]:
        try:
            async with asyncio.timeout(self._timeout):
                return await asked
        except TimeoutError:
            return Taken(at=at, error=f"no answer within {self._timeout:g} s")


def _nothing_else(facts: Facts) -> Facts:
    """Somebody vouches that what is set up is all there is: databases and dependencies that are not, do not exist."""
    known = {
        name: replace(taken, absent="")
        for name in ("databases", "dependencies", "caches")
        if (taken := getattr(facts, name)).absent
    }
    return replace(facts, **known)


def _with_disks(facts: Facts) -> Facts:
    """The databases with how full their volumes are, where a volume claim carries the database's name."""
    full = {s.name: s.points[-1][1] for s in facts.series.items if s.signal is Signal.DISK and s.name and s.points}

    def known(one: Database) -> Database:
        shares = [share for claim, share in full.items() if one.name.casefold() in claim.casefold()]
        return replace(one, disk=max(shares)) if shares else one

    databases = tuple(known(one) for one in facts.databases.items)
    return replace(facts, databases=replace(facts.databases, items=databases))
