"""`[[sources.logs]]` and where their lines come from: `[sources.loki]`, `[sources.syslog]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from tocsin.config.scalars import Count, FilePath, Flag, HostPort, HttpUrl, Name, PositiveDuration, Secret, wrong
from tocsin.config.table import Table
from tocsin.signals.matching import Pattern as Searched

_ORIGINS = ("file", "command", "workload", "loki", "syslog")


def _searchable(value: re.Pattern[str]) -> re.Pattern[str]:
    try:
        Searched(value.pattern)
    except ValueError as exc:
        raise wrong(str(exc)) from exc
    return value


def _workload(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z.]*/[a-z0-9][a-z0-9.-]*", value):
        raise wrong('is not a workload: write it like "deployment/backend"')
    return value


class LogWatch(Table):
    """Lines followed: `threshold` matches `within` fire, quiet for `resolve_after` resolves.

    They come from one of `file`, `command`, `workload` (in `namespace`), `loki` (a query) and `syslog` (a program, or
    `*`). A match is a line that `pattern` finds; with `exceptions` it is a stack trace, each different one an alert of
    its own.
    """

    name: Name
    file: FilePath | None = None
    command: tuple[Name, ...] = ()
    workload: Annotated[Name, AfterValidator(_workload)] | None = None
    namespace: Name | None = None
    loki: Name | None = None
    syslog: Name | None = None
    pattern: Annotated[re.Pattern[str], AfterValidator(_searchable)] | None = None
    exceptions: Flag = False
    threshold: Count = 1
    within: PositiveDuration = timedelta(minutes=1)
    resolve_after: PositiveDuration = timedelta(minutes=5)
    labels: Mapping[Name, str] = {}

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in _ORIGINS if getattr(self, name)]
        if len(given) != 1:
            raise wrong(
                'needs either file = "path", command = ["program", "argument"], workload = "deployment/name", '
                'loki = "{...}" or syslog = "program", and no two of them'
            )
        if (self.pattern is None) != self.exceptions:
            raise wrong('needs either pattern = "..." or exceptions = true, not both')
        return self


class Loki(Table):
    """`tenant` is sent as X-Scope-OrgID."""

    url: HttpUrl
    token: Secret | None = None
    tenant: Name | None = None


class Syslog(Table):
    """Where syslog is listened to, UDP and TCP."""

    listen: HostPort = "127.0.0.1:5514"
