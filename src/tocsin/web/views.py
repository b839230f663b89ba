"""An incident and what belongs to it, as the JSON of the API. Pure: what is shown is given, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from tocsin.diagnosis.impact import Weighed, weighed
from tocsin.diagnosis.indicators import Suggested
from tocsin.diagnosis.walk import Position
from tocsin.engine.asking import Asked
from tocsin.engine.core import Committed
from tocsin.engine.records import AlertRecord, Evidence
from tocsin.incident import events as e
from tocsin.incident.checklists import items, tick_of
from tocsin.incident.deadlines import Deadline, acknowledge_due, deadlines
from tocsin.incident.hints import after_failure
from tocsin.incident.library import Written, dashboard, procedures_of
from tocsin.incident.policy import TOCSIN, Policy
from tocsin.incident.preflight import Check
from tocsin.incident.state import Approval, Incident, Run, StepState
from tocsin.incident.wording import describe
from tocsin.oncall.roster import next_handoff
from tocsin.runbook.model import Runbook, StepKind
from tocsin.runbook.report import procedure_json
from tocsin.web import shapes as s


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, ended by Z; microseconds only where there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def maybe(at: datetime | None) -> str | None:
    return instant(at) if at is not None else None


def brief(incident: Incident, policy: Policy, now: datetime) -> s.IncidentBriefJson:
    """An incident as lists show it."""
    due = incident.acknowledge_due_at if incident.acknowledged_at else acknowledge_due(incident, policy)
    return {
        "id": incident.id,
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.status.value,
        "service": incident.service,
        "opened_at": instant(incident.opened_at),
        "acknowledged_at": maybe(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "acknowledge_due_at": maybe(due),
        "sla": sla(incident, policy, now),
        "mitigated_at": maybe(incident.mitigated_at),
        "resolved_at": maybe(incident.resolved_at),
        "closed_at": maybe(incident.closed_at),
        "commander": incident.commander,
        "alerts_total": incident.alerts_total,
        "alerts_firing": incident.alerts_firing,
        "reporters": len(incident.reporters),
        "drill": incident.drill,
        "merged_into": incident.merged_into.number if incident.merged_into else None,
        "link": policy.link.format(number=incident.number),
    }


def _weighed(found: Weighed | None) -> s.WeighedJson | None:
    if found is None:
        return None
    return {"severity": found.severity or None, "indicator": found.indicator or None, "reason": found.reason}


def whole(
    incident: Incident,
    policy: Policy,
    now: datetime,
    *,
    alerts: Sequence[AlertRecord],
    position: Position,
    missing: Sequence[str],
    awaited: bool = False,
    indicators: Sequence[Suggested] = (),
) -> s.IncidentJson:
    """All of an incident but its timeline. `alerts` are the first of them, `missing` what keeps it from resolving,
    `awaited` whether facts may yet answer the open question, `indicators` what they say of the severity."""
    v = incident.verification
    return {
        **brief(incident, policy, now),
        "severity_reason": incident.severity_reason,
        "source": incident.source,
        "summary": incident.summary,
        "impact_started_at": maybe(incident.impact_started_at),
        "roles": dict(incident.roles),
        "facts": dict(incident.facts),
        "alerts": [alert(a, incident.number) for a in alerts],
        "deadlines": [deadline(d, now) for d in deadlines(incident, policy)],
        "checklist": checklist(incident, policy),
        "evidence": list(evidence_of(incident)),
        "decision": decision(position, incident, awaited=awaited),
        "indicators": [
            {"severity": i.severity, "text": i.text, "answer": i.verdict.answer, "reason": i.verdict.reason}
            for i in indicators
        ],
        "severity_suggestion": _weighed(weighed(policy.runbook, indicators)),
        "pages": pages(incident),
        "runs": [run_brief(r) for r in incident.runs],
        "approvals": [approval(a) for a in incident.approvals],
        "updates": [
            {"template": u.template, "text": u.text, "at": instant(u.at), "by": u.by, "missing": list(u.missing)}
            for u in incident.updates
        ],
        "action_items": action_items(incident),
        "verification": {
            "status": v.status,
            "cause": v.cause,
            "reason": v.reason,
            "started_at": instant(v.started_at),
            "earliest_at": instant(v.earliest_at),
            "latest_at": instant(v.latest_at),
            "run": v.run,
        }
        if v
        else None,
        "resolve_requested_by": incident.resolve_requested_by,
        "missing": list(missing),
        "public": public(incident),
        "version": incident.version,
        "services": list(incident.services),
        "absorbed": [o.number for o in incident.absorbed],
        "split_from": incident.split_from.number if incident.split_from else None,
        "split_off": [o.number for o in incident.split_off],
        "quiet_since": maybe(incident.quiet_since),
        "resolve_proposed_at": maybe(incident.proposed_at),
    }


def sla(incident: Incident, policy: Policy, now: datetime) -> str:
    """`met`, `missed`, `pending`, or `none` where the severity promises no time to acknowledge."""
    if incident.acknowledged_at is not None:
        due = incident.acknowledge_due_at
        return "none" if due is None else "met" if incident.acknowledged_at <= due else "missed"
    due = acknowledge_due(incident, policy)
    if incident.acknowledge_missed:
        return "missed"
    return "none" if due is None else "pending" if now <= due else "missed"


def alert(record: AlertRecord, incident: int | None) -> s.AlertJson:
    """`incident` is the number of the incident it belongs to."""
    a = record.alert
    return {
        "fingerprint": a.fingerprint,
        "status": a.status.value,
        "name": a.name,
        "summary": a.summary,
        "labels": a.labels,
        "annotations": a.annotations,
        "starts_at": instant(a.starts_at),
        "ends_at": maybe(a.ends_at),
        "source": a.source,
        "generator_url": a.generator_url,
        "first_seen_at": instant(record.first_seen_at),
        "last_seen_at": instant(record.last_seen_at),
        "incident": incident,
    }


def deadline(owed: Deadline, now: datetime) -> s.DeadlineJson:
    return {
        "kind": owed.kind.value,
        "due_at": instant(owed.due_at),
        "owed_at": instant(owed.owed_at or owed.due_at),
        "what": owed.what,
        "who": owed.who,
        "key": owed.key,
        "overdue": (owed.owed_at or owed.due_at) < now,
    }


def checklist(incident: Incident, policy: Policy) -> list[s.ItemJson]:
    """Every item of the runbook, ticked or not, in its order."""
    ended = incident.resolved_at if incident.status.over else None
    found: list[s.ItemJson] = []
    for item in items(policy.runbook):
        tick = tick_of(incident, item.id)
        due = ended + item.within if ended is not None and item.within is not None else None
        found.append(
            {
                "id": item.id,
                "text": item.text,
                "checklist": item.checklist,
                "group": item.group,
                "done": tick is not None and tick.done,
                "by": tick.by if tick else None,
                "at": maybe(tick.at) if tick else None,
                "note": tick.note if tick else "",
                "due_at": maybe(due),
            }
        )
    return found


def evidence_of(incident: Incident) -> Iterable[s.EvidenceBriefJson]:
    """What every step found, in the order the runs began; then what mitigations gave."""
    for run in incident.runs:
        for step in run.steps:
            if step.evidence is not None:
                yield {
                    "id": step.evidence,
                    "run": run.id,
                    "index": step.index,
                    "title": step.title,
                    "outcome": step.outcome or "",
                    "reason": step.reason,
                    "exit_code": step.exit_code,
                    "at": maybe(step.at),
                }
    for a in incident.approvals:
        if a.evidence is not None:
            yield {
                "id": a.evidence,
                "run": f"mitigation {a.id}",
                "index": 1,
                "title": a.action,
                "outcome": a.status,
                "reason": a.reason,
                "exit_code": None,
                "at": maybe(a.ended_at),
            }


def evidence(kept: Evidence) -> s.EvidenceJson:
    return {
        "id": kept.id,
        "run": kept.run,
        "index": kept.index,
        "title": kept.title,
        "command": kept.command,
        "outcome": kept.outcome,
        "reason": kept.reason,
        "exit_code": kept.exit_code,
        "stdout": kept.stdout,
        "stderr": kept.stderr,
        "cut_bytes": kept.cut_bytes,
        "started_at": instant(kept.started_at),
        "ended_at": instant(kept.ended_at),
        "sha256": kept.digest,
        "chart": f"/api/v1/incidents/{kept.incident_id}/evidence/{kept.id}/chart.svg" if kept.chart else None,
    }


def decision(position: Position, incident: Incident, *, awaited: bool = False) -> s.DecisionJson:
    """Where the tree stands; `at` of an answer is when it was given."""
    given = {a.question: a.at for a in incident.answers}
    question, leaf = position.question, position.leaf
    return {
        "path": [
            {
                "question": step.question,
                "slug": step.slug,
                "answer": step.answer,
                "by": step.by,
                "at": maybe(given.get(step.slug)),
                "reason": step.reason,
                "evidence": step.evidence,
            }
            for step in position.path
        ],
        "question": {
            "question": question.question,
            "slug": question.slug,
            "awaited": awaited,
            "verdict": _verdict(incident, question.slug),
        }
        if question
        else None,
        "leaf": {
            "action": leaf.action,
            "command": leaf.command,
            "mitigation": leaf.mitigation,
            "see": leaf.see,
            "escalate": leaf.escalate,
        }
        if leaf
        else None,
    }


def _verdict(incident: Incident, question: str) -> s.VerdictJson | None:
    """What facts said of a question, as long as nobody has answered it since."""
    given = next((a for a in incident.answers if a.question == question and a.by == TOCSIN.name), None)
    return {"answer": given.answer, "reason": given.reason, "evidence": given.evidence} if given else None


def checks(listed: Sequence[Check]) -> list[s.CheckJson]:
    return [{"what": c.what, "state": c.state, "said": c.said} for c in listed]


def pages(incident: Incident) -> list[s.PageJson]:
    """Who was paged or informed, in order."""
    return [
        {
            "key": p.key,
            "role": p.role,
            "person": p.person,
            "at": instant(p.at),
            "cause": p.cause,
            "informed": p.informed,
            "delivered": list(p.delivered),
            "failed": list(p.failed),
        }
        for p in incident.pages
    ]


def step_status(step: StepState, run: Run) -> str:
    """`done`, `running` (or waiting its turn), or `not_run` when the run ended without it."""
    if step.outcome is not None:
        return "done"
    return "running" if run.status == "running" else "not_run"


def run_brief(run: Run) -> s.RunBriefJson:
    """A run without the output of its steps."""
    return {
        "id": run.id,
        "procedure": run.procedure,
        "title": run.title,
        "purpose": run.purpose,
        "status": run.status,
        "by": run.by,
        "started_at": instant(run.started_at),
        "ended_at": maybe(run.ended_at),
        "steps": [
            {
                "index": step.index,
                "title": step.title,
                "status": step_status(step, run),
                "outcome": step.outcome,
                "reason": step.reason,
                "evidence": step.evidence,
            }
            for step in run.steps
        ],
    }


def run_whole(incident: Incident, run: Run, written: Written | None, kept: Mapping[str, Evidence]) -> s.RunJson:
    """A run with its steps' outputs. `written` is the procedure as it stands, None when no document has it any more."""
    return {
        "id": run.id,
        "incident": incident.number,
        "procedure": run.procedure,
        "title": run.title,
        "purpose": run.purpose,
        "status": run.status,
        "by": run.by,
        "values": dict(run.values),
        "started_at": instant(run.started_at),
        "ended_at": maybe(run.ended_at),
        "steps": [_step(step, run, written, kept) for step in run.steps],
    }


def _step(step: StepState, run: Run, source: Written | None, kept: Mapping[str, Evidence]) -> s.StepJson:
    steps = source.procedure.steps if source else ()
    written = steps[step.index - 1] if step.index <= len(steps) else None
    manual = written is not None and written.kind is StepKind.MANUAL
    found = kept.get(step.evidence or "")
    return {
        "index": step.index,
        "title": step.title,
        "kind": written.kind.value if written else "",
        "class": written.step_class.value if written else "",
        "command": found.command if found else (written.command if written else ""),
        "status": step_status(step, run),
        "exit_code": step.exit_code,
        "outcome": step.outcome,
        "reason": step.reason,
        "output": output(found) if found else "",
        "cut_bytes": found.cut_bytes if found else 0,
        "evidence": step.evidence,
        "link": dashboard(source.document, step.title) if source and manual else None,
        "started_at": instant(found.started_at) if found else None,
        "ended_at": instant(found.ended_at) if found else maybe(step.at),
    }


def output(kept: Evidence) -> str:
    """What a step wrote, standard error after standard output."""
    return "\n".join(text.rstrip("\n") for text in (kept.stdout, kept.stderr) if text.strip())


def approval(a: Approval) -> s.ApprovalJson:
    return {
        "id": a.id,
        "status": a.status,
        "class": a.step_class.value,
        "needs": a.needs,
        "expires_at": instant(a.expires_at),
        "slug": a.slug,
        "action": a.action,
        "command": a.command,
        "values": dict(a.values),
        "requested_by": a.requested_by,
        "requested_at": instant(a.requested_at),
        "approved_by": list(a.approved_by),
        "reason": a.reason,
        "evidence": a.evidence,
        "ended_at": maybe(a.ended_at),
        "context": a.context,
        "target": a.target,
        "watch": a.watch,
        "undo": a.undo,
        "advice": after_failure(a.undo) if a.status == "failed" else "",
        "broken_glass": a.broken_glass,
        "checks": checks(a.checks),
        "observed": checks(a.observed),
    }


def linked(document: Runbook) -> dict[str, object]:
    """A document that the runbook links to, as far as it can be run."""
    return {
        "target": document.file,
        "title": document.title,
        "digest": document.digest,
        "procedures": [procedure_json(p) for p in procedures_of(document)],
    }


def asked(found: Asked) -> s.AskedJson:
    p = found.placeholder
    return {
        "name": p.name,
        "type": p.type,
        "refused": p.refused,
        "choices": list(found.choices.values),
        "reason": found.choices.reason,
        "suggestions": [{"value": one.value, "label": one.label} for one in found.suggestions],
    }


def action_items(incident: Incident) -> list[s.ActionItemJson]:
    return [
        {
            "id": a.id,
            "title": a.title,
            "owner": a.owner,
            "due_at": instant(a.due_at),
            "kind": a.kind,
            "done_at": maybe(a.done_at),
        }
        for a in incident.action_items
    ]


def public(incident: Incident) -> s.PublicJson:
    """What the public was told, oldest first."""
    return {
        "status": incident.public[-1].status if incident.public else None,
        "title": incident.public_title,
        "updates": [{"status": u.status, "text": u.text, "at": instant(u.at)} for u in incident.public],
    }


def entry(line: e.Entry, incident: Incident) -> s.EntryJson:
    """A line of the timeline; `incident` lets the text name what the event points to."""
    data = msgspec.to_builtins(line.event)
    kind = data.pop("type")
    return {
        "seq": line.seq,
        "at": instant(line.at),
        "actor": line.actor,
        "type": kind,
        "data": data,
        "text": describe(line, incident),
    }


def streamed(committed: Committed) -> s.StreamedJson:
    incident = committed.incident
    return {
        **entry(committed.entry, incident),
        "incident": incident.number,
        "status": incident.status.value,
        "severity": incident.severity,
    }


def on_call(policy: Policy, at: datetime) -> s.OnCallJson:
    """Who holds each role at `at`: the configured roles, then those only the runbook's matrix names."""
    roster = policy.roster
    known = {role.casefold() for role in roster.role_names}
    only_written = (r.to for r in policy.runbook.escalation if r.to.casefold() not in known)
    duties: list[s.DutyJson] = []
    for role in dict.fromkeys((*roster.role_names, *only_written)):
        shifts = roster.shifts(role)
        people: list[s.HolderJson] = [{"id": p.id, "name": p.name} for p in roster.holders(role, at)]
        duties.append({"role": role, "people": people, "until": maybe(next_handoff(shifts, at)) if shifts else None})
    return {"at": instant(at), "roles": duties}
