"""What the store keeps beside timelines: alerts, work with its lease, evidence, credentials, answers given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from tocsin.incident.alert import Alert
from tocsin.incident.work import Work


class AlertRecord(Struct, frozen=True):
    """The alert as last described, and the incident it belongs to (None for an alert that is no incident)."""

    alert: Alert
    incident_id: str | None
    first_seen_at: datetime
    last_seen_at: datetime


class Head(Struct, frozen=True):
    """An incident's number, and whether it is resolved or closed."""

    number: int
    over: bool


class Agenda(Struct, frozen=True):
    """When the clock next has something to do (None: nothing is owed), and from when work of a kind can be claimed."""

    due: datetime | None
    work: Mapping[str, datetime]


class WorkItem(Struct, frozen=True):
    """Work to do, claimed by `owner` until `lease_until`. `attempt` counts from 1; `uncertain` means that an earlier
    attempt may have succeeded without our knowing. `due_at` is from when this attempt could be made. Items of one
    `bundle` and channel may share a hand-over."""

    id: int
    incident_id: str
    work: Work
    channel: str
    idempotency_key: str
    attempt: int
    uncertain: bool
    created_at: datetime
    due_at: datetime
    bundle: str = ""


class Evidence(Struct, frozen=True):
    """What a step gave: redacted output, outcome, sha256 of the output. `command` is the document's own text."""

    id: str
    incident_id: str
    run: str
    index: int
    title: str
    command: str
    outcome: str
    reason: str
    exit_code: int | None
    stdout: str
    stderr: str
    cut_bytes: int
    started_at: datetime
    ended_at: datetime
    digest: str
    chart: str = ""


class Token(Struct, frozen=True):
    """A credential by its hash. `kind` is api, session, once (sign-in link); None never expires."""

    hash: str
    name: str
    role: str
    kind: str
    created_at: datetime
    expires_at: datetime | None


class Answered(Struct, frozen=True):
    """The answer given to a request with an Idempotency-Key; `request` is the hash of method, path, actor and body."""

    key: str
    request: str
    status: int
    body: str
    at: datetime


class Published(Struct, frozen=True):
    """A timeline entry with its place in the stream of all incidents; `position` only grows."""

    position: int
    incident_id: str
    number: int
    seq: int
