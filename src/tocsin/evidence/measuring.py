"""The series around an incident from Prometheus: requests, failures, latency, throttling, disks; and what is scraped.

Which metric counts requests is found among the names that common libraries and meshes use, unless the settings say it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tocsin.diagnosis.facts import MEASURED, Facts, Scrape, Series, Signal, Taken
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.prometheus import Prometheus, Trace

POINTS = 300
LOOK_BACK = timedelta(minutes=10)
FINEST, COARSEST = timedelta(seconds=2), timedelta(minutes=1)
MOST_SERIES = 500
PODS = ("pod", "kubernetes_pod_name", "pod_name")
SERVICES = ("service", "app", "destination_workload", "job")
NAMESPACES = ("namespace", "kubernetes_namespace")
_MORE = ("instance", "exported_pod", *NAMESPACES)
SCRAPED_EVERY = timedelta(seconds=15)


class Counter(NamedTuple):
    """A counter of requests: the label of its status, and the histogram of the same library, in `unit` seconds."""

    name: str
    status: str
    histogram: str
    unit: float = 1.0


_OTEL = "http_server_request_duration_seconds"
COUNTERS = (
    Counter("http_server_requests_seconds_count", "status", "http_server_requests_seconds"),
    Counter(f"{_OTEL}_count", "http_response_status_code", _OTEL),
    Counter("istio_requests_total", "response_code", "istio_request_duration_milliseconds", 0.001),
    Counter("nginx_ingress_controller_requests", "status", "nginx_ingress_controller_request_duration_seconds"),
    Counter("traefik_service_requests_total", "code", "traefik_service_request_duration_seconds"),
    Counter("http_requests_total", "status", "http_request_duration_seconds"),
    Counter("http_requests_total", "code", "http_request_duration_seconds"),
    Counter("http_requests_total", "status_code", "http_request_duration_seconds"),
    Counter("http_request_duration_seconds_count", "status", "http_request_duration_seconds"),
    Counter("http_request_duration_seconds_count", "code", "http_request_duration_seconds"),
    Counter("http_request_duration_seconds_count", "status_code", "http_request_duration_seconds"),
    Counter("flask_http_request_total", "status", "flask_http_request_duration_seconds"),
)  # fmt: skip
"""Micrometer, OpenTelemetry, Istio, ingress-nginx, Traefik, and the names that Prometheus's own guides use."""


class Names(Struct, frozen=True):
    """What the settings say: the counter of requests with the label of its status, the histogram of latency, and how
    often is scraped."""

    requests: str = ""
    status: str = ""
    latency: str = ""
    every: timedelta | None = None


class Measuring:
    """Asks `prometheus`; the counter found once is asked again without looking."""

    def __init__(self, prometheus: Prometheus, *, names: Names = Names()) -> None:
        self._prometheus = prometheus
        self._names = names
        self._found: Counter | None = None
        self._every = names.every or SCRAPED_EVERY

    async def look(self, facts: Facts) -> Facts:
        """The facts with what was measured around the incident."""
        series, scrapes = await asyncio.gather(self._series(facts), self._scrapes(facts.at))
        return replace(facts, series=series, scrapes=scrapes, settling=settling(self._every))

    async def _scrapes(self, at: datetime) -> Taken[Scrape]:
        try:
            found = await self._prometheus.query("up")
        except EvidenceError as exc:
            return Taken(at=at, error=exc.reason)
        listed = (Scrape(s.labels.get("job", ""), s.labels.get("instance", ""), s.value == 1) for s in found)
        return Taken(tuple(listed), at)

    async def _series(self, facts: Facts) -> Taken[Series]:
        try:
            every, shift = await self._rhythm(facts.at)
            self._every = every
            counter = await self._counter()
            found = await self._measured(facts, counter, every, shift)
        except EvidenceError as exc:
            return Taken(at=facts.at, error=exc.reason)
        if len(found) > MOST_SERIES * 4:
            return Taken((), facts.at, truncated=True)
        return Taken(found, facts.at, clock=MEASURED)

    async def _rhythm(self, at: datetime) -> tuple[timedelta, timedelta]:
        """How often is scraped, and what must be added to Prometheus's instants to have them on our clock."""
        try:
            scraped = await self._prometheus.samples("up[2m]")
        except EvidenceError:
            return self._names.every or FINEST, timedelta(0)  # it knows no range selectors by themselves
        gaps = [b[0] - a[0] for one in scraped for a, b in zip(one.points, one.points[1:], strict=False)]
        every = self._names.every or (timedelta(seconds=min(gaps)) if gaps else SCRAPED_EVERY)
        last = max((one.points[-1][0] for one in scraped if one.points), default=at.timestamp())
        behind = at.timestamp() - last
        off = behind if behind < -MEASURED.total_seconds() else 0.0
        return every, timedelta(seconds=off)

    async def _counter(self) -> Counter:
        if self._found is None:
            self._found = await self._discovered()
        return self._found

    async def _discovered(self) -> Counter:
        """The first counter that is there and carries its status; what the settings name is believed."""
        if self._names.requests:
            stem = self._names.latency or self._names.requests.removesuffix("_count").removesuffix("_total")
            return Counter(self._names.requests, self._names.status or "status", stem)
        names = await self._prometheus.names()
        for counter in COUNTERS:
            if counter.name in names and await self._prometheus.query(
                f'count({counter.name}{{{counter.status}=~".+"}})'
            ):
                return counter
        raise EvidenceError(
            "Prometheus: none of its metrics is known to count requests: name one as requests in [evidence.prometheus]"
        )

    async def _measured(self, facts: Facts, counter: Counter, every: timedelta, shift: timedelta) -> tuple[Series, ...]:
        end = facts.at - shift
        start = min(facts.reported_at - shift, end) - LOOK_BACK
        step = min(max((end - start) / POINTS, FINEST), COARSEST)
        over = f"{span(every):.0f}s"
        labels = ", ".join((*PODS, *SERVICES, *_MORE))
        by_status = f"sum by ({labels}, {counter.status}) (rate({counter.name}[{over}]))"

        async def ask(expr: str) -> tuple[Trace, ...]:
            traces = await self._prometheus.trace(expr, start=start, end=end, step=step)
            return tuple(t for t in traces if _is_here(t.labels, facts.subject.namespace))

        asked, slow, throttled, disks = await asyncio.gather(
            ask(by_status),
            self._or_nothing(ask(_quantile(counter, labels, over))),
            self._or_nothing(ask(_THROTTLED)),
            self._or_nothing(ask(_DISKS)),
        )
        seconds = counter.unit
        return (
            *_requests(asked, counter.status),
            *_plain(Signal.LATENCY, [t._replace(points=_scaled(t.points, seconds)) for t in slow]),
            *_plain(Signal.THROTTLED, throttled),
            *_plain(Signal.DISK, disks, name="persistentvolumeclaim"),
        )

    async def _or_nothing(self, asked: Awaitable[tuple[Trace, ...]]) -> tuple[Trace, ...]:
        """What is not everywhere: a metric that this Prometheus cannot be asked for says nothing."""
        try:
            return await asked
        except EvidenceError:
            return ()


def span(every: timedelta) -> float:
    """Seconds that a rate is of, where is scraped so often: four scrapes, as Prometheus's own guides advise."""
    return float(max(int(every.total_seconds() * 4), 4))


def settling(every: timedelta) -> timedelta:
    """How long something may be there and not yet be seen in three points of each rate; see `Facts.settling`."""
    return timedelta(seconds=span(every) + max(2 * every.total_seconds(), 3 * FINEST.total_seconds()))


_THROTTLED = (
    "sum by (pod) (rate(container_cpu_cfs_throttled_periods_total[2m]))"
    " / sum by (pod) (rate(container_cpu_cfs_periods_total[2m]))"
)
_DISKS = (
    "max by (persistentvolumeclaim) (kubelet_volume_stats_used_bytes)"
    " / max by (persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes)"
)


def _is_here(labels: Mapping[str, str], namespace: str) -> bool:
    """Whether a series is of that namespace, as far as it says: staging often shares a Prometheus with production."""
    said = [labels[name] for name in NAMESPACES if labels.get(name)]
    return not namespace or not said or namespace in said


def _quantile(counter: Counter, labels: str, over: str) -> str:
    return f"histogram_quantile(0.95, sum by ({labels}, le) (rate({counter.histogram}_bucket[{over}])))"


def _requests(traces: Iterable[Trace], status: str) -> list[Series]:
    """Requests and failures of each pod and service; a status of 5xx, or none that is a number, is a failure."""
    sums: dict[tuple[str, str], dict[Signal, dict[float, float]]] = {}
    for trace in traces:
        here = sums.setdefault(_place(trace.labels), {s: defaultdict(float) for s in (Signal.REQUESTS, Signal.ERRORS)})
        failed = _failed(trace.labels.get(status, ""))
        for at, value in trace.points:
            if value == value:  # a rate that is not a number is no rate
                here[Signal.REQUESTS][at] += value
                here[Signal.ERRORS][at] += value if failed else 0.0
    return [
        Series(signal, tuple(sorted(points.items())), pod, service, "requests")
        for (pod, service), found in sums.items()
        for signal, points in found.items()
        if points
    ]


def _failed(status: str) -> bool:
    return status.startswith("5") or status.casefold() in ("error", "0", "unknown")


def _plain(signal: Signal, traces: Sequence[Trace], *, name: str = "") -> list[Series]:
    found = []
    for trace in traces:
        points = tuple((at, value) for at, value in trace.points if value == value)
        pod, service = _place(trace.labels)
        if points:
            found.append(Series(signal, points, pod, service, trace.labels.get(name, "") if name else signal.value))
    return found


def _scaled(points: Sequence[tuple[float, float]], by: float) -> tuple[tuple[float, float], ...]:
    return tuple((at, value * by) for at, value in points)


def _place(labels: Mapping[str, str]) -> tuple[str, str]:
    """(pod, service) that a series is of. Without a pod's name its address stands for it, until pods are known."""
    pod = next((labels[name] for name in ("exported_pod", *PODS) if labels.get(name)), "")
    service = next((labels[name] for name in SERVICES if labels.get(name)), "")
    return pod or labels.get("instance", "").rpartition(":")[0], service


def named(facts: Facts) -> Facts:
    """The facts with pods in place of their addresses in the series, now that the pods are known."""
    pods = {p.address: p.name for p in facts.pods.items if p.address}
    names = set(pods.values()) | {r.name for r in facts.revisions.items}
    series = tuple(_named(one, pods, names) for one in facts.series.items)
    return replace(facts, series=replace(facts.series, items=series))


def _named(one: Series, pods: Mapping[str, str], names: set[str]) -> Series:
    """An address that is no pod's (a gateway counts for all of them) tells no pods apart."""
    if not one.pod or one.pod in names or one.pod.rpartition("-")[0] in names:
        return one
    return replace(one, pod=pods.get(one.pod, ""))
