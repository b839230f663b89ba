"""`/approve/{ticket}`: the link in a proposal. Opening it changes nothing (mail scanners open links); its buttons do.

The ticket is the secret: whoever holds it acts as the person it names, with the access the settings give them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.engine.signing import ApprovalTicket
from tocsin.incident.errors import PermissionRefused, TransitionError
from tocsin.incident.policy import Actor, Context, Role
from tocsin.incident.state import Approval, Incident
from tocsin.web.auth import Here
from tocsin.web.pages.approval_view import approval_view
from tocsin.web.pages.errors import error_page
from tocsin.web.pages.rendering import page

router = APIRouter(include_in_schema=False)
GONE, CONFLICT, FORBIDDEN = 410, 409, 403
_OLD = "The link is older than a week, was cut short on its way, or belongs to another server"


@router.get("/approve/{ticket}")
async def ask(request: Request, house: Here, ticket: str) -> Response:
    """Shows what would be approved, and as whom."""
    found = await _read(house, ticket)
    if found is None:
        return error_page(request, GONE, "Gone", _OLD)
    said, incident, approval = found
    trouble = "" if approval.status == "pending" else f"This proposal is {approval.status} already."
    if not trouble and (hindered := await house.desk.hindered(incident.id, approval.id)):
        when = "at this moment" if hindered.passing else "any more"
        trouble = f"This cannot be approved {when}: {hindered.why}."
    return _page(request, house, said, incident, trouble=trouble)


@router.post("/approve/{ticket}")
async def decide(
    request: Request, house: Here, ticket: str, decision: Annotated[Literal["approve", "reject"], Form()]
) -> Response:
    """Approves or rejects as the person of the ticket."""
    found = await _read(house, ticket)
    if found is None:
        return error_page(request, GONE, "Gone", _OLD)
    said, incident, _ = found
    try:
        incident = await house.desk.decide_by_ticket(said, decision=decision)
    except (TransitionError, PermissionRefused) as refusal:
        status = FORBIDDEN if isinstance(refusal, PermissionRefused) else CONFLICT
        sentence = f"{str(refusal)[:1].upper()}{str(refusal)[1:]}."
        return _page(request, house, said, incident, trouble=sentence, status=status)
    return _page(request, house, said, incident, decided=decision)


async def _read(house: House, ticket: str) -> tuple[ApprovalTicket, Incident, Approval] | None:
    said = house.signer.read_approval(ticket)
    if said is None:
        return None
    try:
        incident = await house.desk.incident(said.incident_id)
    except NotFound:
        return None
    approval = incident.approval(said.approval)
    return (said, incident, approval) if approval is not None and approval.binding == said.binding else None


def _page(
    request: Request, house: House, said: ApprovalTicket, incident: Incident, *, decided: str = "", trouble: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    policy, now = house.desk.policy_of(incident), house.desk.now()
    person = policy.roster.person(said.person)
    actor = Actor(person.name, Role(person.access)) if person else Actor(said.person, Role.VIEWER)
    approval = incident.approval(said.approval)
    seen = approval_view(incident, approval, Context(now, actor, policy)) if approval else None
    answer = page(
        request, "approve.html", status, now=now, incident=incident, runbook=policy.runbook,
        approval=approval, w=seen, decided=decided, trouble=trouble, name=actor.name,
    )  # fmt: skip
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address is the secret
    return answer
