"""`[sources]`: where signals come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Protocol, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from tocsin.config.inbound import EmailIn, Sns
from tocsin.config.limits import LimitsTable
from tocsin.config.logs import LogWatch, Loki, Syslog
from tocsin.config.probes import Probe
from tocsin.config.scalars import Duration, Flag, HttpUrl, Name, PositiveDuration, Secret, wrong
from tocsin.config.table import Table
from tocsin.signals.mapped import ENDED, refusal


class PrometheusRule(Table):
    """A query asked `every` so often; each series it returns for as long as `for` is a firing alert, `labels` added."""

    name: Name
    expr: Name
    holding: Duration = Field(default=timedelta(minutes=2), validation_alias="for")
    every: PositiveDuration = timedelta(seconds=30)
    labels: Mapping[Name, str] = {}
    summary: str = ""


class Heartbeat(Table):
    """What must be heard `every` so often, or `grace` later it is an alert with `labels`.

    A beat is a request to its address, or an alert whose labels hold all of `match`.
    """

    name: Name
    every: PositiveDuration = timedelta(minutes=5)
    grace: Duration = timedelta(minutes=1)
    match: Mapping[Name, str] = {}
    labels: Mapping[Name, str] = {}


def _expression(value: str) -> str:
    reason = refusal(value)
    if reason:
        raise wrong(f'is no JMESPath expression ({reason}): write it like "incident.title"')
    return value


Expression = Annotated[Name, AfterValidator(_expression)]
"""JMESPath into the body that a sender posts."""


class AlertMapping(Table):
    """How a sender's own JSON is read: each field is where in the body it stands.

    `alerts` is where a list of alerts stands; None means that a body is one. `resolved` are the values of `status` that
    say that it is over.
    """

    name: Name
    title: Expression
    key: Expression | None = None
    status: Expression | None = None
    severity: Expression | None = None
    service: Expression | None = None
    description: Expression | None = None
    url: Expression | None = None
    alerts: Expression | None = None
    labels: Mapping[Name, Expression] = {}
    resolved: Annotated[tuple[Name, ...], Field(min_length=1)] = ENDED


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Entry = TypeVar("_Entry", bound=_Named)


def unlike(entries: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    twice = [name for name, count in Counter(e.name for e in entries).items() if count > 1]
    if twice:
        raise wrong(f'has two entries named "{twice[0]}": give each its own name')
    return entries


class Prometheus(Table):
    url: HttpUrl
    rules: Annotated[tuple[PrometheusRule, ...], AfterValidator(unlike)] = ()


class InboundAlerts(Table):
    """`token` is asked of every inbound alert; None means that only this machine itself may send them."""

    token: Secret | None = None


class Reports(Table):
    """`public` lets anybody who reaches the page report a problem."""

    public: Flag = True


class Sources(Table):
    prometheus: Prometheus | None = None
    loki: Loki | None = None
    syslog: Syslog | None = None
    email: EmailIn | None = None
    sns: Sns = Sns()
    probes: Annotated[tuple[Probe, ...], AfterValidator(unlike)] = ()
    logs: Annotated[tuple[LogWatch, ...], AfterValidator(unlike)] = ()
    heartbeats: Annotated[tuple[Heartbeat, ...], AfterValidator(unlike)] = ()
    mappings: Annotated[tuple[AlertMapping, ...], AfterValidator(unlike)] = ()
    alerts: InboundAlerts = InboundAlerts()
    limits: LimitsTable = LimitsTable()
    reports: Reports = Reports()

    @model_validator(mode="after")
    def _origins_of_logs(self) -> Self:
        for watch in self.logs:
            if watch.loki and self.loki is None:
                raise wrong(
                    f'has a log watch "{watch.name}" of Loki: say where that is, [sources.loki] url = "http://..."'
                )
            if watch.syslog and self.syslog is None:
                raise wrong(f'has a log watch "{watch.name}" of syslog: have it listened to, [sources.syslog]')
        return self
