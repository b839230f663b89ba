"""`[[sources.probes]]`: what is asked again and again, and when its answer is a failure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Strict, model_validator

from tocsin.config.scalars import Count, Duration, Flag, Name, Names, PositiveDuration, Statuses, is_url, wrong
from tocsin.config.table import Table
from tocsin.signals.probe import SCHEMES
from tocsin.signals.reaching import name_server


def _probe_url(value: str) -> str:
    if not is_url(value, *SCHEMES):
        raise wrong('is not what a probe can ask: write it like "https://host/path", "tcp://host:5432", "tls://host" '
                    'or "dns://name"')  # fmt: skip
    if urlsplit(value).scheme == "tcp" and urlsplit(value).port is None:
        raise wrong('names no port: write it like "tcp://host:5432"')
    return value


def _name_server(value: str) -> str:
    try:
        name_server(value)
    except ValueError as exc:
        raise wrong('is not the address of a name server: write it like "192.0.2.53" or "192.0.2.53:5353"') from exc
    return value


ProbeUrl = Annotated[str, Strict(), AfterValidator(_probe_url)]
NameServer = Annotated[Name, AfterValidator(_name_server)]
Record = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]


class Probe(Table):
    """An address asked `every` so often: fires after `failures` in a row, or among the last `of`; resolves after
    `successes` in a row.

    `expect_status` empty means any status below 400. `latency` is the longest that a good answer may take.
    `expires_within` and `verify` are of certificates; `record`, `server` and `expect` of names.
    """

    name: Name
    url: ProbeUrl
    every: PositiveDuration = timedelta(seconds=30)
    failures: Count = 3
    of: Count | None = None
    successes: Count = 2
    timeout: PositiveDuration = timedelta(seconds=5)
    latency: PositiveDuration | None = None
    expect_status: Statuses = ()
    expires_within: Duration = timedelta(days=14)
    verify: Flag = True
    record: Record = "A"
    server: NameServer | None = None
    expect: Names = ()
    labels: Mapping[Name, str] = {}

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.of is not None and self.of < self.failures:
            raise wrong(f"can never fire: of = {self.of} observations, failures = {self.failures} of them")
        return self
