"""`/metrics`: what the engine counted and what stands in the database, as Prometheus reads it. No names, only numbers.

Counts are of this process, gauges of the database are read at the scrape, each with a bound. Labels are of few values.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin import __version__
from tocsin.bootstrap.house import House
from tocsin.engine.errors import Unavailable
from tocsin.engine.loop import HELD_BACK
from tocsin.engine.meters import Counter, Filled, Histogram, Meters
from tocsin.engine.stock import Gauges
from tocsin.incident.state import Status

OPEN = tuple(s.value for s in Status if not s.over)
KINDS, STATES = ("send", "execute", "mitigate"), ("pending", "leased")
OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "turns": ("ok", "failed"),
    "refusals": ("read", "write"),
    "alerts": ("opened", "attached", "resolved", "repeated", "stale", "recorded"),
    "spooled": ("kept", "drained", "refused", "set aside"),
    "repairs": ("deadline", *STATES),
    "trimmed": ("evidence", "work", "token"),
    "pings": ("ok", "failed", "withheld"),
}
"""Label values that are shown from the start, at zero: a rate is not known of what is not there yet."""


class Seen(Struct, frozen=True):
    """One scrape's look at the house; `gauges` is None while the database cannot be read."""

    meters: Meters
    gauges: Gauges | None
    now: datetime
    turned_at: datetime | None
    troubles: int
    contradictions: int | None
    waiting: int
    spool_bytes: int
    spool_limit: int
    database: str
    severities: tuple[str, ...]


def scrape(house: House) -> bytes:
    """The whole text. Reads the database: not for the event loop."""
    try:
        gauges = house.core.storage.read(lambda tx: tx.gauges())
    except Unavailable:
        gauges = None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(seen(house, gauges)))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def seen(house: House, gauges: Gauges | None) -> Seen:
    return Seen(
        meters=house.core.meters,
        gauges=gauges,
        now=house.core.clock.now(),
        turned_at=house.engine.alive,
        troubles=len(house.troubles),
        contradictions=sum(len(t.findings) for t in house.compared()) if house.truth else None,
        waiting=house.ingest.waiting,
        spool_bytes=house.ingest.size,
        spool_limit=house.settings.ingest.spool_mb * 1_000_000 if house.spooled else 0,
        database="sqlite" if house.settings.database.get_secret_value().startswith("sqlite") else "postgresql",
        severities=tuple(dict.fromkeys(s.name for r, _ in house.runbooks().values() for s in r.runbook.severities)),
    )


class _Collected(Collector):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        yield from _engine(self._seen)
        yield from _intake(self._seen)
        yield from _database(self._seen)
        yield from _delivery(self._seen.meters)
        yield from _upkeep(self._seen)


def _engine(seen: Seen) -> Iterator[Metric]:
    meters = seen.meters
    build = GaugeMetricFamily("tocsin_build_info", "Always 1.", labels=["version", "python", "database"])
    build.add_metric([__version__, platform.python_version(), seen.database], 1)
    yield build
    yield _histogram(
        "tocsin_deadline_lateness_seconds", "From a deadline to its decision, committed.", meters.decided_late
    )
    begun = HistogramMetricFamily(
        "tocsin_work_lateness_seconds", "From when work can be had to when it is begun.", labels=["kind"]
    )
    for kind in KINDS:
        _fill(begun, [kind], meters.begun_late[kind].read())
    yield begun
    yield _histogram("tocsin_engine_turn_seconds", "One look at everything due.", meters.turn_seconds)
    yield _counter("tocsin_engine_turns", "Looks at everything due.", "outcome", meters.turns, OUTCOMES["turns"])
    if seen.turned_at is not None:
        age = max(timedelta(0), seen.now - seen.turned_at)
        yield _gauge("tocsin_engine_last_turn_age_seconds", "Since the engine last turned.", age.total_seconds())
    held = meters.levels.get(HELD_BACK, 0.0)
    yield _gauge("tocsin_storm_first_pages_only", "1 while assessments and posts wait for first pages.", held)
    overdue = meters.levels.get("overdue", 0.0)
    yield _gauge("tocsin_incidents_overdue", "Open incidents that the clock is late for (at most 500).", overdue)


def _intake(seen: Seen) -> Iterator[Metric]:
    meters = seen.meters
    yield _counter("tocsin_alerts", "Alerts taken in, durably.", "outcome", meters.alerts, OUTCOMES["alerts"])
    yield _counter("tocsin_spool_alerts", "Alerts by way of the spool.", "outcome", meters.spooled, OUTCOMES["spooled"])
    yield _gauge("tocsin_spool_waiting_alerts", "Alerts promised and not yet taken in.", seen.waiting)
    yield _gauge("tocsin_spool_bytes", "Bytes of the spool on disk.", seen.spool_bytes)
    yield _gauge("tocsin_spool_limit_bytes", "The most that the spool may hold; 0 without one.", seen.spool_limit)
    yield _gauge("tocsin_sources_in_trouble", "Sources and jobs that say that something is wrong.", seen.troubles)
    if seen.contradictions is not None:
        said = "What production contradicts in the runbook, when last compared."
        yield _gauge("tocsin_runbook_contradictions", said, seen.contradictions)


def _database(seen: Seen) -> Iterator[Metric]:
    meters = seen.meters
    up = seen.gauges is not None and not meters.refusing
    yield _gauge("tocsin_database_up", "1 when it was read now, and written when last tried.", float(up))
    yield _counter("tocsin_database_refusals", "Times it refused.", "what", meters.refusals, OUTCOMES["refusals"])
    yield _histogram("tocsin_commit_jobs", "Jobs that shared a commit.", meters.commit_jobs)
    yield _histogram("tocsin_commit_seconds", "A transaction from its begin to durable.", meters.commit_seconds)
    if seen.gauges is None:
        return
    depth = GaugeMetricFamily("tocsin_queue_depth", "Work that is not done.", labels=["kind", "state"])
    oldest = GaugeMetricFamily(
        "tocsin_queue_oldest_seconds", "How long the oldest work that can be had has waited.", labels=["kind"]
    )
    found = {(q.kind, q.state): q for q in seen.gauges.queue}
    for kind in KINDS:
        for state in STATES:
            depth.add_metric([kind, state], found[kind, state].count if (kind, state) in found else 0)
        waits = found.get((kind, "pending"))
        oldest.add_metric([kind], max(0.0, (seen.now - waits.oldest_at).total_seconds()) if waits else 0)
    yield depth
    yield oldest
    incidents = GaugeMetricFamily(
        "tocsin_open_incidents", "Incidents that are not over; drills do not count.", labels=["severity", "status"]
    )
    counted = {(severity, status): 0 for severity in seen.severities for status in OPEN} | seen.gauges.incidents
    for (severity, status), count in sorted(counted.items()):
        incidents.add_metric([severity, status], count)
    yield incidents


def _delivery(meters: Meters) -> Iterator[Metric]:
    sent = CounterMetricFamily("tocsin_deliveries", "Attempts to hand a message over.", labels=["channel", "outcome"])
    for (channel, outcome), count in sorted(meters.deliveries.read().items()):
        sent.add_metric([channel, outcome], count)
    yield sent
    yield _histogram(
        "tocsin_delivery_seconds", "How long the other side took to take a message.", meters.delivery_seconds
    )


def _upkeep(seen: Seen) -> Iterator[Metric]:
    meters = seen.meters
    yield _counter("tocsin_audit_repairs", "What the auditor put right.", "what", meters.repairs, OUTCOMES["repairs"])
    yield _counter(
        "tocsin_trimmed_rows", "Rows cut or forgotten for age.", "table", meters.trimmed, OUTCOMES["trimmed"]
    )
    yield _counter("tocsin_heartbeat_pings", "The outgoing heartbeat.", "outcome", meters.pings, OUTCOMES["pings"])
    for name, what in (("heartbeat", "The outgoing heartbeat's"), ("backup", "The newest backup's")):
        if name in meters.levels:
            said = f"{what} last success, Unix time."
            yield _gauge(f"tocsin_{name}_last_success_timestamp_seconds", said, meters.levels[name])


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(name, said, value=value)


def _counter(name: str, said: str, label: str, counter: Counter, shown: tuple[str, ...]) -> Metric:
    family = CounterMetricFamily(name, said, labels=[label])
    counts = {(value,): 0 for value in shown} | dict(counter.read())
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    return family


def _histogram(name: str, said: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(name, said, labels=[])
    _fill(family, [], histogram.read())
    return family


def _fill(family: HistogramMetricFamily, labels: list[str], filled: Filled) -> None:
    below = [(repr(bound), float(count)) for bound, count in zip(filled.bounds, filled.below, strict=True)]
    family.add_metric(labels, [*below, ("+Inf", float(filled.count))], filled.sum)
