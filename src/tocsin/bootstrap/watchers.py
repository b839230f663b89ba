"""The sources that Tocsin watches by itself: probes, logs, mail, heartbeats, rules. What they see goes to the desk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tocsin.bootstrap.hearing import HEARTBEATS, LOGS, PROBES, RULES, Hearing, Watched
from tocsin.bootstrap.house import Background
from tocsin.bootstrap.mailing import mailbox
from tocsin.bootstrap.senders import heartbeats
from tocsin.config import Settings
from tocsin.config import logs as config
from tocsin.config.scalars import host_port
from tocsin.engine.ingest_log import Direct
from tocsin.engine.ports import Clock
from tocsin.evidence.prometheus import Prometheus
from tocsin.incident.alert import Alert
from tocsin.procedures.redaction import redact
from tocsin.signals.exceptions import ExceptionRule, ExceptionWatch
from tocsin.signals.heartbeat import Beats, HeartbeatWatch
from tocsin.signals.lines import CommandLines, FileLines, Lines
from tocsin.signals.logwatch import LogRule, LogWatch
from tocsin.signals.loki import LokiAddress, LokiLines
from tocsin.signals.probe import HealthCheck, Probe
from tocsin.signals.prometheus import PrometheusRule, PrometheusWatch
from tocsin.signals.syslog import SyslogServer
from tocsin.signals.watching import Emit, OnTrouble
from tocsin.signals.workload import WorkloadLines


def watchers(
    settings: Settings,
    ingest: Direct,
    *,
    clock: Clock,
    firing: Sequence[Alert],
    prometheus: Prometheus | None,
    on_trouble: OnTrouble,
    hearing: Hearing,
) -> list[Background]:
    """One endless job for each configured source. `firing` are alerts that were left firing when last stopped."""

    def emit(kind: str, name: str) -> Emit:
        return Watched(kind, name, ingest=ingest, hearing=hearing).emit

    found: list[Background] = []
    for check in _checks(settings):
        found.append(Probe(check, emit=emit(PROBES, check.name), clock=clock, on_trouble=on_trouble, firing=firing).run)
    syslog = _syslog(settings)
    for w in settings.sources.logs:
        lines = _lines(w, settings, clock=clock, syslog=syslog)
        found.append(_log_watch(w, lines, emit=emit(LOGS, w.name), clock=clock, on_trouble=on_trouble, firing=firing))
    if syslog is not None:
        found.append(syslog.run)
    post = mailbox(settings, ingest, clock=clock, on_trouble=on_trouble, hearing=hearing)
    if post is not None:
        found.append(post.run)
    for heartbeat in heartbeats(settings):
        last = partial(Beats(ingest.desk.core).last, heartbeat.name)
        told = emit(HEARTBEATS, heartbeat.name)
        beating = HeartbeatWatch(heartbeat, last, emit=told, clock=clock, on_trouble=on_trouble, firing=firing)
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
                PrometheusWatch(
                    asked, query, emit=emit(RULES, r.name), clock=clock, on_trouble=on_trouble, firing=firing
                ).run
            )
    return found


def _log_watch(
    w: config.LogWatch,
    lines: Lines,
    *,
    emit: Emit,
    clock: Clock,
    on_trouble: OnTrouble,
    firing: Sequence[Alert],
) -> Background:
    labels, window, resolve = dict(w.labels), w.within, w.resolve_after
    if w.pattern is None:
        stacks = ExceptionRule(w.name, threshold=w.threshold, window=window, resolve_after=resolve, labels=labels)
        return ExceptionWatch(
            stacks, lines, emit=emit, clock=clock, on_trouble=on_trouble, firing=firing, redact=redact
        ).run
    rule = LogRule(
        w.name, w.pattern.pattern, threshold=w.threshold, window=window, resolve_after=resolve, labels=labels
    )
    return LogWatch(rule, lines, emit=emit, clock=clock, on_trouble=on_trouble, firing=firing, redact=redact).run


def _lines(w: config.LogWatch, settings: Settings, *, clock: Clock, syslog: SyslogServer | None) -> Lines:
    """Where the lines of a watch come from. Traces of several streams can only be put together when they are marked."""
    loki = settings.sources.loki
    if w.loki and loki:
        address = LokiAddress(
            loki.url, token=loki.token.get_secret_value() if loki.token else "", tenant=loki.tenant or ""
        )
        return LokiLines(address, w.loki, clock=clock, mark=w.exceptions)
    if w.syslog and syslog:
        return syslog.lines(w.syslog, mark=w.exceptions)
    if w.workload:
        given = {name: value.get_secret_value() for name, value in settings.procedures.environment.items()}
        return WorkloadLines(w.workload, namespace=w.namespace or "", mark=w.exceptions, environment=given)
    return FileLines(w.file) if w.file else CommandLines(list(w.command))


def _syslog(settings: Settings) -> SyslogServer | None:
    """One for all the watches that listen to it; None where nothing is listened to."""
    given = settings.sources.syslog
    return SyslogServer(*host_port(given.listen)) if given else None


def _checks(settings: Settings) -> list[HealthCheck]:
    """The configured probes, then the `health` address of each service that no probe asks already."""
    configured = [
        HealthCheck(
            p.name,
            p.url,
            every=p.every,
            timeout=p.timeout,
            fails=p.failures,
            of=p.of,
            passes=p.successes,
            latency=p.latency,
            expect=tuple(p.expect_status),
            expires_within=p.expires_within,
            verify=p.verify,
            record=p.record,
            server=p.server or "",
            answers=tuple(p.expect),
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
