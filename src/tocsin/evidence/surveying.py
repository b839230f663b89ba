"""Asks production what a runbook claims of it: cluster, Prometheus, databases, addresses, permissions. Only reads.

A health address is asked twice, once with a word after it that cannot exist: what answers both alike is no health.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import httpx

from tocsin.diagnosis.claims import Claims, Kubectl
from tocsin.diagnosis.facts import Taken, Workload
from tocsin.diagnosis.live import Answered, Live, Permission, Tool
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.kube import objects
from tocsin.evidence.kube.client import Answer, Client, Missing, Resource, taken
from tocsin.evidence.kube.cluster import (
    APPLICATIONS,
    AUTOSCALERS,
    DAEMON_SETS,
    DEPLOYMENTS,
    NAMESPACES,
    OLDER_AUTOSCALERS,
    STATEFUL_SETS,
)  # fmt: skip
from tocsin.evidence.postgresql import PostgreSql
from tocsin.evidence.prometheus import Prometheus

NOWHERE = "tocsin-asks-for-nothing-7f3a"
BODY = 2048
T = TypeVar("T")
_NEEDS: Mapping[str, tuple[str, str, str, str]] = {
    "logs": ("get", "", "pods", "log"),
    "top": ("get", "metrics.k8s.io", "pods", ""),
    "exec": ("create", "", "pods", "exec"),
    "rollout undo": ("patch", "apps", "deployments", ""),
    "rollout restart": ("patch", "apps", "deployments", ""),
    "rollout status": ("get", "apps", "deployments", ""),
    "rollout history": ("get", "apps", "deployments", ""),
    "scale": ("patch", "apps", "deployments", "scale"),
}
"""verb -> (verb, group, resource, sub-resource) of the API, as kubectl uses it."""
_LISTED = {
    "pods": "", "pod": "", "po": "", "events": "", "event": "", "services": "", "service": "", "svc": "", "nodes": "",
    "configmaps": "", "configmap": "", "cm": "", "deployments": "apps", "deployment": "apps", "deploy": "apps",
    "replicasets": "apps", "rs": "apps", "statefulsets": "apps", "hpa": "autoscaling", "ingress": "networking.k8s.io",
}  # fmt: skip
_PLURAL = {
    "pod": "pods", "po": "pods", "event": "events", "service": "services", "svc": "services", "configmap": "configmaps",
    "cm": "configmaps", "deployment": "deployments", "deploy": "deployments", "rs": "replicasets",
    "hpa": "horizontalpodautoscalers", "ingress": "ingresses",
}  # fmt: skip


class Surveying:
    """The sources that are set up; None is one that is not. `web` goes where the runbook's own curl would go."""

    def __init__(
        self,
        *,
        client: Client | None,
        prometheus: Prometheus | None,
        databases: PostgreSql,
        web: httpx.AsyncClient,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._prometheus = prometheus
        self._databases = databases
        self._web = web
        self._now = now

    async def live(self, said: Claims, tools: Sequence[Tool]) -> Live:
        """What production says of everything claimed. Never raises for a source."""
        at = self._now()
        namespaces, workloads, autoscalers, applications = await self._cluster()
        metrics, databases, addresses, links = await asyncio.gather(
            self._metrics(at),
            self._databases.look(at),
            self._addresses(at, {c.text for c in said.health}),
            self._links(at, {c.text for c in said.dashboards}),
        )
        permissions = await self._permissions(said.kubectl, at, namespaces)
        return Live(
            at, namespaces, workloads, autoscalers, applications, metrics, databases, addresses, links,
            Taken(tuple(tools), at), permissions,
        )  # fmt: skip

    async def _cluster(self) -> tuple[Taken[str], Taken[Workload], Taken[Any], Taken[Any]]:
        client = self._client
        if client is None:
            nothing = Taken[Any](at=self._now(), absent="no cluster is set up")
            return nothing, nothing, nothing, nothing

        def asked(resource: Resource, made: Any, kind: str = "") -> Awaitable[Taken[Any]]:
            return taken(client.objects(resource), made, now=self._now, kind=kind)

        def of(kind: str) -> Any:
            return lambda given, shift: objects.workload(kind, given, shift)

        names, deployments, sets, daemons, scalers, apps = await asyncio.gather(
            asked(NAMESPACES, lambda given, _: str(given.get("metadata", {}).get("name", ""))),
            asked(DEPLOYMENTS, of("deployment")),
            asked(STATEFUL_SETS, of("statefulset")),
            asked(DAEMON_SETS, of("daemonset")),
            taken(_autoscalers(client), objects.autoscaler, now=self._now, kind="autoscalers"),
            asked(APPLICATIONS, objects.application, "Argo CD"),
        )
        listed = (deployments, sets, daemons)
        failed = next((p.error for p in listed if p.error), "")
        cut = any(p.truncated for p in listed)
        return names, Taken(tuple(w for p in listed for w in p.items), self._now(), failed, cut), scalers, apps

    async def _metrics(self, at: datetime) -> Taken[str]:
        if self._prometheus is None:
            return Taken(at=at, absent="no Prometheus is set up")
        try:
            return Taken(tuple(sorted(await self._prometheus.names())), at)
        except EvidenceError as exc:
            return Taken(at=at, error=exc.reason)

    async def _addresses(self, at: datetime, urls: Iterable[str]) -> Taken[Answered]:
        return Taken(tuple(await asyncio.gather(*(self._health(url) for url in sorted(urls)))), at)

    async def _health(self, url: str) -> Answered:
        here, elsewhere = await asyncio.gather(self._ask(url), self._ask(f"{url.rstrip('/')}-{NOWHERE}"))
        status, body, reason = here
        same = status is not None and status < 400 and (status, body) == elsewhere[:2]
        return Answered(url, status, reason, same)

    async def _links(self, at: datetime, urls: Iterable[str]) -> Taken[Answered]:
        async def one(url: str) -> Answered:
            status, _, reason = await self._ask(url)
            return Answered(url, status, reason)

        return Taken(tuple(await asyncio.gather(*(one(url) for url in sorted(urls)))), at)

    async def _ask(self, url: str) -> tuple[int | None, bytes, str]:
        """(status, first bytes, why there is no status)."""
        try:
            async with self._web.stream("GET", url) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) >= BODY:
                        break
                return response.status_code, bytes(body[:BODY]), ""
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            return None, b"", str(exc) or type(exc).__name__

    async def _permissions(self, commands: Sequence[Kubectl], at: datetime, there: Taken[str]) -> Taken[Permission]:
        """Whether the credentials may do what the commands do, each asked once."""
        if self._client is None:
            return Taken(at=at, absent="no cluster is set up")
        asked: dict[tuple[str, str, str, str, str], int] = {}
        for k in commands:
            needs = _needs(k)
            if needs is not None and (not there.whole or k.namespace in ("", *there.items)):
                asked.setdefault((*needs, k.namespace), k.line)
        try:
            allowed = await asyncio.gather(*(self._may(self._client, key) for key in asked))
        except EvidenceError as exc:
            return Taken(at=at, error=exc.reason)
        found = (
            Permission(verb, resource, where, line, may, group, sub)
            for ((verb, group, resource, sub, where), line), may in zip(asked.items(), allowed, strict=True)
        )
        return Taken(tuple(found), at)

    @staticmethod
    async def _may(client: Client, key: tuple[str, str, str, str, str]) -> bool:
        verb, group, resource, sub, namespace = key
        return await client.allowed(verb=verb, group=group, resource=resource, namespace=namespace, sub=sub)


async def _autoscalers(client: Client) -> Answer:
    try:
        return await client.objects(AUTOSCALERS)
    except Missing:
        return await client.objects(OLDER_AUTOSCALERS)


def _needs(k: Kubectl) -> tuple[str, str, str, str] | None:
    """(verb, group, resource, sub-resource) that a command needs; None for one that is not known."""
    found = _NEEDS.get(k.verb)
    if found is not None:
        verb, group, resource, sub = found
        own = f"{k.kind}s" if k.kind and resource == "deployments" else resource
        return verb, group, own, sub
    what = k.what.partition("/")[0].partition(",")[0]
    if k.verb in ("get", "describe") and what in _LISTED:
        return "list" if k.verb == "get" else "get", _LISTED[what], _PLURAL.get(what, what), ""
    return None
