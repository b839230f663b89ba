"""Mitigations: proposed, approved by named people, run at most once. An approval holds for exactly what was shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tocsin.incident import events as e
from tocsin.incident import steps
from tocsin.incident.deadlines import acknowledge_due
from tocsin.incident.errors import CommandError, PermissionRefused, TransitionError
from tocsin.incident.policy import Context, Role
from tocsin.incident.state import Approval, Incident, Status
from tocsin.incident.transitions import allowed
from tocsin.runbook.model import Mitigation, StepClass

NEEDS = {StepClass.READ: 1, StepClass.CHANGE: 1, StepClass.DESTRUCTIVE: 2}
UNFINISHED = ("pending", "approved", "running")


def binding(runbook: str, command: str, values: Mapping[str, str]) -> str:
    """The sha256 hex an approval holds for: the document's digest, the command's own text and the values."""
    text = json.dumps([runbook, command, dict(sorted(values.items()))], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def propose(
    incident: Incident, ctx: Context, mitigation: Mitigation, *, values: Mapping[str, str]
) -> tuple[e.Event, ...]:
    """A proposal to approve. Refused without a command, with a value missing, or while the same one is under way."""
    if not allowed(incident.status, e.MitigationProposed):
        raise TransitionError(f"the incident is {incident.status}: nothing to mitigate")
    _responder(ctx, "proposing")
    if mitigation.command is None or mitigation.step_class is None:
        raise CommandError(f"{mitigation.action} has no command in the runbook: see {mitigation.see or 'the document'}")
    missing = {p.name: "needed by the command" for p in mitigation.placeholders if not values.get(p.name)}
    if missing:
        raise CommandError(f"{mitigation.action} needs: {', '.join(missing)}", missing)
    if any(a.slug == mitigation.slug and a.status in UNFINISHED for a in incident.approvals):
        raise TransitionError(f"{mitigation.action} is proposed or running already")
    return (
        e.MitigationProposed(
            approval=str(len(incident.approvals) + 1), slug=mitigation.slug, action=mitigation.action,
            command=mitigation.command, step_class=mitigation.step_class, needs=NEEDS[mitigation.step_class],
            expires_at=ctx.at + ctx.policy.rules.approval_expires,
            binding=binding(ctx.policy.runbook.digest, mitigation.command, values), values=dict(values),
        ),
    )  # fmt: skip


def approve(incident: Incident, ctx: Context, approval: str) -> tuple[e.Event, ...]:
    """One person's yes. A reversible change needs one, a destructive one two different people.

    Raises PermissionRefused for who may not, TransitionError for what was used, expired or changed since it was shown.
    """
    found = _pending(incident, ctx, approval)
    if ctx.actor.name in found.approved_by:
        raise TransitionError(f"{ctx.actor.name} has approved it already: another person is needed")
    if _changed(ctx, found):
        raise TransitionError("the runbook's command changed since this was proposed: propose it again")
    if not allowed(incident.status, e.MitigationApproved):
        raise TransitionError(f"the incident is {incident.status}: nothing to mitigate")
    v = incident.verification
    watching = v is not None and v.status != "failed"
    again = (e.VerificationFailed(f"another mitigation: {found.action}"),) if watching else ()
    first = () if incident.acknowledged_at else (e.Acknowledged(acknowledge_due(incident, ctx.policy), "approval"),)
    return (*again, *first, e.MitigationApproved(approval), *steps.publish(incident, ctx, Status.MITIGATING))


def reject(incident: Incident, ctx: Context, approval: str, *, reason: str = "") -> tuple[e.Event, ...]:
    _pending(incident, ctx, approval)
    return (e.MitigationRejected(approval, reason),)


def begin(incident: Incident, ctx: Context, approval: str) -> tuple[e.Event, ...]:
    """The point of no return, committed before anything runs. Raises TransitionError when it may not begin."""
    found = incident.approval(approval)
    if found is None or found.status != "approved":
        raise TransitionError(f"approval {approval} is {found.status if found else 'unknown'}: it is not run")
    if not allowed(incident.status, e.MitigationStarted):
        raise TransitionError(f"the incident is {incident.status}: {found.action} is not run any more")
    if ctx.at >= found.expires_at:
        raise TransitionError(f"{found.action} was approved too long ago: it is not run")
    if _changed(ctx, found):
        raise TransitionError("the command is not the one that was approved")
    return (e.MitigationStarted(approval),)


def finish(
    incident: Incident, approval: str, *, outcome: str, reason: str, evidence: str | None
) -> tuple[e.Event, ...]:
    """What came of it. An outcome that is not known is asked of a person, never tried again by itself.

    A result that comes late, when the outcome was called unknown already, is noted: a person settles it.
    """
    found = incident.approval(approval)
    if found is None or found.status != "running":
        named = found.action if found else f"approval {approval}"
        return (e.Noted(f"A late result of {named}: {outcome}: {reason}".rstrip(": ")),)
    if outcome == "unknown":
        return (e.MitigationOutcomeUnknown(approval, reason),)
    return (e.MitigationFinished(approval, outcome, reason, evidence),)


def stop(incident: Incident, ctx: Context, approval: str, *, reason: str) -> tuple[e.Event, ...]:
    """A commander ends a running mitigation. What it did by then is not known, and asked of a person."""
    found = incident.approval(approval)
    if found is None:
        raise CommandError(f"no approval {approval!r}", {"approval": "an id from the incident"})
    if not (ctx.actor.role.includes(Role.COMMANDER) or _leads(incident, ctx)):
        raise PermissionRefused(f"{ctx.actor.name} may not stop a mitigation: this takes the incident's commander")
    if found.status != "running":
        advice = ": reject it" if found.status == "pending" else ""
        raise TransitionError(f"{found.action} is {found.status}, it does not run{advice}")
    if not reason.strip():
        raise CommandError("say why it is stopped half-way", {"reason": "must not be empty"})
    said = f"stopped by {ctx.actor.name} while it ran ({reason.strip()}): look whether it took effect"
    return (e.MitigationOutcomeUnknown(approval, said),)


def settle(incident: Incident, ctx: Context, approval: str, *, outcome: str, reason: str) -> tuple[e.Event, ...]:
    """A person says what came of a mitigation whose outcome was unknown: `done` or `failed`."""
    found = incident.approval(approval)
    _responder(ctx, "settling")
    if found is None or found.status != "unknown":
        raise TransitionError("only an unknown outcome can be settled")
    if outcome not in ("done", "failed"):
        raise CommandError(f"no outcome {outcome!r}", {"outcome": "done or failed"})
    return (e.MitigationFinished(approval, outcome, f"settled by {ctx.actor.name}: {reason}".rstrip(": "), None),)


def _changed(ctx: Context, approval: Approval) -> bool:
    """Whether document, command or values are not those the approval holds for."""
    now = ctx.policy.runbook.mitigation(approval.slug)
    if now is None or now.command is None:
        return True
    return approval.binding != binding(ctx.policy.runbook.digest, now.command, approval.values)


def _leads(incident: Incident, ctx: Context) -> bool:
    """Whether the actor is this incident's commander, by having acknowledged it or by being made it."""
    return incident.commander == ctx.actor.name and ctx.actor.role.includes(Role.RESPONDER)


def _responder(ctx: Context, what: str) -> None:
    if not ctx.actor.role.includes(Role.RESPONDER):
        raise PermissionRefused(f"{ctx.actor.name} may look on only: {what} takes a responder")


def _pending(incident: Incident, ctx: Context, approval: str) -> Approval:
    _responder(ctx, "approving")
    found = incident.approval(approval)
    if found is None:
        raise CommandError(f"no approval {approval!r}", {"approval": "an id from the incident"})
    if found.status != "pending":
        raise TransitionError(f"this approval is {found.status}: an approval is used once")
    if ctx.at >= found.expires_at:
        raise TransitionError("this approval has expired: propose it again")
    return found
