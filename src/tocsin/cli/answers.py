"""The API's answers, as far as the command line shows them. A field the server leaves out is empty, one it adds is
passed over: an older command line goes on working against a newer server."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field


class Deadline(Struct, frozen=True):
    """`owed_at` is before `due_at` where that is only another reminder."""

    due_at: datetime
    what: str = ""
    who: str = ""
    kind: str = ""
    overdue: bool = False
    owed_at: datetime | None = None


class Item(Struct, frozen=True):
    """One thing to tick; `group` is `verification`, `follow_up`, `post_incident` or `other`."""

    id: str
    text: str = ""
    checklist: str = ""
    group: str = ""
    done: bool = False
    by: str | None = None
    note: str = ""
    due_at: datetime | None = None


class AnsweredQuestion(Struct, frozen=True):
    question: str
    answer: str
    by: str = ""
    reason: str = ""


class Question(Struct, frozen=True):
    question: str
    slug: str


class Leaf(Struct, frozen=True):
    action: str
    command: str | None = None
    mitigation: str | None = None
    see: str | None = None
    escalate: bool = False


class Decision(Struct, frozen=True):
    """Answered so far, then the next question or the leaf; neither where the runbook has no tree."""

    path: tuple[AnsweredQuestion, ...] = ()
    question: Question | None = None
    leaf: Leaf | None = None


class Page(Struct, frozen=True):
    role: str
    person: str
    at: datetime
    informed: bool = False
    delivered: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class ActionItem(Struct, frozen=True):
    id: str
    title: str
    owner: str
    due_at: datetime
    kind: str = ""
    done_at: datetime | None = None


class Step(Struct, frozen=True):
    """A step of a run; `command`, `output` and `cut_bytes` only where the whole run was asked for."""

    title: str
    index: int = 0
    status: str = ""
    outcome: str | None = None
    reason: str = ""
    exit_code: int | None = None
    command: str = ""
    output: str = ""
    cut_bytes: int = 0


class Run(Struct, frozen=True):
    """`status` is running, done, failed, cancelled or unknown."""

    id: str
    status: str
    title: str = ""
    procedure: str = ""
    purpose: str = ""
    steps: tuple[Step, ...] = ()


class Said(Struct, frozen=True):
    """A piece of what a running step writes."""

    step: int
    text: str = ""


class StepEnded(Struct, frozen=True):
    step: int
    outcome: str = ""
    reason: str = ""


class RunStarted(Struct, frozen=True):
    run: str


class Approval(Struct, frozen=True):
    """`status` is pending, approved, rejected, expired, running, done, failed or unknown."""

    id: str
    status: str
    expires_at: datetime
    step_class: str = field(default="", name="class")
    needs: int = 1
    slug: str = ""
    action: str = ""
    command: str = ""
    values: dict[str, str] = {}
    requested_by: str = ""
    approved_by: tuple[str, ...] = ()
    context: str = ""
    target: str = ""
    watch: str = ""
    undo: str = ""
    advice: str = ""
    broken_glass: str = ""
    reason: str = ""
    evidence: str | None = None


class Proposed(Struct, frozen=True):
    approval: Approval


class Suggestion(Struct, frozen=True):
    value: str
    label: str = ""


class Asked(Struct, frozen=True):
    """A value to give: one of `choices` where there are any, else `reason` says why there are none."""

    name: str
    refused: str | None = None
    choices: tuple[str, ...] = ()
    reason: str = ""
    suggestions: tuple[Suggestion, ...] = ()


class Values(Struct, frozen=True):
    values: tuple[Asked, ...] = ()


class Verification(Struct, frozen=True):
    status: str
    earliest_at: datetime
    latest_at: datetime
    cause: str = ""
    reason: str = ""


class Public(Struct, frozen=True):
    status: str | None = None
    title: str = ""


class Brief(Struct, frozen=True):
    """An incident as lists show it."""

    number: int
    title: str
    severity: str
    status: str
    opened_at: datetime
    service: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledge_due_at: datetime | None = None
    sla: str = ""
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    commander: str | None = None
    alerts_total: int = 0
    alerts_firing: int = 0
    link: str = ""


class Incident(Brief, frozen=True):
    """`missing` is what keeps it from being resolved, in words."""

    severity_reason: str = ""
    summary: str = ""
    roles: dict[str, str] = {}
    facts: dict[str, str] = {}
    deadlines: tuple[Deadline, ...] = ()
    checklist: tuple[Item, ...] = ()
    decision: Decision = Decision()
    pages: tuple[Page, ...] = ()
    runs: tuple[Run, ...] = ()
    approvals: tuple[Approval, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    verification: Verification | None = None
    resolve_requested_by: str | None = None
    missing: tuple[str, ...] = ()
    public: Public = Public()
    absorbed: tuple[int, ...] = ()
    merged_into: int | None = None
    split_from: int | None = None
    split_off: tuple[int, ...] = ()
    resolve_proposed_at: datetime | None = None
    quiet_since: datetime | None = None

    def approval(self, id_: str) -> Approval | None:
        return next((a for a in self.approvals if a.id == id_), None)


class Incidents(Struct, frozen=True):
    incidents: tuple[Brief, ...]
    next: str | None = None


class RelatedOne(Struct, frozen=True):
    incident: Brief
    reasons: tuple[str, ...] = ()


class RelatedOnes(Struct, frozen=True):
    related: tuple[RelatedOne, ...]


class Alert(Struct, frozen=True):
    fingerprint: str
    status: str
    name: str = ""
    summary: str = ""
    labels: dict[str, str] = {}


class Alerts(Struct, frozen=True):
    alerts: tuple[Alert, ...]
    next: str | None = None


class Entry(Struct, frozen=True):
    seq: int
    at: datetime
    text: str = ""


class Evidence(Struct, frozen=True):
    stdout: str = ""
    stderr: str = ""
    cut_bytes: int = 0


class BookPlaceholder(Struct, frozen=True):
    name: str


class BookStep(Struct, frozen=True):
    title: str
    kind: str = ""
    step_class: str = field(default="", name="class")
    placeholders: tuple[BookPlaceholder | str, ...] = ()


class BookProcedure(Struct, frozen=True):
    title: str
    slug: str
    steps: tuple[BookStep, ...] = ()


class BookDocument(Struct, frozen=True):
    """A document that the runbook links to, as far as it can be run."""

    title: str = ""
    target: str = ""
    procedures: tuple[BookProcedure, ...] = ()


class BookMitigation(Struct, frozen=True):
    action: str
    slug: str
    when: str = ""
    command: str | None = None
    step_class: str | None = field(default=None, name="class")


class Indicator(Struct, frozen=True):
    severity: str
    text: str


class BookSeverity(Struct, frozen=True):
    name: str
    description: str = ""


class Book(Struct, frozen=True):
    """The runbook in force."""

    procedures: tuple[BookProcedure, ...] = ()
    mitigations: tuple[BookMitigation, ...] = ()
    leaf_actions: tuple[BookMitigation, ...] = ()
    severities: tuple[BookSeverity, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    linked: tuple[BookDocument, ...] = ()
