"""`/`: the incidents, open ones first, and the form that declares one."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.bootstrap.house import House
from tocsin.engine.storage import Transaction
from tocsin.incident.deadlines import Deadline, deadlines
from tocsin.incident.errors import CommandError
from tocsin.incident.policy import Actor
from tocsin.incident.state import Incident
from tocsin.runbook.model import Runbook
from tocsin.web.auth import Here, Responder, Viewer, csrf_token
from tocsin.web.pages.acting import typed
from tocsin.web.pages.owed_view import KINDS
from tocsin.web.pages.rendering import may_act, page
from tocsin.web.pages.room_view import Told

router = APIRouter(include_in_schema=False)
OPEN_SHOWN, PAST_SHOWN = 200, 30
SEE_OTHER, UNPROCESSABLE = 303, 422


@dataclass(frozen=True)
class Card:
    """An incident of the list, with what it owes next."""

    incident: Incident
    runbook: Runbook
    owner: str
    next: Deadline | None
    label: str


@router.get("/")
async def index(request: Request, house: Here, actor: Viewer, below: int | None = None) -> Response:
    return await listing(request, house, actor, below=below)


@router.get("/incidents")
async def same_list() -> Response:
    return RedirectResponse("/", SEE_OTHER)


@router.post("/incidents")
async def declare(request: Request, house: Here, actor: Responder) -> Response:
    """An incident said by a person; then its room."""
    fields = await typed(request)
    try:
        incident = await house.desk.declare(
            actor,
            title=fields.get("title", ""),
            severity=fields.get("severity") or None,
            summary=fields.get("summary", "").strip(),
            service=fields.get("service", "").strip(),
            runbook=fields.get("runbook", "").strip(),
        )
    except CommandError as refusal:
        return await listing(request, house, actor, trouble=str(refusal), told=Told("declare", fields))
    return RedirectResponse(f"/incidents/{incident.number}?done=declared", SEE_OTHER)


async def listing(
    request: Request, house: House, actor: Actor, *, below: int | None = None, trouble: str = "",
    told: Told | None = None,
) -> Response:  # fmt: skip
    """The list; `below` is the number to go on from, `trouble` why the form was refused."""

    def read(tx: Transaction) -> tuple[list[Incident], list[Incident]]:
        alive = tx.incidents(over=False, limit=OPEN_SHOWN) if below is None else []
        return alive, tx.incidents(over=True, below=below, limit=PAST_SHOWN)

    alive, past = await house.core.read(read)
    return page(
        request,
        "incidents.html",
        UNPROCESSABLE if trouble else 200,
        actor=actor,
        csrf=csrf_token(request, house),
        now=house.desk.now(),
        alive=[_card(house, i) for i in alive],
        past=[_card(house, i) for i in past],
        more=past[-1].number if len(past) == PAST_SHOWN else None,
        below=below,
        runbook=house.reading.runbook,
        services=list(house.settings.services),
        troubles=dict(house.troubles),
        contradictions=sum(len(t.new) for t in house.compared()),
        others={name: reading.runbook for name, (reading, _) in house.runbooks().items() if name},
        base=house.settings.public_url.rstrip("/"),
        needs_token=house.alert_token is not None,
        can=may_act(actor),
        trouble=trouble,
        told=told or Told(),
    )


def _card(house: House, incident: Incident) -> Card:
    policy = house.desk.policy_of(incident)
    owed = deadlines(incident, policy) if not incident.status.over else ()
    first = next(iter(owed), None)
    owner = incident.commander or incident.acknowledged_by or ""
    return Card(incident, policy.runbook, owner, first, KINDS[first.kind] if first else "")
