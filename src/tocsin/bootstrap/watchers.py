"""The sources that Tocsin watches by itself: probes, logs, heartbeats, rules. What they see goes to the desk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tocsin.bootstrap.house import Background
from tocsin.bootstrap.senders import heartbeats
from tocsin.config import Settings
from tocsin.engine.desk import Desk
from tocsin.engine.ports import Clock
from tocsin.evidence.prometheus import Prometheus
from tocsin.incident.alert import Alert
from tocsin.procedures.redaction import redact
from tocsin.signals.heartbeat import Beats, HeartbeatWatch
from tocsin.signals.lines import CommandLines, FileLines, Lines
from tocsin.signals.logwatch import LogRule, LogWatch
from tocsin.signals.probe import HealthCheck, Probe
from tocsin.signals.prometheus import PrometheusRule, PrometheusWatch
from tocsin.signals.watching import OnTrouble


def watchers(
    settings: Settings,
    desk: Desk,
    *,
    clock: Clock,
    firing: Sequence[Alert],
    prometheus: Prometheus | None,
    on_trouble: OnTrouble,
) -> list[Background]:
    """One endless job for each configured source. `firing` are alerts that were left firing when last stopped."""

    async def emit(alert: Alert) -> None:
        await desk.receive([alert])

    found: list[Background] = []
    for check in _checks(settings):
        found.append(Probe(check, emit=emit, clock=clock, on_trouble=on_trouble, firing=firing).run)
    for w in settings.sources.logs:
        rule = LogRule(
            w.name,
            w.pattern.pattern,
            threshold=w.threshold,
            window=w.within,
            resolve_after=w.resolve_after,
            labels=dict(w.labels),
        )
        lines: Lines = FileLines(w.file) if w.file else CommandLines(list(w.command))
        watch = LogWatch(rule, lines, emit=emit, clock=clock, on_trouble=on_trouble, firing=firing, redact=redact)
        found.append(watch.run)
    for heartbeat in heartbeats(settings):
        last = partial(Beats(desk.core).last, heartbeat.name)
        beating = HeartbeatWatch(heartbeat, last, emit=emit, clock=clock, on_trouble=on_trouble, firing=firing)
        found.append(beating.run)
    rules = settings.sources.prometheus.rules if settings.sources.prometheus else ()
    for r in rules if prometheus else ():
        asked = PrometheusRule(
            r.name,
            r.expr,
            hold=r.holding,
            every=r.every,
            labels=dict(r.labels),
            annotations={"summary": r.summary} if r.summary else {},
        )
        query = prometheus.query if prometheus else None
        if query is not None:
            found.append(
                PrometheusWatch(asked, query, emit=emit, clock=clock, on_trouble=on_trouble, firing=firing).run
            )
    return found


def _checks(settings: Settings) -> list[HealthCheck]:
    """The configured probes, then the `health` address of each service that no probe asks already."""
    configured = [
        HealthCheck(
            p.name,
            p.url,
            every=p.every,
            timeout=p.timeout,
            fails=p.failures,
            passes=p.successes,
            expect=tuple(p.expect_status),
            labels=dict(p.labels),
        )
        for p in settings.sources.probes
    ]
    asked = {check.url for check in configured}
    of_services = [
        HealthCheck(f"{name} health", service.health, labels=dict(service.match))
        for name, service in settings.services.items()
        if service.health and service.health not in asked
    ]
    return configured + of_services
