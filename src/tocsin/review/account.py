"""What happened, as blocks: summary, timeline, mitigations tried, decision path, evidence and measures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tocsin.incident import events as e
from tocsin.incident.state import Approval, Incident
from tocsin.incident.wording import by_way, duration, instant, listed, outcome_words, role_words
from tocsin.review import decision
from tocsin.review.document import Block, Paragraphs, Table
from tocsin.review.metrics import AcknowledgeSla, Metric, Sla, acknowledge_sla, metrics, update_cadence
from tocsin.review.storyline import storyline
from tocsin.runbook.model import Runbook

_FINE = ("ok", "nothing_found", "manual", None)
_STATES = {
    "pending": "waiting for approval",
    "approved": "approved, not started",
    "rejected": "rejected",
    "expired": "nobody approved it in time",
    "running": "still running",
    "done": "succeeded",
    "failed": "failed",
    "unknown": "outcome unknown",
}


@dataclass(frozen=True)
class Known:
    """What a postmortem is written from; `now` is None where it does not matter how late it is."""

    incident: Incident
    timeline: tuple[e.Entry, ...]
    runbook: Runbook
    now: datetime | None


def summary(known: Known) -> tuple[Block, ...]:
    i = known.incident
    rows = [
        ("Incident", f"{i.number}: {i.title}"),
        ("Severity", _severity(known)),
        ("Status", i.status),
        ("Service", i.service or "not stated"),
        ("Opened", f"{instant(i.opened_at)}, from {i.source or 'a person'}"),
        ("Impact began", instant(i.impact_started_at) if i.impact_started_at else "not known"),
        ("Acknowledged", _acknowledged(known)),
        ("Roles", ", ".join(f"{role_words(r)}: {p}" for r, p in sorted(i.roles.items())) or "none assigned"),
        ("Paged", listed(dict.fromkeys(p.person for p in i.pages if not p.informed), most=20) or "nobody"),
        ("Informed", listed(dict.fromkeys(p.person for p in i.pages if p.informed), most=20) or "nobody"),
        ("Resolved", _resolved(known)),
    ]
    if i.drill:
        rows.append(("Drill", "yes: nothing real was affected, and its times belong into no statistics"))
    if i.generation:
        rows.append(("Reopened", "once" if i.generation == 1 else f"{i.generation} times"))
    return (Table(("What", "Known"), tuple(rows)),)


def _severity(known: Known) -> str:
    i = known.incident
    changes = [
        f"{entry.event.previous} to {entry.event.severity} by {entry.actor} at {instant(entry.at, i.opened_at)}"
        + (f", {entry.event.reason}" if entry.event.reason else "")
        for entry in known.timeline
        if isinstance(entry.event, e.SeverityChanged)
    ]
    return f"{i.severity} (changed: {'; '.join(changes)})" if changes else f"{i.severity} ({i.severity_reason})"


def _acknowledged(known: Known) -> str:
    entry = next((entry for entry in known.timeline if isinstance(entry.event, e.Acknowledged)), None)
    if entry is None or not isinstance(entry.event, e.Acknowledged):
        return "nobody acknowledged"
    how = f"by {entry.actor} {by_way(entry.event.via)}".strip()
    return f"{instant(entry.at)} {how}"


def _resolved(known: Known) -> str:
    i = known.incident
    at = i.resolved_at or i.first_resolved_at
    if at is None:
        return "not yet"
    lasted = f", {duration(at - i.opened_at)} after opening" if at >= i.opened_at else ""
    return instant(at) + lasted + ("" if i.resolved_at else ", reopened since")


def timeline(known: Known) -> tuple[Block, ...]:
    rows = tuple((f"{row.at:%Y-%m-%d %H:%M:%S}", row.text) for row in storyline(known.incident, known.timeline))
    return (Table(("Time (UTC)", "What happened"), rows),)


def tried(known: Known) -> tuple[Block, ...]:
    rejected = {
        entry.event.approval: entry.actor for entry in known.timeline if isinstance(entry.event, e.MitigationRejected)
    }
    rows = tuple(
        (
            instant(a.requested_at),
            a.action,
            a.command,
            a.requested_by,
            listed(a.approved_by) or "nobody",
            _outcome(a, rejected.get(a.id, "")),
        )
        for a in known.incident.approvals
    )
    return (
        (Table(("Proposed at", "Mitigation", "Command", "Proposed by", "Approved by", "Outcome"), rows),)
        if rows
        else ()
    )


def _outcome(approval: Approval, rejected_by: str) -> str:
    said = _STATES.get(approval.status, approval.status)
    if rejected_by and approval.status == "rejected":
        said += f" by {rejected_by}"
    return f"{said}: {approval.reason}" if approval.reason else said


def decisions(known: Known) -> tuple[Block, ...]:
    rows = tuple(
        (
            instant(entry.at),
            decision.asked(known.runbook, entry.event.question),
            entry.event.answer,
            entry.actor,
            entry.event.reason,
        )
        for entry in decision.answers(known.timeline)
        if isinstance(entry.event, e.Answered)
    )
    if not rows:
        return ()
    end = decision.reached(known.runbook, known.timeline)
    table = Table(("Time", "Question", "Answer", "By", "Why"), rows)
    return (table, Paragraphs(end)) if end else (table,)


def evidence(known: Known) -> tuple[Block, ...]:
    """The steps that showed a problem, or could not be carried out."""
    rows = tuple(
        (
            instant(step.at or run.started_at),
            run.title,
            step.title,
            outcome_words(step.outcome or ""),
            step.reason,
            step.evidence or "none kept",
        )
        for run in known.incident.runs
        for step in run.steps
        if step.outcome not in _FINE
    )
    return (Table(("Time", "Procedure", "Step", "Outcome", "What it said", "Evidence"), rows),) if rows else ()


def measures(known: Known) -> tuple[Block, ...]:
    measured = metrics(known.incident, known.timeline, now=known.now)
    sla = acknowledge_sla(known.incident, known.timeline)
    cadence = update_cadence(known.timeline)
    gap = duration(cadence.longest_gap) if cadence.longest_gap is not None else "none to measure"
    rows = (
        *((m.name, _value(m), m.formula) for m in measured),
        ("Acknowledge SLA", _sla(sla), "first acknowledged against the response time of its severity"),
        ("Updates to the team", f"{cadence.posts} (reminders: {cadence.reminders})", "messages posted"),
        ("Longest silence", gap, "time between two neighbouring messages"),
    )
    return (Table(("Measure", "Value", "Formula"), rows),)


def _value(metric: Metric) -> str:
    if metric.invalid:
        return f"invalid: {metric.invalid}"
    return duration(metric.value) if metric.value is not None else "not known"


def _sla(sla: AcknowledgeSla) -> str:
    if sla.outcome is Sla.NONE or sla.target is None:
        return "none to measure"
    return f"{sla.outcome} (target {duration(sla.target)})"
