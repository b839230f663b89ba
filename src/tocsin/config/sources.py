"""`[sources]`: where signals come from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Protocol, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from tocsin.config.scalars import (
    Count,
    Duration,
    FilePath,
    Flag,
    HttpUrl,
    Name,
    PositiveDuration,
    Secret,
    Statuses,
    wrong,
)
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


class Probe(Table):
    """A URL fetched `every` so often: firing after `failures` in a row, resolved after `successes` in a row.

    `expect_status` empty means any status below 400.
    """

    name: Name
    url: HttpUrl
    every: PositiveDuration = timedelta(seconds=30)
    failures: Count = 3
    successes: Count = 2
    timeout: PositiveDuration = timedelta(seconds=5)
    expect_status: Statuses = ()
    labels: Mapping[Name, str] = {}


class LogWatch(Table):
    """A file or a command's output, followed: `threshold` matches `within` fire, quiet for `resolve_after` resolves."""

    name: Name
    file: FilePath | None = None
    command: tuple[Name, ...] = ()
    pattern: re.Pattern[str]
    threshold: Count = 1
    within: PositiveDuration = timedelta(minutes=1)
    resolve_after: PositiveDuration = timedelta(minutes=5)
    labels: Mapping[Name, str] = {}

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.file is None) == (not self.command):
            raise wrong('needs either file = "path" or command = ["program", "argument"], not both')
        return self


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


def _unlike(entries: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    twice = [name for name, count in Counter(e.name for e in entries).items() if count > 1]
    if twice:
        raise wrong(f'has two entries named "{twice[0]}": give each its own name')
    return entries


class Prometheus(Table):
    url: HttpUrl
    rules: Annotated[tuple[PrometheusRule, ...], AfterValidator(_unlike)] = ()


class InboundAlerts(Table):
    """`token` is asked of every inbound alert; None means that only this machine itself may send them."""

    token: Secret | None = None


class Reports(Table):
    """`public` lets anybody who reaches the page report a problem."""

    public: Flag = True


class Sources(Table):
    prometheus: Prometheus | None = None
    probes: Annotated[tuple[Probe, ...], AfterValidator(_unlike)] = ()
    logs: Annotated[tuple[LogWatch, ...], AfterValidator(_unlike)] = ()
    heartbeats: Annotated[tuple[Heartbeat, ...], AfterValidator(_unlike)] = ()
    mappings: Annotated[tuple[AlertMapping, ...], AfterValidator(_unlike)] = ()
    alerts: InboundAlerts = InboundAlerts()
    reports: Reports = Reports()
