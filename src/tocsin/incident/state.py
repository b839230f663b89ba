"""An incident as its timeline says it is: the fold's result. Rebuildable at any time; kept only as a cache."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from tocsin.incident.preflight import Check
from tocsin.runbook.model import StepClass


class Status(StrEnum):
    """open (unacknowledged) -> acknowledged -> mitigating -> monitoring -> resolved -> closed (reviewed)."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATING = "mitigating"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def over(self) -> bool:
        return self in (Status.RESOLVED, Status.CLOSED)


class Page(Struct, frozen=True):
    """`of` is the number of the incident that it was sent for, when that was merged into this one; else 0."""

    key: str
    role: str
    person: str
    at: datetime
    cause: str
    informed: bool = False
    contacts: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    of: int = 0


class Other(Struct, frozen=True):
    """Another incident, by which this one was joined or from which it was split."""

    number: int
    id: str
    title: str


class StepState(Struct, frozen=True):
    index: int
    title: str
    outcome: str | None = None
    reason: str = ""
    exit_code: int | None = None
    evidence: str | None = None
    at: datetime | None = None
    seconds: float = 0.0


class Run(Struct, frozen=True):
    """`status` is running, done, failed, cancelled or unknown."""

    id: str
    procedure: str
    title: str
    purpose: str
    started_at: datetime
    by: str
    steps: tuple[StepState, ...]
    status: str = "running"
    ended_at: datetime | None = None
    values: dict[str, str] = {}


class Approval(Struct, frozen=True):
    """`status` is pending, approved, rejected, expired, running, done, failed or unknown.

    `broken_glass` is an admin's reason to run it without anybody's approval. `checks` were looked at before, `observed`
    afterwards, each the latest of its kind.
    """

    id: str
    slug: str
    action: str
    command: str
    step_class: StepClass
    needs: int
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    binding: str
    values: dict[str, str]
    approved_by: tuple[str, ...] = ()
    context: str = ""
    target: str = ""
    watch: str = ""
    undo: str = ""
    broken_glass: str = ""
    status: str = "pending"
    reason: str = ""
    evidence: str | None = None
    ended_at: datetime | None = None
    checks: tuple[Check, ...] = ()
    template: str = ""
    observed: tuple[Check, ...] = ()


class Answer(Struct, frozen=True):
    question: str
    answer: str
    by: str
    at: datetime
    reason: str = ""
    evidence: str | None = None


class Tick(Struct, frozen=True):
    item: str
    done: bool
    by: str
    at: datetime
    note: str = ""


class PublicUpdate(Struct, frozen=True):
    status: str
    text: str
    at: datetime


class Message(Struct, frozen=True):
    """A message posted to the team's channel."""

    template: str
    text: str
    at: datetime
    by: str
    missing: tuple[str, ...] = ()


class Verification(Struct, frozen=True):
    """`status` is watching, passed or failed."""

    started_at: datetime
    earliest_at: datetime
    latest_at: datetime
    run: str | None
    cause: str
    status: str = "watching"
    reason: str = ""


class ActionItem(Struct, frozen=True):
    id: str
    title: str
    owner: str
    due_at: datetime
    kind: str = ""
    done_at: datetime | None = None


class Incident(Struct, frozen=True):
    """All instants are aware UTC. `clock_started_at` is when the ladder's clock began: opened, or last reopened.

    `first_resolved_at` survives a reopening. `version` is the seq of the last event folded in. `groups` are the first
    groups of its alerts, each as `group_signal` names it; `reporters` who reported it, empty for somebody unnamed.
    `quiet_since` is when the last alert of those it has stopped firing, None while one fires and where there is none;
    `proposed_at` when it was proposed since to resolve it. `labels` are those of the alert that opened it. `services`
    are those it is about beside its own; `unrelated` the ids of incidents that a person keeps apart from it.
    """

    id: str
    number: int
    title: str
    severity: str
    severity_reason: str
    status: Status
    service: str
    source: str
    runbook: str
    opened_at: datetime
    clock_started_at: datetime
    version: int
    summary: str = ""
    linked: tuple[str, ...] = ()
    generation: int = 0
    alerts_total: int = 0
    alerts_firing: int = 0
    groups: tuple[str, ...] = ()
    reporters: tuple[str, ...] = ()
    reported_at: datetime | None = None
    impact_started_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledge_due_at: datetime | None = None
    acknowledge_missed: bool = False
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    first_resolved_at: datetime | None = None
    closed_at: datetime | None = None
    severity_changed_at: datetime | None = None
    roles: dict[str, str] = {}
    facts: dict[str, str] = {}
    pages: tuple[Page, ...] = ()
    passed: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    answers: tuple[Answer, ...] = ()
    approvals: tuple[Approval, ...] = ()
    ticks: tuple[Tick, ...] = ()
    updates: tuple[Message, ...] = ()
    public: tuple[PublicUpdate, ...] = ()
    public_title: str = ""
    last_update_at: datetime | None = None
    update_reminders: int = 0
    update_reminded_at: datetime | None = None
    verification: Verification | None = None
    resolve_requested_by: str | None = None
    action_items: tuple[ActionItem, ...] = ()
    reminded: tuple[str, ...] = ()
    first_role: str = ""
    drill: bool = False
    after_quiet: str = ""
    quiet: timedelta | None = None
    quiet_since: datetime | None = None
    proposed_at: datetime | None = None
    labels: dict[str, str] = {}
    services: tuple[str, ...] = ()
    merged_into: Other | None = None
    absorbed: tuple[Other, ...] = ()
    split_from: Other | None = None
    split_off: tuple[Other, ...] = ()
    unrelated: tuple[str, ...] = ()

    @property
    def commander(self) -> str | None:
        return self.roles.get("commander")

    def approval(self, approval: str) -> Approval | None:
        return next((a for a in self.approvals if a.id == approval), None)

    def run(self, run: str) -> Run | None:
        return next((r for r in self.runs if r.id == run), None)

    def ticked(self, item: str) -> bool:
        return any(t.item == item and t.done for t in self.ticks)
