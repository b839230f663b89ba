"""An incident from its timeline: `fold` for all of it, `apply` for one more. Replaying gives the same incident."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import singledispatch
from typing import Any

from msgspec.structs import replace

from tocsin.incident import events as e
from tocsin.incident import merged
from tocsin.incident.errors import TransitionError
from tocsin.incident.state import (
    ActionItem,
    Answer,
    Approval,
    Incident,
    Message,
    Page,
    PublicUpdate,
    Run,
    Status,
    StepState,
    Tick,
    Verification,
)  # fmt: skip
from tocsin.incident.transitions import after

Changes = dict[str, Any]
MOST_GROUPS, MOST_REPORTERS, MOST_SERVICES = 50, 500, 200
"""How many an incident remembers: a storm must not make every snapshot large."""


def begin(id_: str, number: int, entry: e.Entry) -> Incident:
    """The incident its first entry makes. Raises TransitionError when that is not `Opened`."""
    opened = entry.event
    if not isinstance(opened, e.Opened):
        raise TransitionError(f"a timeline begins with Opened, not {type(opened).__name__}")
    return Incident(
        id=id_, number=number, title=opened.title, severity=opened.severity, severity_reason=opened.severity_reason,
        status=Status.OPEN, service=opened.service, source=opened.source, runbook=opened.runbook, opened_at=entry.at,
        clock_started_at=entry.at, version=entry.seq, summary=opened.summary,
        linked=opened.linked, first_role=opened.first_role, drill=opened.drill, labels=opened.labels,
        after_quiet=opened.after_quiet, quiet=opened.quiet,
    )  # fmt: skip


def apply(incident: Incident, entry: e.Entry) -> Incident:
    """The incident after one more entry. Raises TransitionError, changing nothing, when the table refuses it."""
    status = after(incident.status, entry.event)
    changes = _changes(entry.event, incident, entry)
    return replace(incident, **{"version": entry.seq, "status": status, **changes})


def fold(id_: str, number: int, timeline: Iterable[e.Entry]) -> Incident:
    """The incident of a whole timeline, oldest entry first. Raises TransitionError for an empty or illegal one."""
    entries = iter(timeline)
    first = next(entries, None)
    if first is None:
        raise TransitionError("a timeline begins with Opened, this one is empty")
    incident = begin(id_, number, first)
    for entry in entries:
        incident = apply(incident, entry)
    return incident


@singledispatch
def _changes(event: e.Event, incident: Incident, entry: e.Entry) -> Changes:
    """What this kind of event changes beside version and status; most of the notes change nothing."""
    return {}


@_changes.register
def _(event: e.AlertFired, i: Incident, entry: e.Entry) -> Changes:
    started = min(filter(None, (i.impact_started_at, event.starts_at)))
    new = event.group and event.group not in i.groups and len(i.groups) < MOST_GROUPS
    return {
        "alerts_total": i.alerts_total + 1,
        "alerts_firing": i.alerts_firing + 1,
        "impact_started_at": started,
        "groups": (*i.groups, event.group) if new else i.groups,
        "quiet_since": None,
        "proposed_at": None,
    }


@_changes.register
def _(event: e.Reported, i: Incident, entry: e.Entry) -> Changes:
    many = len(i.reporters) >= MOST_REPORTERS
    return {"reported_at": entry.at, "reporters": i.reporters if many else (*i.reporters, event.reporter)}


@_changes.register
def _(event: e.AlertResolved, i: Incident, entry: e.Entry) -> Changes:
    firing = max(0, i.alerts_firing - 1)
    return {"alerts_firing": firing, "quiet_since": i.quiet_since or (None if firing else entry.at)}


@_changes.register
def _(event: e.Acknowledged, i: Incident, entry: e.Entry) -> Changes:
    if i.acknowledged_at is not None:
        return {}
    roles = i.roles if i.commander else {**i.roles, "commander": entry.actor}
    return {
        "acknowledged_at": entry.at,
        "acknowledged_by": entry.actor,
        "acknowledge_due_at": event.due_at,
        "roles": roles,
    }


@_changes.register
def _(event: e.AcknowledgeMissed, i: Incident, entry: e.Entry) -> Changes:
    return {"acknowledge_missed": True}


@_changes.register
def _(event: e.SeverityChanged, i: Incident, entry: e.Entry) -> Changes:
    reason = event.reason or f"set by {entry.actor}"
    return {
        "severity": event.severity,
        "severity_reason": reason,
        "severity_changed_at": entry.at,
        "acknowledge_missed": False,
    }


@_changes.register
def _(event: e.RoleAssigned, i: Incident, entry: e.Entry) -> Changes:
    return {"roles": {**i.roles, event.role: event.person}}


@_changes.register
def _(event: e.FactRecorded, i: Incident, entry: e.Entry) -> Changes:
    return {"facts": {**i.facts, event.name: event.text}}


@_changes.register
def _(event: e.Paged, i: Incident, entry: e.Entry) -> Changes:
    page = Page(key=event.key, role=event.role, person=event.person, at=entry.at, cause=event.cause)
    return {"pages": (*i.pages, page)}


@_changes.register
def _(event: e.Informed, i: Incident, entry: e.Entry) -> Changes:
    page = Page(event.key, event.role, event.person, entry.at, "informed: already acknowledged", informed=True)
    return {"pages": (*i.pages, page)}


@_changes.register
def _(event: e.ContactTried, i: Incident, entry: e.Entry) -> Changes:
    return {"pages": _on_page(i, event.key, event.person, lambda p: replace(p, contacts=(*p.contacts, event.via)))}


@_changes.register
def _(event: e.RungPassed, i: Incident, entry: e.Entry) -> Changes:
    return {"passed": (*i.passed, event.key)}


@_changes.register
def _(event: e.MessageDelivered, i: Incident, entry: e.Entry) -> Changes:
    return {"pages": _on_page(i, event.key, event.to, lambda p: replace(p, delivered=(*p.delivered, event.channel)))}


@_changes.register
def _(event: e.MessageFailed, i: Incident, entry: e.Entry) -> Changes:
    failed = f"{event.channel}: {event.reason}"
    return {"pages": _on_page(i, event.key, event.to, lambda p: replace(p, failed=(*p.failed, failed)))}


@_changes.register
def _(event: e.Posted, i: Incident, entry: e.Entry) -> Changes:
    message = Message(event.template, event.text, entry.at, entry.actor, event.missing)
    return {"updates": (*i.updates, message), "last_update_at": entry.at, "update_reminders": 0}


@_changes.register
def _(event: e.UpdateReminded, i: Incident, entry: e.Entry) -> Changes:
    return {"update_reminders": i.update_reminders + 1, "update_reminded_at": entry.at}


@_changes.register
def _(event: e.StatusPublished, i: Incident, entry: e.Entry) -> Changes:
    update = PublicUpdate(event.status, event.text, entry.at)
    return {"public": (*i.public, update), "public_title": event.title or i.public_title}


@_changes.register
def _(event: e.RunStarted, i: Incident, entry: e.Entry) -> Changes:
    steps = tuple(StepState(index, title) for index, title in zip(event.indices, event.steps, strict=True))
    run = Run(event.run, event.procedure, event.title, event.purpose, entry.at, entry.actor, steps, values=event.values)
    return {"runs": (*i.runs, run)}


@_changes.register
def _(event: e.StepFinished, i: Incident, entry: e.Entry) -> Changes:
    done = StepState(
        event.index, event.title, event.outcome, event.reason, event.exit_code, event.evidence, entry.at, event.seconds
    )

    def finished(run: Run) -> Run:
        return replace(run, steps=tuple(done if s.index == event.index else s for s in run.steps))

    return {"runs": _on_run(i, event.run, finished)}


@_changes.register
def _(event: e.RunFinished, i: Incident, entry: e.Entry) -> Changes:
    return {"runs": _on_run(i, event.run, lambda r: replace(r, status=event.status, ended_at=entry.at))}


@_changes.register
def _(event: e.Answered, i: Incident, entry: e.Entry) -> Changes:
    kept = tuple(a for a in i.answers if a.question != event.question)
    given = Answer(event.question, event.answer, entry.actor, entry.at, event.reason, event.evidence)
    return {"answers": (*kept, given)}


@_changes.register
def _(event: e.MitigationProposed, i: Incident, entry: e.Entry) -> Changes:
    approval = Approval(
        id=event.approval, slug=event.slug, action=event.action, command=event.command, step_class=event.step_class,
        needs=event.needs, requested_by=entry.actor, requested_at=entry.at, expires_at=event.expires_at,
        binding=event.binding, values=event.values, context=event.context, target=event.target, watch=event.watch,
        undo=event.undo, checks=event.checks, template=event.template,
    )  # fmt: skip
    return {"approvals": (*i.approvals, approval)}


@_changes.register
def _(event: e.MitigationApproved, i: Incident, entry: e.Entry) -> Changes:
    def approved(a: Approval) -> Approval:
        by = (*a.approved_by, entry.actor)
        if len(by) < a.needs:
            return replace(a, approved_by=by)
        # it must begin within the same time again: a server that was down for hours changes nothing any more
        return replace(a, approved_by=by, status="approved", expires_at=entry.at + (a.expires_at - a.requested_at))

    return {"approvals": _on_approval(i, event.approval, approved)}


@_changes.register
def _(event: e.GlassBroken, i: Incident, entry: e.Entry) -> Changes:
    def approved(a: Approval) -> Approval:
        until = entry.at + (a.expires_at - a.requested_at)
        return replace(a, approved_by=(entry.actor,), status="approved", expires_at=until, broken_glass=event.reason)

    return {"approvals": _on_approval(i, event.approval, approved)}


@_changes.register
def _(event: e.MitigationRejected, i: Incident, entry: e.Entry) -> Changes:
    return _end_approval(i, event.approval, entry, status="rejected", reason=event.reason)


@_changes.register
def _(event: e.ApprovalExpired, i: Incident, entry: e.Entry) -> Changes:
    return _end_approval(i, event.approval, entry, status="expired")


@_changes.register
def _(event: e.MitigationStarted, i: Incident, entry: e.Entry) -> Changes:
    return {"approvals": _on_approval(i, event.approval, lambda a: replace(a, status="running"))}


@_changes.register
def _(event: e.MitigationFinished, i: Incident, entry: e.Entry) -> Changes:
    kept = {} if event.evidence is None else {"evidence": event.evidence}  # settled by a person: what it printed stays
    return _end_approval(i, event.approval, entry, status=event.outcome, reason=event.reason, **kept)


@_changes.register
def _(event: e.MitigationOutcomeUnknown, i: Incident, entry: e.Entry) -> Changes:
    return _end_approval(i, event.approval, entry, status="unknown", reason=event.reason, evidence=event.evidence)


@_changes.register
def _(event: e.MitigationObserved, i: Incident, entry: e.Entry) -> Changes:
    def observed(a: Approval) -> Approval:
        return replace(a, observed=(*(c for c in a.observed if c.what != event.check.what), event.check))

    return {"approvals": _on_approval(i, event.approval, observed)}


@_changes.register
def _(event: e.MitigationOutputKept, i: Incident, entry: e.Entry) -> Changes:
    return {"approvals": _on_approval(i, event.approval, lambda a: replace(a, evidence=event.evidence))}


@_changes.register
def _(event: e.Mitigated, i: Incident, entry: e.Entry) -> Changes:
    return {"mitigated_at": i.mitigated_at or entry.at}


@_changes.register
def _(event: e.VerificationStarted, i: Incident, entry: e.Entry) -> Changes:
    watching = Verification(entry.at, event.earliest_at, event.latest_at, event.run, event.cause)
    return {"verification": watching}


@_changes.register
def _(event: e.ResolveRequested, i: Incident, entry: e.Entry) -> Changes:
    return {"resolve_requested_by": entry.actor}


@_changes.register
def _(event: e.VerificationFailed, i: Incident, entry: e.Entry) -> Changes:
    """The impact is back, or was never gone: rungs inform again."""
    failed = i.verification and replace(i.verification, status="failed", reason=event.reason)
    return {"verification": failed, "resolve_requested_by": None, "mitigated_at": None}


@_changes.register
def _(event: e.VerificationPassed, i: Incident, entry: e.Entry) -> Changes:
    return {"verification": i.verification and replace(i.verification, status="passed")}


@_changes.register
def _(event: e.ChecklistTicked, i: Incident, entry: e.Entry) -> Changes:
    kept = tuple(t for t in i.ticks if t.item != event.item)
    return {"ticks": (*kept, Tick(event.item, event.done, entry.actor, entry.at, event.note))}


@_changes.register
def _(event: e.Resolved, i: Incident, entry: e.Entry) -> Changes:
    return {
        "resolved_at": entry.at,
        "first_resolved_at": i.first_resolved_at or entry.at,
        "mitigated_at": i.mitigated_at or entry.at,
        "resolve_requested_by": None,
    }


@_changes.register
def _(event: e.Reopened, i: Incident, entry: e.Entry) -> Changes:
    """Timers restart, and whoever acknowledges now commands; the first resolve and action items are kept."""
    return {
        "roles": {role: person for role, person in i.roles.items() if role != "commander"},
        "reminded": tuple(key for key in i.reminded if key.startswith("action:")),
        "generation": i.generation + 1, "clock_started_at": entry.at, "resolved_at": None, "closed_at": None,
        "mitigated_at": None, "acknowledged_at": None, "acknowledged_by": None, "acknowledge_due_at": None,
        "acknowledge_missed": False, "verification": None, "resolve_requested_by": None,
        "ticks": (), "answers": (), "quiet_since": None, "proposed_at": None,
    }  # fmt: skip


@_changes.register
def _(event: e.ResolveProposed, i: Incident, entry: e.Entry) -> Changes:
    return {"proposed_at": entry.at}


@_changes.register
def _(event: e.Merged, i: Incident, entry: e.Entry) -> Changes:
    return merged.merged(event, i, entry)


@_changes.register
def _(event: e.Absorbed, i: Incident, entry: e.Entry) -> Changes:
    return merged.absorbed(event, i, most_groups=MOST_GROUPS, most_reporters=MOST_REPORTERS)


@_changes.register
def _(event: e.SplitOff, i: Incident, entry: e.Entry) -> Changes:
    return merged.split_off(event, i, entry)


@_changes.register
def _(event: e.SplitFrom, i: Incident, entry: e.Entry) -> Changes:
    return merged.split_from(event, i, entry)


@_changes.register
def _(event: e.Joined, i: Incident, entry: e.Entry) -> Changes:
    new = event.service and event.service not in (i.service, *i.services) and len(i.services) < MOST_SERVICES
    return {"services": (*i.services, event.service) if new else i.services}


@_changes.register
def _(event: e.RelationDenied, i: Incident, entry: e.Entry) -> Changes:
    return {"unrelated": (*i.unrelated, event.incident)}


@_changes.register
def _(event: e.ActionItemAdded, i: Incident, entry: e.Entry) -> Changes:
    item = ActionItem(event.item, event.title, event.owner, event.due_at, event.kind)
    return {"action_items": (*i.action_items, item)}


@_changes.register
def _(event: e.ActionItemDone, i: Incident, entry: e.Entry) -> Changes:
    items = (replace(a, done_at=entry.at) if a.id == event.item else a for a in i.action_items)
    return {"action_items": tuple(items)}


@_changes.register
def _(event: e.TaskReminded, i: Incident, entry: e.Entry) -> Changes:
    return {"reminded": (*i.reminded, event.key)}


@_changes.register
def _(event: e.Closed, i: Incident, entry: e.Entry) -> Changes:
    return {"closed_at": entry.at}


def _on_page(i: Incident, key: str, person: str, change: Callable[[Page], Page]) -> tuple[Page, ...]:
    """`key` is the page's own, or that of a further try (`opened|1`)."""

    def same(page: Page) -> bool:
        return page.person == person and (page.key == key or key.startswith(f"{page.key}|"))

    return tuple(change(p) if same(p) else p for p in i.pages)


def _on_run(i: Incident, run: str, change: Callable[[Run], Run]) -> tuple[Run, ...]:
    return tuple(change(r) if r.id == run else r for r in i.runs)


def _on_approval(i: Incident, approval: str, change: Callable[[Approval], Approval]) -> tuple[Approval, ...]:
    return tuple(change(a) if a.id == approval else a for a in i.approvals)


def _end_approval(i: Incident, approval: str, entry: e.Entry, **fields: Any) -> Changes:
    return {"approvals": _on_approval(i, approval, lambda a: replace(a, ended_at=entry.at, **fields))}
