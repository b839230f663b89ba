"""Mitigations: proposed, approved by named people, run at most once. An approval holds for exactly what was shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from tocsin.incident import events as e
from tocsin.incident import hints, library, steps
from tocsin.incident.approvers import leads, may_approve, role_for, same_person
from tocsin.incident.deadlines import acknowledge_due
from tocsin.incident.errors import CommandError, PermissionRefused, TransitionError
from tocsin.incident.policy import Context, Role
from tocsin.incident.preflight import Check
from tocsin.incident.state import Approval, Incident, Status
from tocsin.incident.transitions import allowed
from tocsin.runbook.model import Mitigation, StepClass

NEEDS = {StepClass.READ: 1, StepClass.CHANGE: 1, StepClass.DESTRUCTIVE: 2}
_NOW = {
    "approved": "it is approved and about to run",
    "running": "the command runs",
    "done": "the command has run",
    "failed": "the command has run and failed",
    "unknown": "what came of the command is not known: settle that first",
    "rejected": "it was rejected, propose it again",
    "expired": "it expired, propose it again",
}
UNFINISHED = ("pending", "approved", "running")


class Footing(Struct, frozen=True):
    """Where a command would act, read outside: the cluster as `context`, and what it acts on as `target`, in words that
    change when it does. Empty when there is nothing to read. `replicas` is how many the target has, if it has any,
    `template` the digest of its pod template, `checks` what was looked at before: an approval holds for none of them.
    """

    context: str = ""
    target: str = ""
    replicas: int | None = None
    checks: tuple[Check, ...] = ()
    template: str = ""


NOWHERE = Footing()
UNKNOWN = "unknown"
"""How a footing says what could not be read: the context begins with it, the target ends with it."""


def binding(runbook: str, command: str, values: Mapping[str, str], footing: Footing = NOWHERE) -> str:
    """The sha256 hex an approval holds for: the document's digest, the command's own text, the values, the footing."""
    held: list[object] = [runbook, command, dict(sorted(values.items()))]
    if footing.context or footing.target:
        held += [footing.context, footing.target]
    return hashlib.sha256(json.dumps(held, ensure_ascii=False).encode()).hexdigest()


def propose(
    incident: Incident, ctx: Context, mitigation: Mitigation, *, values: Mapping[str, str], footing: Footing = NOWHERE
) -> tuple[e.MitigationProposed]:
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
    asked = {p.name for p in mitigation.placeholders}
    given = {name: value for name, value in values.items() if name in asked}
    return (
        e.MitigationProposed(
            approval=str(len(incident.approvals) + 1), slug=mitigation.slug, action=mitigation.action,
            command=mitigation.command, step_class=mitigation.step_class, needs=NEEDS[mitigation.step_class],
            expires_at=ctx.at + ctx.policy.rules.approval_expires,
            binding=binding(_document(ctx, mitigation.slug), mitigation.command, given, footing), values=given,
            context=footing.context, target=footing.target, watch=hints.watch(ctx.policy.runbook),
            undo=hints.undo(mitigation.command, replicas=footing.replicas), checks=footing.checks,
            template=footing.template,
        ),
    )  # fmt: skip


def break_glass(
    incident: Incident,
    ctx: Context,
    mitigation: Mitigation,
    *,
    values: Mapping[str, str],
    reason: str,
    footing: Footing = NOWHERE,
) -> tuple[e.Event, ...]:
    """An admin has it run at once, with nobody's approval, for a reason that everybody is told."""
    if not ctx.actor.role.includes(Role.ADMIN):
        raise PermissionRefused(f"{ctx.actor.name} may not break the glass: this takes an admin")
    if not reason.strip():
        raise CommandError("say why nobody else is asked", {"reason": "must not be empty"})
    waiting = [a.id for a in incident.approvals if a.slug == mitigation.slug and a.status == "pending"]
    freed = replace(incident, approvals=tuple(a for a in incident.approvals if a.id not in waiting))
    (proposed,) = propose(freed, ctx, mitigation, values=values, footing=footing)
    number = str(len(incident.approvals) + 1)
    return (
        *(e.MitigationRejected(one, f"{ctx.actor.name} runs it by break-glass") for one in waiting),
        replace(proposed, approval=number, needs=0),
        *_before(incident, ctx, mitigation.action),
        e.GlassBroken(number, reason.strip()),
        *steps.publish(incident, ctx, Status.MITIGATING),
    )


def approve(
    incident: Incident, ctx: Context, approval: str, *, footing: Footing | None = None
) -> tuple[e.Event, ...]:  # fmt: skip
    """One person's yes. A reversible change needs one, a destructive one two different people.

    `footing` is where the command would act now; None when that was not read, and nothing of it was promised.

    Raises PermissionRefused for who may not, TransitionError for what was used, expired or changed since it was shown.
    """
    found = _pending(incident, ctx, approval)
    if not may_approve(incident, ctx.policy, ctx.actor, found.step_class):
        needed = role_for(ctx.policy, found.step_class)
        raise PermissionRefused(
            f"{ctx.actor.name} may not approve a {found.step_class} command: this takes the {needed}"
        )
    if any(same_person(ctx.policy, ctx.actor.name, name) for name in found.approved_by):
        raise TransitionError(f"{ctx.actor.name} has approved it already: another person is needed")
    if why := unreadable(found, footing):
        raise TransitionError(f"{why}: try again")
    if why := outdated(ctx, found, footing):
        raise TransitionError(f"{why}: propose it again")
    if not allowed(incident.status, e.MitigationApproved):
        raise TransitionError(f"the incident is {incident.status}: nothing to mitigate")
    before = _before(incident, ctx, found.action)
    return (*before, e.MitigationApproved(approval), *steps.publish(incident, ctx, Status.MITIGATING))


def outdated(ctx: Context, approval: Approval, footing: Footing | None = None) -> str:
    """Why the approval does not hold any more, in words; empty when it does."""
    now = library.mitigation(ctx.policy, approval.slug)
    shown = Footing(approval.context, approval.target)
    command = now.mitigation.command if now else None
    if now is None or command is None:
        return "the runbook's command changed since this was proposed"
    if approval.binding != binding(now.document.digest, command, approval.values, shown):
        return "the runbook's command changed since this was proposed"
    if footing is None:
        return ""
    if footing.context != shown.context:
        return f"the cluster is {footing.context or 'not known'} now, it was {shown.context or 'not known'} as proposed"
    if footing.target != shown.target:
        was, now_is = shown.target or "not known", footing.target or "not known"
        return f"what it acts on changed since this was proposed (it was {was}, it is {now_is})"
    return ""


def unreadable(approval: Approval, footing: Footing | None) -> str:
    """Why nobody can tell now whether it still acts on what was shown; empty when one can. It may pass by itself."""
    if footing is None:
        return ""
    if footing.context.startswith(UNKNOWN) and not approval.context.startswith(UNKNOWN):
        return f"where it would act cannot be looked at now: {footing.context}"
    if footing.target.endswith(UNKNOWN) and not approval.target.endswith(UNKNOWN):
        return f"what it would act on cannot be looked at now: {footing.target}"
    return ""


def expire_outdated(
    incident: Incident, ctx: Context, approval: str, *, footing: Footing | None
) -> tuple[e.MitigationRejected, ...]:  # fmt: skip
    """Ends an undecided approval that does not hold any more, so that it can be proposed again; else nothing."""
    found = incident.approval(approval)
    if found is None or found.status not in ("pending", "approved"):
        return ()
    why = outdated(ctx, found, footing)
    return (e.MitigationRejected(approval, why),) if why else ()


def reject(incident: Incident, ctx: Context, approval: str, *, reason: str = "") -> tuple[e.Event, ...]:
    _pending(incident, ctx, approval)
    return (e.MitigationRejected(approval, reason),)


def begin(
    incident: Incident, ctx: Context, approval: str, *, footing: Footing | None = None
) -> tuple[e.Event, ...]:  # fmt: skip
    """The point of no return, committed before anything runs. Raises TransitionError when it may not begin."""
    found = incident.approval(approval)
    if found is None or found.status != "approved":
        raise TransitionError(f"approval {approval} is {found.status if found else 'unknown'}: it is not run")
    if not allowed(incident.status, e.MitigationStarted):
        raise TransitionError(f"the incident is {incident.status}: {found.action} is not run any more")
    if ctx.at >= found.expires_at:
        raise TransitionError(f"{found.action} was approved too long ago: it is not run")
    if why := outdated(ctx, found, footing):
        raise TransitionError(f"the command is not the one that was approved: {why}")
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
        return (e.MitigationOutcomeUnknown(approval, reason, evidence),)
    return (e.MitigationFinished(approval, outcome, reason, evidence),)


def stop(incident: Incident, ctx: Context, approval: str, *, reason: str) -> tuple[e.Event, ...]:
    """A commander ends a running mitigation. What it did by then is not known, and asked of a person."""
    found = incident.approval(approval)
    if found is None:
        raise CommandError(f"no approval {approval!r}", {"approval": "an id from the incident"})
    if not (ctx.actor.role.includes(Role.COMMANDER) or leads(incident, ctx.policy, ctx.actor)):
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


def _document(ctx: Context, slug: str) -> str:
    """The digest of the document that the mitigation stands in."""
    found = library.mitigation(ctx.policy, slug)
    return found.document.digest if found else ctx.policy.runbook.digest


def _before(incident: Incident, ctx: Context, action: str) -> tuple[e.Event, ...]:
    """What a mitigation's start says of an incident that is being watched, or that nobody owned."""
    v = incident.verification
    watching = v is not None and v.status != "failed"
    again = (e.VerificationFailed(f"another mitigation: {action}"),) if watching else ()
    first = () if incident.acknowledged_at else (e.Acknowledged(acknowledge_due(incident, ctx.policy), "approval"),)
    return (*again, *first)


def _responder(ctx: Context, what: str) -> None:
    if not ctx.actor.role.includes(Role.RESPONDER):
        raise PermissionRefused(f"{ctx.actor.name} may look on only: {what} takes a responder")


def _pending(incident: Incident, ctx: Context, approval: str) -> Approval:
    _responder(ctx, "approving")
    found = incident.approval(approval)
    if found is None:
        raise CommandError(f"no approval {approval!r}", {"approval": "an id from the incident"})
    if found.status != "pending":
        raise TransitionError(f"an approval is used once: {_NOW.get(found.status, found.status)}")
    if ctx.at >= found.expires_at:
        raise TransitionError("this approval has expired: propose it again")
    return found
