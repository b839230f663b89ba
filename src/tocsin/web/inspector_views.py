"""`/signals` and `/api/v1/signals`: what senders sent lately, what became of it, and by which rules.

Everybody signed in sees what came of each body; the body itself takes the role responder.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.incident.policy import Actor
from tocsin.web.auth import Here, Viewer, csrf_token, viewer
from tocsin.web.inspector import KEPT, Delivery, Inspector, Seen
from tocsin.web.inspector_why import Reasons, explain
from tocsin.web.pages.rendering import may_act, page
from tocsin.web.sources_held import kept_back
from tocsin.web.views import instant

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", dependencies=[Depends(viewer)])
SHOWN = 50
GONE = f"is not kept: only the last {KEPT} requests are, by the process that took them, until it ends"
Sender = Annotated[str, Query(max_length=100)]
Below = Annotated[int | None, Query(ge=1)]


class SeenJson(TypedDict):
    """An alert as it was decoded, `outcome` what came of it; the rest by which rule."""

    fingerprint: str
    status: str
    name: str
    summary: str
    labels: dict[str, str]
    outcome: str
    incident: int | None
    because: str
    service: str
    service_by: str
    severity: str | None
    severity_by: str


class SignalJson(TypedDict):
    """A request of a sender. `body` is only in the answer for one, of a responder, at most 16,000 bytes of it."""

    id: int
    at: str
    sender: str
    who: str
    method: str
    path: str
    status: int
    took_seconds: float
    bytes: int
    alerts_total: int
    reason: str | None
    body: str | None
    alerts: list[SeenJson]


class SignalsJson(TypedDict):
    signals: list[SignalJson]
    next: int | None


def inspector_of(request: Request) -> Inspector:
    found: Inspector = request.app.state.inspector
    return found


@api.get("/signals", tags=["signals"])
async def signals(
    request: Request, house: Here, sender: Sender = "", limit: Annotated[int, Query(ge=1, le=KEPT)] = SHOWN,
    below: Below = None,
) -> SignalsJson:  # fmt: skip
    """The latest requests of senders to this process, newest first; `below` is the `next` of the answer before."""
    found = inspector_of(request).latest(sender=sender, limit=limit + 1, below=below)
    shown = found[:limit]
    return {
        "signals": [_json(house, delivery) for delivery in shown],
        "next": shown[-1].id if len(found) > limit else None,
    }


@api.get("/signals/{id}", tags=["signals"])
async def signal(request: Request, house: Here, actor: Viewer, id: int) -> SignalJson:
    """One request, with its body for a responder: cut short, secrets taken out."""
    delivery = _delivery(request, id)
    return {**_json(house, delivery), "body": delivery.body if may_act(actor) else None}


@router.get("/signals")
async def listing(request: Request, house: Here, actor: Viewer, sender: Sender = "", below: Below = None) -> Response:
    inspector = inspector_of(request)
    found = inspector.latest(sender=sender, limit=SHOWN + 1, below=below)
    return _page(
        request, house, actor, "signals.html", deliveries=found[:SHOWN], sender=sender, below=below,
        more=found[SHOWN - 1].id if len(found) > SHOWN else None, senders=sorted(inspector.tallies), kept=KEPT,
        held=[] if below else await kept_back(house.core, sender=sender),
    )  # fmt: skip


@router.get("/signals/{id}")
async def show(request: Request, house: Here, actor: Viewer, id: int) -> Response:
    delivery = _delivery(request, id)
    return _page(
        request, house, actor, "signal.html", d=delivery, can=may_act(actor),
        reasons=[(seen, _explained(house, seen)) for seen in delivery.seen],
    )  # fmt: skip


def _page(request: Request, house: House, actor: Actor, template: str, **more: Any) -> Response:
    runbook = house.reading.runbook
    return page(
        request, template, actor=actor, csrf=csrf_token(request, house), now=house.desk.now(), runbook=runbook, **more
    )


def _delivery(request: Request, id_: int) -> Delivery:
    found = inspector_of(request).delivery(id_)
    if found is None:
        raise NotFound(f"signal {id_} {GONE}")
    return found


def _explained(house: House, seen: Seen) -> Reasons:
    return explain(seen, house.desk.triage, house.desk.policy_for(seen.alert))


def _json(house: House, d: Delivery) -> SignalJson:
    return {
        "id": d.id, "at": instant(d.at), "sender": d.sender, "who": d.who, "method": d.method, "path": d.path,
        "status": d.status, "took_seconds": round(d.took, 4), "bytes": d.size, "alerts_total": d.total,
        "reason": d.reason or None, "body": None, "alerts": [_seen(house, seen) for seen in d.seen],
    }  # fmt: skip


def _seen(house: House, seen: Seen) -> SeenJson:
    alert, why = seen.alert, _explained(house, seen)
    return {
        "fingerprint": alert.fingerprint, "status": alert.status.value, "name": alert.name, "summary": alert.summary,
        "labels": alert.labels, "outcome": seen.outcome, "incident": seen.incident, "because": why.outcome,
        "service": why.service, "service_by": why.service_by, "severity": why.severity or None,
        "severity_by": why.severity_by,
    }  # fmt: skip
