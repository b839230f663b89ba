"""Who may approve a change to production, and whether two names are one person."""

from __future__ import annotations

from tocsin.incident.policy import Actor, Policy, Role
from tocsin.incident.state import Incident
from tocsin.oncall.roster import Person
from tocsin.runbook.model import StepClass


def role_for(policy: Policy, step_class: StepClass) -> Role:
    """The least role that may approve; from the settings' [approvals]."""
    rules = policy.rules
    return rules.approve_destructive if step_class is StepClass.DESTRUCTIVE else rules.approve_change


def may_approve(incident: Incident, policy: Policy, actor: Actor, step_class: StepClass) -> bool:
    """Where it takes a commander, the incident's own commander is one."""
    needed = role_for(policy, step_class)
    return actor.role.includes(needed) or (needed is Role.COMMANDER and leads(incident, policy, actor))


def leads(incident: Incident, policy: Policy, actor: Actor) -> bool:
    """Whether the actor is this incident's commander, by having acknowledged it or by being made it."""
    own = incident.commander
    return own is not None and actor.role.includes(Role.RESPONDER) and same_person(policy, own, actor.name)


def same_person(policy: Policy, name: str, other: str) -> bool:
    """Whether both names are one person's: a token named by the id, a link by the display name."""
    one, two = policy.roster.named(name), policy.roster.named(other)
    return one.id == two.id if one and two else name.casefold() == other.casefold()


def approvers(incident: Incident, policy: Policy, step_class: StepClass) -> tuple[Person, ...]:
    """Those paged or informed in this incident, since it last opened, whose access lets them approve; each once."""
    ids = dict.fromkeys(p.person for p in incident.pages if p.at >= incident.clock_started_at)
    people = (policy.roster.person(id_) for id_ in ids)
    return tuple(p for p in people if p and may_approve(incident, policy, Actor(p.name, Role(p.access)), step_class))
