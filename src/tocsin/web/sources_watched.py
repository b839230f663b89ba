"""The sources of our own as the sources page shows them: mail that is taken in here, and what is watched from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from tocsin.bootstrap.hearing import HEARTBEATS, KINDS, LOGS, PROBES, RULES
from tocsin.config import Settings
from tocsin.config.logs import LogWatch
from tocsin.incident.alert import Alert
from tocsin.incident.wording import duration
from tocsin.signals import mail, mailbox
from tocsin.signals.watching import Subject
from tocsin.web.sources_catalogue import Decode, SourceKind

_MAIL = "Subject: PROBLEM: disk full on db-1\r\nFrom: monitor@example.com\r\n\r\nA test: 97 % of /var is used.\r\n"
_SOURCES = {PROBES: "probe", LOGS: "log", RULES: "prometheus", HEARTBEATS: "heartbeat"}


def watched(settings: Settings) -> tuple[SourceKind, ...]:
    """Mail first, then probes, logs, queries and heartbeats, each in the order of the settings."""
    return (*_mail(settings), *_probes(settings), *_logs(settings), *_rules(settings), *_heartbeats(settings))


def _mail(settings: Settings) -> Iterator[SourceKind]:
    box = settings.sources.email
    if box is not None:
        to = f"{box.alerts}+TOKEN@HOST for alerts, {box.reports}@HOST for what people report"
        yield SourceKind(
            mailbox.NAME, "E-mail", "", "after the + of the address", "", _MAIL,
            lambda body, at: mail.decode(body, at=at, resolved=box.resolved, labels=box.labels),
            address=f"{to}, by SMTP at {box.listen}",
        )  # fmt: skip


def _probes(settings: Settings) -> Iterator[SourceKind]:
    for p in settings.sources.probes:
        yield _watch(PROBES, p.name, p.labels, f"asked every {duration(p.every)}")
    asked = {p.url for p in settings.sources.probes}
    for name, service in settings.services.items():
        if service.health and service.health not in asked:
            yield _watch(PROBES, f"{name} health", service.match, f"the health of [services.{name}]")


def _logs(settings: Settings) -> Iterator[SourceKind]:
    for w in settings.sources.logs:
        what = "stack traces" if w.pattern is None else f"lines that match {w.pattern.pattern}"
        yield _watch(LOGS, w.name, w.labels, f"{what}, of {_origin(w)}")


def _origin(w: LogWatch) -> str:
    if w.workload:
        return w.workload
    return "Loki" if w.loki else "syslog" if w.syslog else "a file" if w.file else "a command"


def _rules(settings: Settings) -> Iterator[SourceKind]:
    prometheus = settings.sources.prometheus
    for r in prometheus.rules if prometheus else ():
        yield _watch(RULES, r.name, r.labels, f"{r.expr}, for {duration(r.holding)}, asked every {duration(r.every)}")


def _heartbeats(settings: Settings) -> Iterator[SourceKind]:
    for h in settings.sources.heartbeats:
        yield _watch(HEARTBEATS, h.name, h.labels, f"due every {duration(h.every)}, with {duration(h.grace)} of grace")


def _watch(kind: str, name: str, labels: Mapping[str, str], what: str) -> SourceKind:
    """A watch as a source; its sample is the alert that it would hand over."""
    return SourceKind(
        f"{kind}/{name}", f"{name} ({KINDS[kind]})", "", "", "", f"what {name} would say", _firing(kind, name, labels),
        address=what,
    )  # fmt: skip


def _firing(kind: str, name: str, labels: Mapping[str, str]) -> Decode:
    subject = Subject(name, source=_SOURCES[kind], labels=labels)

    def decode(body: bytes, at: datetime) -> list[Alert]:
        return [subject.firing(at, {"summary": f"A test: {name}"})]

    return decode
