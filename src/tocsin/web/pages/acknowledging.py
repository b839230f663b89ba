"""`/acknowledge/{ticket}`: the link in a page. Opening it changes nothing (mail scanners open links); its button does.

The ticket is the secret: whoever holds it acts as the person it names, without a session.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.engine.signing import Ticket
from tocsin.incident.errors import TransitionError
from tocsin.incident.state import Incident
from tocsin.web.auth import Here
from tocsin.web.pages.errors import error_page
from tocsin.web.pages.rendering import page

router = APIRouter(include_in_schema=False)
GONE, CONFLICT = 410, 409
_OLD = "The link is older than a week, was cut short on its way, or belongs to another server"
_REOPENED = "The incident was reopened since, and a newer page was sent: use the link in that one"


@router.get("/acknowledge/{ticket}")
async def ask(request: Request, house: Here, ticket: str) -> Response:
    """Shows what would be acknowledged, and as whom."""
    found = await _read(house, ticket)
    if found is None:
        return error_page(request, GONE, "Gone", _OLD)
    said, incident = found
    if said.generation != incident.generation:
        return error_page(request, GONE, "Gone", _REOPENED)
    incident = await house.desk.merging.surviving(incident)
    trouble = f"The incident is {incident.status.value} already." if incident.status.over else ""
    return _page(request, house, said, incident, trouble=trouble)


@router.post("/acknowledge/{ticket}")
async def acknowledge(request: Request, house: Here, ticket: str) -> Response:
    """Acknowledges as the person of the ticket."""
    found = await _read(house, ticket)
    if found is None:
        return error_page(request, GONE, "Gone", _OLD)
    said, incident = found
    try:
        incident = await house.desk.acknowledge_by_ticket(said)
    except TransitionError as refusal:
        if said.generation != incident.generation:
            return error_page(request, GONE, "Gone", _REOPENED)
        incident = await house.desk.merging.surviving(incident)
        sentence = f"{str(refusal)[:1].upper()}{str(refusal)[1:]}."
        return _page(request, house, said, incident, trouble=sentence, status=CONFLICT)
    return _page(request, house, said, incident, owned=True)


async def _read(house: House, ticket: str) -> tuple[Ticket, Incident] | None:
    said = house.signer.read(ticket)
    if said is None:
        return None
    try:
        return said, await house.desk.incident(said.incident_id)
    except NotFound:
        return None


def _page(
    request: Request, house: House, said: Ticket, incident: Incident, *, owned: bool = False, trouble: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    policy = house.desk.policy_of(incident)
    person = policy.roster.person(said.person)
    answer = page(
        request, "acknowledge.html", status, now=house.desk.now(), incident=incident, runbook=policy.runbook,
        owned=owned, trouble=trouble, name=person.name if person else said.person,
    )  # fmt: skip
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address is the secret
    return answer
