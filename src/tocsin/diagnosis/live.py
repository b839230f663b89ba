"""What is asked of production before any incident, to compare it with the runbook. Values only."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tocsin.diagnosis.facts import Application, Autoscaler, Database, Taken, Workload
from tocsin.runbook.model import Finding


class Answered(Struct, frozen=True):
    """An address asked for the sake of the check. `anything` is that it answers the same for an address below it that
    cannot exist: then it says nothing of the service."""

    url: str
    status: int | None
    reason: str = ""
    anything: bool = False


class Tool(Struct, frozen=True):
    """A program that the runbook's steps start on this machine, with the line that does first."""

    name: str
    line: int
    found: bool


class Permission(Struct, frozen=True):
    """What the commands of the runbook need, and whether whoever runs them may."""

    verb: str
    resource: str
    namespace: str
    line: int
    allowed: bool
    group: str = ""
    sub: str = ""

    @property
    def said(self) -> str:
        full = f"{self.resource}/{self.sub}" if self.sub else self.resource
        return f"{self.verb} {full}"


class Truth(Struct, frozen=True):
    """One comparison: what contradicts the document, which of that is new, and what could not be asked."""

    at: datetime
    findings: tuple[Finding, ...] = ()
    unasked: tuple[str, ...] = ()
    new: tuple[Finding, ...] = ()


class Live(Struct, frozen=True):
    """What production says. Workloads, autoscalers are of every namespace that may be read."""

    at: datetime
    namespaces: Taken[str] = Taken()
    workloads: Taken[Workload] = Taken()
    autoscalers: Taken[Autoscaler] = Taken()
    applications: Taken[Application] = Taken()
    metrics: Taken[str] = Taken()
    databases: Taken[Database] = Taken()
    addresses: Taken[Answered] = Taken()
    links: Taken[Answered] = Taken()
    tools: Taken[Tool] = Taken()
    permissions: Taken[Permission] = Taken()
