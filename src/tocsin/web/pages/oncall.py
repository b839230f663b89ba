"""`/oncall`: who holds each role now, until when, who follows, and how to reach them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.incident.policy import Policy
from tocsin.oncall.roster import Person, next_handoff
from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.rendering import page

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Duty:
    """A role: who holds it, until when (None: always), and who takes over then."""

    role: str
    people: tuple[Person, ...]
    until: datetime | None
    after: tuple[Person, ...]


@router.get("/oncall")
async def show(request: Request, house: Here, actor: Viewer) -> Response:
    now, policy = house.desk.now(), house.desk.policy
    return page(
        request, "oncall.html", actor=actor, csrf=csrf_token(request, house), now=now, duties=duties(policy, now),
        people=list(policy.roster.people.values()), runbook=policy.runbook,
    )  # fmt: skip


def duties(policy: Policy, now: datetime) -> tuple[Duty, ...]:
    """The configured roles, then those that only the runbook's matrix names."""
    roster = policy.roster
    known = {role.casefold() for role in roster.role_names}
    written = (r.to for r in policy.runbook.escalation if r.to.casefold() not in known)
    return tuple(_duty(policy, role, now) for role in dict.fromkeys((*roster.role_names, *written)))


def _duty(policy: Policy, role: str, now: datetime) -> Duty:
    roster = policy.roster
    shifts = roster.shifts(role)
    until = next_handoff(shifts, now) if shifts else None
    return Duty(role, roster.holders(role, now), until, roster.holders(role, until) if until else ())
