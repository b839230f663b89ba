"""A proposal as people judge it: what exactly would run, where, who may say yes, what to look at afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from tocsin.incident import library
from tocsin.incident.approvers import approvers, may_approve, role_for, same_person
from tocsin.incident.mitigations import outdated
from tocsin.incident.policy import Actor, Context, Policy
from tocsin.incident.state import Approval, Incident
from tocsin.incident.wording import listed


@dataclass(frozen=True)
class ApprovalView:
    """`place` is the line of the document that is approved, empty when the document has it no more.

    `changed` says why it cannot be approved any more as far as the documents tell; where it acts is looked at when
    somebody approves. `may` is whether the actor may approve at all, `given` whether they have.
    """

    approval: Approval
    place: str
    changed: str
    may: bool
    given: bool
    role: str
    people: tuple[str, ...]

    @property
    def left(self) -> int:
        """How many different people must still approve."""
        return max(self.approval.needs - len(self.approval.approved_by), 0)

    @property
    def runs_at_once(self) -> bool:
        """Whether one more yes has it run."""
        return self.left <= 1

    @property
    def who(self) -> str:
        """Who may approve, in words."""
        named = f": {listed(self.people)}" if self.people else ""
        return f"Takes the role {self.role}{named}"


def approval_view(incident: Incident, approval: Approval, ctx: Context) -> ApprovalView:
    """The proposal as the actor of `ctx` sees it."""
    policy, actor = ctx.policy, ctx.actor
    found = library.mitigation(policy, approval.slug)
    able = approvers(incident, policy, approval.step_class)
    return ApprovalView(
        approval=approval,
        place=f"{PurePath(found.document.file).name}, line {found.mitigation.line}" if found else "",
        changed=outdated(ctx, approval) if approval.status == "pending" else "",
        may=may_approve(incident, policy, actor, approval.step_class),
        given=has_approved(policy, approval, actor),
        role=role_for(policy, approval.step_class).value,
        people=tuple(p.name for p in able if not has_approved(policy, approval, Actor(p.name, actor.role))),
    )


def has_approved(policy: Policy, approval: Approval, actor: Actor) -> bool:
    return any(same_person(policy, actor.name, name) for name in approval.approved_by)
