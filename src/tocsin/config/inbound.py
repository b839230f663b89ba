"""`[sources.email]` and `[sources.sns]`: how alerts come in that need more than an address to post to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from tocsin.config.scalars import FilePath, HostPort, Name, Names, Secret, wrong
from tocsin.config.table import Table
from tocsin.signals.mail import OVER


def _local_part(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", value):
        raise wrong('is not the part of an address before "+" and "@": write it like "alerts"')
    return value.casefold()


LocalPart = Annotated[str, Strict(), AfterValidator(_local_part)]


def _topic(value: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}", value):
        raise wrong('is not a topic: write it like "arn:aws:sns:eu-west-1:123456789012:ops"')
    return value


class EmailIn(Table):
    """Mail to `alerts+TOKEN@...` is an alert, mail to `reports@...` a person's report; `domains` empty takes every one.

    Without a `token` alerts are taken from programs on this machine only. With `certificate` and `key` STARTTLS is
    offered. `resolved` are the words of a subject that say that it is over. `largest` is in bytes.
    """

    listen: HostPort = "127.0.0.1:2525"
    token: Secret | None = None
    alerts: LocalPart = "alerts"
    reports: LocalPart = "reports"
    domains: Names = ()
    resolved: Annotated[tuple[Name, ...], Field(min_length=1)] = OVER
    largest: Annotated[int, Strict(), Field(ge=10_000, le=50_000_000)] = 5_000_000
    certificate: FilePath | None = None
    key: FilePath | None = None
    labels: Mapping[Name, str] = {}

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.alerts == self.reports:
            raise wrong("alerts and reports need different addresses")
        if (self.certificate is None) != (self.key is None):
            raise wrong("needs both certificate and key for STARTTLS, or neither")
        return self


class Sns(Table):
    """With `topics` only messages of these are taken, their signature is checked, and their confirmation is done."""

    topics: tuple[Annotated[str, Strict(), AfterValidator(_topic)], ...] = ()
