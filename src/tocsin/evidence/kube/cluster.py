"""One look at a cluster: every list side by side, each with its own time-out and its own reason when it fails."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from tocsin.diagnosis.facts import Autoscaler, Facts, Logs, Pod, Revision, Taken, Workload
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.kube import objects
from tocsin.evidence.kube.client import Answer, Client, Missing, Now, Resource, taken
from tocsin.evidence.kube.logs import Redact, read_log

DEPLOYMENTS = Resource("apps/v1", "deployments")
STATEFUL_SETS = Resource("apps/v1", "statefulsets")
DAEMON_SETS = Resource("apps/v1", "daemonsets")
REPLICA_SETS = Resource("apps/v1", "replicasets")
CONTROLLER_REVISIONS = Resource("apps/v1", "controllerrevisions")
PODS = Resource("v1", "pods")
EVENTS = Resource("v1", "events")
NODES = Resource("v1", "nodes", namespaced=False)
NAMESPACES = Resource("v1", "namespaces", namespaced=False)
JOBS = Resource("batch/v1", "jobs")
AUTOSCALERS = Resource("autoscaling/v2", "horizontalpodautoscalers")
OLDER_AUTOSCALERS = Resource("autoscaling/v2beta2", "horizontalpodautoscalers")  # before 1.23
USAGE = Resource("metrics.k8s.io/v1beta1", "pods")
APPLICATIONS = Resource("argoproj.io/v1alpha1", "applications", namespaced=False)
LOGS_OF = 8
"""Pods whose logs are read; of those that are not ready first."""
LOG_LINES = 400
LOG_BYTES = 512 * 1024


class Cluster:
    """A cluster as `client` reaches it."""

    def __init__(self, client: Client, *, now: Now, redact: Redact) -> None:
        self.client = client
        self._now = now
        self._redact = redact

    async def look(self, facts: Facts, *, logs: bool = True) -> Facts:
        """The facts with everything that the cluster says of the subject's namespace, and of its nodes."""
        try:
            where = facts.subject.namespace or await self.client.namespace()
        except EvidenceError as exc:
            return replace(facts, **{name: Taken(at=self._now(), error=exc.reason) for name in _ALL})
        found = await self._lists(where)
        subject = replace(facts.subject, namespace=where)
        read: Taken[Logs] = await self._logs(where, facts, found["pods"]) if logs else Taken(absent="not read")
        return replace(facts, subject=subject, logs=read, **found)

    async def running(self, where: str = "") -> Taken[Pod]:
        """The pods of a namespace alone; the kubeconfig's own when none is named."""
        try:
            place = where or await self.client.namespace()
        except EvidenceError as exc:
            return Taken(at=self._now(), error=exc.reason)
        return await self._taken(PODS, place, lambda given, shift: objects.pod(given, {}, shift))

    async def _lists(self, where: str) -> dict[str, Taken[Any]]:
        shared = [asyncio.ensure_future(self.client.objects(kind, where)) for kind in (REPLICA_SETS, PODS)]
        try:
            return await self._asked(where, *shared)
        finally:  # given up meanwhile: nobody else would ask them how they ended
            for one in shared:
                one.cancel()
            await asyncio.gather(*shared, return_exceptions=True)

    async def _asked(
        self, where: str, replica_sets: asyncio.Future[Answer], pods: asyncio.Future[Answer]
    ) -> dict[str, Taken[Any]]:
        jobs = {
            "workloads": self._workloads(where),
            "revisions": self._revisions(where, replica_sets),
            "pods": self._pods(replica_sets, pods),
            "events": self._taken(EVENTS, where, objects.event),
            "autoscalers": self._autoscalers(where),
            "nodes": self._taken(NODES, "", objects.node),
            "usage": self._taken(USAGE, where, objects.usage, kind="metrics-server"),
            "jobs": self._taken(JOBS, where, objects.job),
            "applications": self._taken(APPLICATIONS, "", objects.application, kind="Argo CD"),
        }
        answers: list[Any] = await asyncio.gather(*jobs.values())
        return dict(zip(jobs, answers, strict=True))

    async def _taken(self, resource: Resource, where: str, made: Any, *, kind: str = "") -> Taken[Any]:
        return await taken(self.client.objects(resource, where), made, now=self._now, kind=kind)

    async def _workloads(self, where: str) -> Taken[Workload]:
        kinds = {"deployment": DEPLOYMENTS, "statefulset": STATEFUL_SETS, "daemonset": DAEMON_SETS}

        async def one(kind: str, resource: Resource) -> Taken[Workload]:
            return await taken(
                self.client.objects(resource, where),
                lambda given, shift: objects.workload(kind, given, shift),
                now=self._now,
            )

        return _together(*await asyncio.gather(*(one(kind, resource) for kind, resource in kinds.items())))

    async def _revisions(self, where: str, replica_sets: asyncio.Future[Answer]) -> Taken[Revision]:
        sets, others = await asyncio.gather(
            taken(replica_sets, objects.replica_set, now=self._now),
            self._taken(CONTROLLER_REVISIONS, where, objects.controller_revision, kind="controller revisions"),
        )
        return _together(sets, others)

    async def _pods(self, replica_sets: asyncio.Future[Answer], pods: asyncio.Future[Answer]) -> Taken[Any]:
        try:
            sets = (await replica_sets).objects
        except EvidenceError:
            sets = ()  # a pod's workload is told by its name then
        owners = {str(s.get("metadata", {}).get("name", "")): objects.owner(s) for s in sets}
        return await taken(pods, lambda given, shift: objects.pod(given, owners, shift), now=self._now)

    async def _autoscalers(self, where: str) -> Taken[Autoscaler]:
        async def asked() -> Answer:
            try:
                return await self.client.objects(AUTOSCALERS, where)
            except Missing:
                return await self.client.objects(OLDER_AUTOSCALERS, where)

        return await taken(asked(), objects.autoscaler, now=self._now, kind="autoscalers")

    async def _logs(self, where: str, facts: Facts, pods: Taken[Any]) -> Taken[Logs]:
        """The logs of the subject's pods since shortly before the alert."""
        if pods.trouble:
            return Taken(at=self._now(), error=pods.trouble)
        name = facts.subject.workload
        mine = [p for p in pods.items if (not name or p.workload == name) and not p.leaving and p.containers]
        chosen = sorted(mine, key=lambda p: (p.ready, p.name))[:LOGS_OF]
        back = int((facts.at - facts.reported_at).total_seconds()) + 300
        try:
            read = await asyncio.gather(*(self._log(where, p.name, p.containers[0].name, back) for p in chosen))
        except EvidenceError as exc:
            return Taken(at=self._now(), error=exc.reason)
        return Taken(tuple(one for one in read if one is not None), self._now())

    async def _log(self, where: str, pod: str, container: str, back: int) -> Logs | None:
        """None for a pod that has not begun to write: it cannot say anything yet."""
        params = {
            "container": container, "sinceSeconds": str(back), "tailLines": str(LOG_LINES), "timestamps": "true",
            "limitBytes": str(LOG_BYTES),
        }  # fmt: skip
        try:
            return read_log(pod, await self.client.text(PODS, f"{pod}/log", where, params), redact=self._redact)
        except EvidenceError as exc:
            if "waiting to start" in exc.reason or "not found" in exc.reason or isinstance(exc, Missing):
                return None
            raise


_ALL = (
    "workloads", "revisions", "pods", "events", "autoscalers", "nodes", "usage", "jobs", "applications", "logs",
)  # fmt: skip


def _together(*parts: Taken[Any]) -> Taken[Any]:
    """Several lists as one: unknown when any is, cut when any is."""
    failed = next((p.error for p in parts if p.error), "")
    at = max((p.at for p in parts if p.at), default=None)  # what is absent adds nothing
    return Taken(tuple(i for p in parts for i in p.items), at, failed, any(p.truncated for p in parts))
