"""What can happen in an incident, as facts in the past tense. Their English is made when shown (`incident.wording`).

Every event is one Struct, tagged with its name; a timeline is a tuple of `Entry` in the order of `seq`, counted from 1.
Unknown events (written by a newer version) decode as None in the store and are ignored by the fold.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Struct

from tocsin.incident.preflight import Check
from tocsin.incident.state import Page
from tocsin.runbook.model import StepClass


class _Event(Struct, frozen=True, tag_field="type", omit_defaults=True):
    pass


# Opening, alerts, ownership


class Opened(_Event, frozen=True, tag="Opened"):
    """`runbook` is the digest of the document in force, `linked` those of the documents it links to; the incident keeps
    them until re-read on purpose. `first_role` is paged first when a route of the settings says so, and a route's
    `after_quiet` and `quiet` stand for the policy's. `labels` are those of the alert that opened it. Of a `drill` the
    title begins with `DRILL: `, and nothing is counted.
    """

    title: str
    severity: str
    severity_reason: str
    service: str
    source: str
    runbook: str
    summary: str = ""
    linked: tuple[str, ...] = ()
    first_role: str = ""
    drill: bool = False
    labels: dict[str, str] = {}
    after_quiet: str = ""
    quiet: timedelta | None = None


class AlertFired(_Event, frozen=True, tag="AlertFired"):
    """An alert of this incident began to fire (again). Resent copies leave no event. `group` is its group's signal."""

    fingerprint: str
    name: str
    summary: str
    starts_at: datetime
    group: str = ""


class AlertResolved(_Event, frozen=True, tag="AlertResolved"):
    fingerprint: str
    name: str


class Reported(_Event, frozen=True, tag="Reported"):
    """A person said that something is wrong. It never stops by itself, so it counts as no firing alert."""

    text: str
    reporter: str = ""


class Acknowledged(_Event, frozen=True, tag="Acknowledged"):
    """`due_at` is when the severity of that moment asked for it; None when the runbook gives no response time."""

    due_at: datetime | None
    via: str


class AcknowledgeMissed(_Event, frozen=True, tag="AcknowledgeMissed"):
    due_at: datetime


class SeverityChanged(_Event, frozen=True, tag="SeverityChanged"):
    severity: str
    previous: str
    reason: str = ""


class RoleAssigned(_Event, frozen=True, tag="RoleAssigned"):
    role: str
    person: str


class Noted(_Event, frozen=True, tag="Noted"):
    text: str


class FactRecorded(_Event, frozen=True, tag="FactRecorded"):
    """A person filled in what only a person knows: `name` is impact, root_cause ... or a template's field."""

    name: str
    text: str


# Paging


class Paged(_Event, frozen=True, tag="Paged"):
    """A page is owed to `person`. `key` names the reason (`opened`, `rung:900:On-call`, `escalated:1`); with the person
    it is unique. `ways` are the channels to use at once, empty for every one there is."""

    key: str
    role: str
    person: str
    cause: str
    ways: tuple[str, ...] = ()


class ContactTried(_Event, frozen=True, tag="ContactTried"):
    """The person did not answer the page `key`; their next contact way `via` is used (their own rules)."""

    key: str
    person: str
    via: str


class RungPassed(_Event, frozen=True, tag="RungPassed"):
    """Nobody could be paged at this rung; the next one is due at once."""

    key: str
    role: str
    reason: str


class Informed(_Event, frozen=True, tag="Informed"):
    """A rung fell due after the acknowledge: its role is told, not woken."""

    key: str
    role: str
    person: str


class MessageDelivered(_Event, frozen=True, tag="MessageDelivered"):
    kind: str
    channel: str
    to: str
    key: str


class MessageFailed(_Event, frozen=True, tag="MessageFailed"):
    kind: str
    channel: str
    to: str
    key: str
    reason: str
    unreached: bool = False
    """A page that was tried for long in vain and is still being tried: the team is told."""


# Communication


class Posted(_Event, frozen=True, tag="Posted"):
    """A message to the team's channel, from `template`; `missing` are blanks nobody has filled yet."""

    template: str
    text: str
    missing: tuple[str, ...] = ()


class UpdateReminded(_Event, frozen=True, tag="UpdateReminded"):
    due_at: datetime
    who: tuple[str, ...]


class StatusPublished(_Event, frozen=True, tag="StatusPublished"):
    """`status` is investigating, identified, monitoring or resolved; `text` is what the public reads."""

    status: str
    text: str
    title: str = ""


# Steps and evidence


class RunStarted(_Event, frozen=True, tag="RunStarted"):
    """`steps` are the titles, in order; `indices` their place in the procedure, counted from 1."""

    run: str
    procedure: str
    title: str
    purpose: str
    steps: tuple[str, ...]
    indices: tuple[int, ...]
    values: dict[str, str] = {}


class StepFinished(_Event, frozen=True, tag="StepFinished"):
    """`index` is the step's place in the procedure, from 1; `evidence` the id of its kept output, if it has any."""

    run: str
    index: int
    title: str
    outcome: str
    reason: str
    exit_code: int | None = None
    evidence: str | None = None
    seconds: float = 0.0


class RunFinished(_Event, frozen=True, tag="RunFinished"):
    """`status` is done, failed, cancelled (by the actor, for `reason`) or unknown."""

    run: str
    status: str
    reason: str = ""


# Decision tree and mitigations


class Answered(_Event, frozen=True, tag="Answered"):
    """`answer` is yes, no or unknown; `evidence` the id of what it rests on, when it was answered from facts."""

    question: str
    answer: str
    reason: str = ""
    evidence: str | None = None


class MitigationProposed(_Event, frozen=True, tag="MitigationProposed"):
    """`binding` is the hash of document, command, values, `context` (the cluster) and `target` (what it acts on, with
    its generation) that an approval holds for. `needs` people must approve; none for break-glass.

    `watch` is the runbook's step to look at afterwards, `undo` how to take it back. `checks` is what was looked at
    before, `template` the digest of the pod template that ran then.
    """

    approval: str
    slug: str
    action: str
    command: str
    step_class: StepClass
    needs: int
    expires_at: datetime
    binding: str
    values: dict[str, str] = {}
    context: str = ""
    target: str = ""
    watch: str = ""
    undo: str = ""
    checks: tuple[Check, ...] = ()
    template: str = ""


class MitigationApproved(_Event, frozen=True, tag="MitigationApproved"):
    approval: str


class GlassBroken(_Event, frozen=True, tag="GlassBroken"):
    """An admin had a mitigation run at once, with nobody's approval."""

    approval: str
    reason: str


class MitigationRejected(_Event, frozen=True, tag="MitigationRejected"):
    approval: str
    reason: str = ""


class ApprovalExpired(_Event, frozen=True, tag="ApprovalExpired"):
    approval: str


class MitigationStarted(_Event, frozen=True, tag="MitigationStarted"):
    """Committed before the command runs: whoever finds it without an end knows the outcome is unknown."""

    approval: str


class MitigationFinished(_Event, frozen=True, tag="MitigationFinished"):
    """`outcome` is done or failed."""

    approval: str
    outcome: str
    reason: str
    evidence: str | None = None


class MitigationOutcomeUnknown(_Event, frozen=True, tag="MitigationOutcomeUnknown"):
    approval: str
    reason: str
    evidence: str | None = None


class MitigationOutputKept(_Event, frozen=True, tag="MitigationOutputKept"):
    """What a mitigation that a person stopped had printed by then."""

    approval: str
    evidence: str


class MitigationObserved(_Event, frozen=True, tag="MitigationObserved"):
    """What was seen after a mitigation ran: that it was rolled out, what became of the signal, that it was reverted."""

    approval: str
    check: Check


# The end


class Mitigated(_Event, frozen=True, tag="Mitigated"):
    """The impact stopped."""

    reason: str = ""


class VerificationStarted(_Event, frozen=True, tag="VerificationStarted"):
    """Watching from now: a person may end it at `earliest_at`, at `latest_at` it ends. `run` does its steps."""

    cause: str
    earliest_at: datetime
    latest_at: datetime
    run: str | None = None


class ResolveRequested(_Event, frozen=True, tag="ResolveRequested"):
    """Somebody said it is over; it will be once the verification and the checklist agree."""


class VerificationFailed(_Event, frozen=True, tag="VerificationFailed"):
    reason: str


class VerificationPassed(_Event, frozen=True, tag="VerificationPassed"):
    pass


class ChecklistTicked(_Event, frozen=True, tag="ChecklistTicked"):
    item: str
    text: str
    done: bool
    note: str = ""


class Resolved(_Event, frozen=True, tag="Resolved"):
    """`reason` is given, and `open_items` named, when a person resolved with something still open."""

    reason: str = ""
    open_items: tuple[str, ...] = ()


class Reopened(_Event, frozen=True, tag="Reopened"):
    reason: str


class ResolveProposed(_Event, frozen=True, tag="ResolveProposed"):
    """Every alert has been silent since `since`; whether it is over is for a person to say. `missing` is what keeps it
    from being resolved, in words."""

    since: datetime
    missing: tuple[str, ...] = ()


# Several incidents


class Merged(_Event, frozen=True, tag="Merged"):
    """It is one with the incident `number` (`incident` is its id), where its alerts and all that was owed are now."""

    number: int
    incident: str
    title: str
    reason: str = ""


class Absorbed(_Event, frozen=True, tag="Absorbed"):
    """The incident `number` was merged into this one. The counts are of the alerts that came with it; `services` what
    they are about. `reached` are rungs of this incident's ladder that need not be paged again, `pages` those that had
    arrived there."""

    number: int
    incident: str
    title: str
    severity: str
    opened_at: datetime
    clock_started_at: datetime
    alerts_total: int = 0
    alerts_firing: int = 0
    quiet_since: datetime | None = None
    impact_started_at: datetime | None = None
    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    reporters: tuple[str, ...] = ()
    reported_at: datetime | None = None
    reached: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    reason: str = ""


class SplitOff(_Event, frozen=True, tag="SplitOff"):
    """Some of its alerts became the incident `number`."""

    number: int
    incident: str
    title: str
    alerts_total: int
    alerts_firing: int
    reason: str = ""


class SplitFrom(_Event, frozen=True, tag="SplitFrom"):
    """It began as a part of the incident `number`, with these of its alerts."""

    number: int
    incident: str
    title: str
    alerts_total: int
    alerts_firing: int
    impact_started_at: datetime | None = None


class Joined(_Event, frozen=True, tag="Joined"):
    """Alerts of `service` are of this incident too, as a rule of the settings says; `alert` was the first of them."""

    service: str
    alert: str
    why: str


class RelationDenied(_Event, frozen=True, tag="RelationDenied"):
    """A person said that the incident `number` has nothing to do with this one: it is not suggested any more."""

    number: int
    incident: str
    reason: str = ""


# Afterwards


class ActionItemAdded(_Event, frozen=True, tag="ActionItemAdded"):
    item: str
    title: str
    owner: str
    due_at: datetime
    kind: str = ""


class ActionItemDone(_Event, frozen=True, tag="ActionItemDone"):
    item: str


class TaskReminded(_Event, frozen=True, tag="TaskReminded"):
    """Something owed after the incident is due or overdue; `key` names it and the how-manieth reminder."""

    key: str
    what: str
    who: str
    due_at: datetime


class Closed(_Event, frozen=True, tag="Closed"):
    reason: str = ""


Event: TypeAlias = (
    Opened | AlertFired | AlertResolved | Reported | Acknowledged | AcknowledgeMissed | SeverityChanged | RoleAssigned
    | Noted | FactRecorded | Paged | ContactTried | RungPassed | Informed | MessageDelivered | MessageFailed | Posted
    | UpdateReminded | StatusPublished | RunStarted | StepFinished | RunFinished | Answered | MitigationProposed
    | MitigationApproved | GlassBroken | MitigationRejected | ApprovalExpired | MitigationStarted | MitigationFinished
    | MitigationOutcomeUnknown | MitigationOutputKept | MitigationObserved | Mitigated | VerificationStarted
    | ResolveRequested | VerificationFailed | VerificationPassed | ChecklistTicked | Resolved | Reopened
    | ResolveProposed | Merged | Absorbed | SplitOff | SplitFrom | Joined | RelationDenied
    | ActionItemAdded | ActionItemDone | TaskReminded | Closed
)  # fmt: skip


class Entry(Struct, frozen=True):
    """One line of the timeline. `at` is aware UTC; `actor` a person's name, a source, or `tocsin`."""

    seq: int
    at: datetime
    actor: str
    event: Event
