"""The JSON that the API gives, as types. Times are RFC 3339 in UTC, durations seconds; None is "not (yet)"."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field, RootModel
from typing_extensions import TypedDict

Instant: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class AlertJson(TypedDict):
    """`incident` is the number of the incident it belongs to."""

    fingerprint: str
    status: str
    name: str
    summary: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: Instant
    ends_at: Instant | None
    source: str
    generator_url: str
    first_seen_at: Instant
    last_seen_at: Instant
    incident: int | None


class AlertsJson(TypedDict):
    alerts: list[AlertJson]
    next: str | None


class SilenceJson(TypedDict):
    """`status` is pending, active or expired; `holding` firing alerts are held back by it now."""

    id: str
    status: str
    matchers: list[str]
    starts_at: Instant
    ends_at: Instant
    author: str
    comment: str
    created_at: Instant
    holding: int


class MaintenanceJson(TypedDict):
    """A window of the settings; `open_until` is null while it is shut."""

    name: str
    matchers: list[str]
    comment: str
    open_until: Instant | None
    holding: int


class SilencesJson(TypedDict):
    silences: list[SilenceJson]
    maintenance: list[MaintenanceJson]


class DeadlineJson(TypedDict):
    """`what` is owed by `who`, a role or a person; `overdue` is as of the answer.

    `due_at` is when something happens next; `owed_at` is before it where that is only another reminder.
    """

    kind: str
    due_at: Instant
    owed_at: Instant
    what: str
    who: str
    key: str
    overdue: bool


class ItemJson(TypedDict):
    """`due_at` is only on what is owed after the incident, once it is resolved."""

    id: str
    text: str
    checklist: str
    group: str
    done: bool
    by: str | None
    at: Instant | None
    note: str
    due_at: Instant | None


class EvidenceBriefJson(TypedDict):
    """What a step found; its whole output is at `/api/v1/incidents/{id}/evidence/{evidence id}`."""

    id: str
    run: str
    index: int
    title: str
    outcome: str
    reason: str
    exit_code: int | None
    at: Instant | None


class EvidenceJson(TypedDict):
    id: str
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
    started_at: Instant
    ended_at: Instant
    sha256: str
    chart: str | None


class AnswerJson(TypedDict):
    question: str
    slug: str
    answer: str
    by: str
    at: Instant | None
    reason: str
    evidence: str | None


class VerdictJson(TypedDict):
    """What facts say of a question; `evidence` is the id of what it rests on."""

    answer: str
    reason: str
    evidence: str | None


class QuestionJson(TypedDict):
    """`awaited` means that facts may answer it yet; `verdict` is what they said, None while they have not."""

    question: str
    slug: str
    awaited: bool
    verdict: VerdictJson | None


class CheckJson(TypedDict):
    """`state` is passed, failed or unknown."""

    what: str
    state: str
    said: str


class WeighedJson(TypedDict):
    """What measurements make of the severity by the runbook's indicators; `severity` null is unknown, `reason` why."""

    severity: str | None
    indicator: str | None
    reason: str


class IndicatorJson(TypedDict):
    """An indicator of the runbook as measurements answer it: a suggestion."""

    severity: str
    text: str
    answer: str
    reason: str


class LeafJson(TypedDict):
    """`mitigation` is the slug to propose, `see` a document, `escalate` whether to call for somebody."""

    action: str
    command: str | None
    mitigation: str | None
    see: str | None
    escalate: bool


class DecisionJson(TypedDict):
    """Where the incident stands in the tree: answered so far, then the next question or the leaf; None without one."""

    path: list[AnswerJson]
    question: QuestionJson | None
    leaf: LeafJson | None


class PageJson(TypedDict):
    """`informed` is a notice that wakes nobody. `delivered` and `failed` are channels."""

    key: str
    role: str
    person: str
    at: Instant
    cause: str
    informed: bool
    delivered: list[str]
    failed: list[str]


class UpdateJson(TypedDict):
    template: str
    text: str
    at: Instant
    by: str
    missing: list[str]


class ActionItemJson(TypedDict):
    id: str
    title: str
    owner: str
    due_at: Instant
    kind: str
    done_at: Instant | None


class StepBriefJson(TypedDict):
    index: int
    title: str
    status: str
    outcome: str | None
    reason: str
    evidence: str | None


class RunBriefJson(TypedDict):
    id: str
    procedure: str
    title: str
    purpose: str
    status: str
    by: str
    started_at: Instant
    ended_at: Instant | None
    steps: list[StepBriefJson]


StepJson = TypedDict(
    "StepJson",
    {
        "index": int,
        "title": str,
        "kind": str,
        "class": str,
        "command": str,
        "status": str,
        "exit_code": int | None,
        "outcome": str | None,
        "reason": str,
        "output": str,
        "cut_bytes": int,
        "evidence": str | None,
        "link": str | None,
        "started_at": Instant | None,
        "ended_at": Instant | None,
    },
)


class RunJson(TypedDict):
    """`status` is running, done, failed, cancelled or unknown."""

    id: str
    incident: int
    procedure: str
    title: str
    purpose: str
    status: str
    by: str
    values: dict[str, str]
    started_at: Instant
    ended_at: Instant | None
    steps: list[StepJson]


ApprovalJson = TypedDict(
    "ApprovalJson",
    {
        "id": str,
        "status": str,
        "class": str,
        "needs": int,
        "expires_at": Instant,
        "slug": str,
        "action": str,
        "command": str,
        "values": dict[str, str],
        "requested_by": str,
        "requested_at": Instant,
        "approved_by": list[str],
        "reason": str,
        "evidence": str | None,
        "ended_at": Instant | None,
        "context": str,
        "target": str,
        "watch": str,
        "undo": str,
        "advice": str,
        "broken_glass": str,
        "checks": list[CheckJson],
        "observed": list[CheckJson],
    },
)


class SuggestionJson(TypedDict):
    """A value that an alert's label carries; nothing fills it in by itself."""

    value: str
    label: str


class AskedJson(TypedDict):
    """A value to give: one of `choices`, where the cluster could be asked; else `reason` says why there are none.

    `refused` says why no value can ever be given, else it is null.
    """

    name: str
    type: str
    refused: str | None
    choices: list[str]
    reason: str
    suggestions: list[SuggestionJson]


class ValuesJson(TypedDict):
    values: list[AskedJson]


class PublicUpdateJson(TypedDict):
    status: str
    text: str
    at: Instant


class PublicJson(TypedDict):
    """What the public page says; None when nothing was published."""

    status: str | None
    title: str
    updates: list[PublicUpdateJson]


class VerificationJson(TypedDict):
    """`status` is watching, passed or failed; a person may end it at `earliest_at`, it ends at `latest_at`."""

    status: str
    cause: str
    reason: str
    started_at: Instant
    earliest_at: Instant
    latest_at: Instant
    run: str | None


class IncidentBriefJson(TypedDict):
    """`sla` is met, missed, pending or none: whether it was acknowledged in the time that its severity asks for.

    `reporters` are the people who reported it. A `drill` belongs into no statistics, nor does what was `merged_into`
    another, by its number.
    """

    id: str
    number: int
    title: str
    severity: str
    status: str
    service: str
    opened_at: Instant
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    acknowledge_due_at: Instant | None
    sla: str
    mitigated_at: Instant | None
    resolved_at: Instant | None
    closed_at: Instant | None
    commander: str | None
    alerts_total: int
    alerts_firing: int
    reporters: int
    drill: bool
    merged_into: int | None
    link: str


class IncidentJson(IncidentBriefJson):
    """`alerts` are the first 100. `missing` is what keeps the incident from being resolved, in words.

    `services` are those it is about beside `service`; `absorbed`, `split_from`, `split_off` numbers of other incidents.
    `quiet_since` is when its last alert stopped, null while one fires.
    """

    severity_reason: str
    source: str
    summary: str
    impact_started_at: Instant | None
    roles: dict[str, str]
    facts: dict[str, str]
    alerts: list[AlertJson]
    deadlines: list[DeadlineJson]
    checklist: list[ItemJson]
    evidence: list[EvidenceBriefJson]
    decision: DecisionJson
    pages: list[PageJson]
    runs: list[RunBriefJson]
    approvals: list[ApprovalJson]
    updates: list[UpdateJson]
    action_items: list[ActionItemJson]
    verification: VerificationJson | None
    resolve_requested_by: str | None
    missing: list[str]
    public: PublicJson
    version: int
    indicators: list[IndicatorJson]
    severity_suggestion: WeighedJson | None
    services: list[str]
    absorbed: list[int]
    split_from: int | None
    split_off: list[int]
    quiet_since: Instant | None
    resolve_proposed_at: Instant | None


class IncidentAnswer(RootModel[IncidentJson]):
    """The same as a model: pydantic builds a model's validator once, a TypedDict's anew for every route."""


class IncidentsJson(TypedDict):
    incidents: list[IncidentBriefJson]
    next: str | None


class RelatedIncidentJson(TypedDict):
    """`reasons` are words, the weightiest first; the higher the `score`, the likelier it is one trouble."""

    incident: IncidentBriefJson
    score: int
    reasons: list[str]


class RelatedJson(TypedDict):
    related: list[RelatedIncidentJson]


class EntryJson(TypedDict):
    """A line of the timeline: `data` are the event's own fields, `text` says it in English."""

    seq: int
    at: Instant
    actor: str
    type: str
    data: dict[str, Any]
    text: str


class StreamedJson(EntryJson):
    incident: int
    status: str
    severity: str


class RunStartedJson(TypedDict):
    run: str


class ApprovalAnswerJson(TypedDict):
    approval: ApprovalJson


class HolderJson(TypedDict):
    id: str
    name: str


class DutyJson(TypedDict):
    """Who holds `role`, empty when nobody does; `until` is when it changes next, None when it never does."""

    role: str
    people: list[HolderJson]
    until: Instant | None


class OnCallJson(TypedDict):
    at: Instant
    roles: list[DutyJson]
