"""What is asked for evidence, from the settings and, where they are silent, from the runbook's own environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tocsin.config import Settings
from tocsin.diagnosis.facts import Subject
from tocsin.diagnosis.verdict import Limits
from tocsin.evidence.gathering import Gathering
from tocsin.evidence.kube.client import Client
from tocsin.evidence.kube.cluster import Cluster
from tocsin.evidence.measuring import Measuring, Names
from tocsin.evidence.postgresql import PostgreSql
from tocsin.evidence.postgresql import Server as PostgreSqlServer
from tocsin.evidence.prometheus import Prometheus
from tocsin.evidence.reaching import Address, Dependencies, Endpoints
from tocsin.evidence.redis import Redis
from tocsin.evidence.redis import Server as RedisServer
from tocsin.incident.alert import Alert
from tocsin.procedures.redaction import redact

_KUBECONFIG = re.compile(r"export\s+KUBECONFIG=[\"']?([^\s\"']+)[\"']?")
_NAMESPACES = ("namespace", "kubernetes_namespace", "exported_namespace")
_WORKLOADS = ("deployment", "workload", "statefulset")
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def gathering(
    settings: Settings, environment: Sequence[str], *, prometheus: Prometheus | None, now: Callable[[], datetime]
) -> Gathering:
    """The sources that these settings set up. `environment` are the exports of the runbook."""
    asked = settings.evidence
    seconds = asked.timeout.total_seconds()
    client = kubernetes(settings, environment, now=now)
    names = Names(
        asked.prometheus.requests or "",
        asked.prometheus.status or "",
        asked.prometheus.latency or "",
        asked.prometheus.every,
    )
    http = httpx.AsyncClient(timeout=seconds)
    return Gathering(
        cluster=Cluster(client, now=now, redact=redact) if client else None,
        measuring=Measuring(prometheus, names=names) if prometheus else None,
        databases=PostgreSql(
            tuple(PostgreSqlServer(s.name, s.url.get_secret_value()) for s in asked.postgresql),
            timeout=seconds,
            redact=redact,
        ),
        caches=Redis(tuple(RedisServer(s.name, s.url.get_secret_value()) for s in asked.redis), timeout=seconds),
        endpoints=Endpoints(_health(settings), http, timeout=seconds, redact=redact),
        dependencies=Dependencies(_addresses(settings), timeout=seconds),
        now=now,
        timeout=seconds * 1.5,
        complete=asked.complete,
        http=http,
        namespaces=_namespaces(settings),
    )


def kubernetes(settings: Settings, environment: Sequence[str], *, now: Callable[[], datetime]) -> Client | None:
    """The cluster that the runbook's commands reach; None where there is no sign of one."""
    asked = settings.evidence.kubernetes
    if not asked.enabled:
        return None
    config = kubeconfig(settings, environment)
    if not config and not _SERVICE_ACCOUNT.is_file():
        return None
    seconds = settings.evidence.timeout.total_seconds()
    return Client(kubeconfig=config, context=asked.context or "", timeout=seconds, now=now)


def kubeconfig(settings: Settings, environment: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """The files that kubectl would read in a step: the settings', the steps' own, the runbook's, then the usual ones.

    Empty when none of them is there.
    """
    own = settings.evidence.kubernetes.kubeconfig
    of_steps = settings.procedures.environment.get("KUBECONFIG")
    of_runbook = (match[1] for line in environment if (match := _KUBECONFIG.search(line)))
    named = (
        str(own) if own else "",
        of_steps.get_secret_value() if of_steps else "",
        next(of_runbook, ""),
        environ.get("KUBECONFIG", ""),
        "~/.kube/config",
    )
    return next((found for name in named if (found := _files(name, environ))), "")


def _files(name: str, environ: Mapping[str, str]) -> str:
    """The existing ones of a colon-separated list, with the home folder written out."""
    home = environ.get("HOME", "")
    parts = [re.sub(r"^(?:~|\$HOME|\$\{HOME\})(?=/|$)", home, part) for part in name.split(":") if part]
    return ":".join(part for part in parts if Path(part).is_file())


def _namespaces(settings: Settings) -> tuple[str, ...]:
    """Where pods are met in calm; empty is the kubeconfig's own."""
    named = [s.namespace for s in settings.services.values() if s.namespace]
    usual = settings.evidence.kubernetes.namespace
    return tuple(dict.fromkeys((*named, *((usual,) if usual else ())))) or ("",)


def _health(settings: Settings) -> dict[str, str]:
    services = {name: s.health for name, s in settings.services.items() if s.health}
    return services | {p.name: p.url for p in settings.sources.probes if p.url.startswith(("http://", "https://"))}


def _addresses(settings: Settings) -> tuple[Address, ...]:
    """What is named as a dependency, and the servers that are asked themselves."""
    asked = settings.evidence
    found = {d.name: Address(d.name, *_host_port(d.address), d.workload or "") for d in asked.dependencies}
    for server, port in ((s, 5432) for s in asked.postgresql):
        found.setdefault(server.name, _address(server.name, server.url.get_secret_value(), port, server.workload))
    for cache, port in ((s, 6379) for s in asked.redis):
        found.setdefault(cache.name, _address(cache.name, cache.url.get_secret_value(), port, cache.workload))
    return tuple(found.values())


def _address(name: str, url: str, port: int, workload: str | None) -> Address:
    parts = urlsplit(url)
    return Address(name, parts.hostname or "localhost", parts.port or port, workload or name)


def _host_port(address: str) -> tuple[str, int]:
    parts = urlsplit(f"//{address}")
    return parts.hostname or address, parts.port or 0


def limits(settings: Settings) -> Limits:
    return Limits(error_share=settings.evidence.error_share, recent=settings.evidence.recent)


def subject(settings: Settings, service: str, alerts: Sequence[Alert]) -> Subject:
    """What an incident is about: as the settings say of its service, else as its alerts' labels do.

    A label is believed only as a name to look at: nothing is ever run with it.
    """
    known = settings.services.get(service)
    labels = [a.labels for a in alerts]
    kind, _, name = (known.workload if known and known.workload else "").rpartition("/")
    if not name:
        kind, name = next(
            ((key.replace("workload", "deployment"), one[key]) for one in labels for key in _WORKLOADS if one.get(key)),
            ("", ""),
        )
    namespace = (known.namespace if known and known.namespace else "") or next(
        (one[key] for one in labels for key in _NAMESPACES if one.get(key)), ""
    )
    return Subject(service, namespace or settings.evidence.kubernetes.namespace or "", kind, name)
