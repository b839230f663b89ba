"""`/report`: somebody who is not on call says that something is wrong. It goes the way of every other alert."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.incident.policy import Actor
from tocsin.signals.errors import SignalError
from tocsin.signals.report import from_report
from tocsin.signals.restraint import Restraint
from tocsin.web.auth import Here, csrf_token, identify, refuse_forgery
from tocsin.web.errors import Unauthenticated
from tocsin.web.pages.acting import typed
from tocsin.web.pages.rendering import page
from tocsin.web.pages.room_view import Told

router = APIRouter(include_in_schema=False)
TITLE, TEXT, CONTACT = 200, 4000, 200
UNPROCESSABLE, TOO_MANY = 422, 429
ENOUGH = "many reports have come in already and people are looking: please try again in a few minutes"


@router.get("/report")
async def ask(request: Request, house: Here) -> Response:
    return _form(request, house, await _reporter(request, house))


@router.post("/report")
async def report(request: Request, house: Here) -> Response:
    """Takes the report in; the answer carries a reference and nothing of what is known inside."""
    actor = await _reporter(request, house)
    if actor is not None:
        await refuse_forgery(request, house)
    fields = await typed(request)
    if actor is None and not _restraint(request).allows(_address(request), house.desk.now()):
        return _form(request, house, actor, trouble=ENOUGH, told=Told("report", fields), status=TOO_MANY)
    service = fields.get("service", "")
    try:
        alert = from_report(
            fields.get("title", "")[:TITLE],
            description=fields.get("description", "")[:TEXT],
            reporter=fields.get("contact", "")[:CONTACT] or (actor.name if actor else ""),
            at=house.desk.now(),
            service=service if service in house.settings.services else "",
        )
    except SignalError as wrong:
        return _form(request, house, actor, trouble=wrong.reason, told=Told("report", fields), status=UNPROCESSABLE)
    receipt = (await house.desk.receive([alert]))[0]
    return page(
        request, "report_thanks.html", actor=actor, csrf=csrf_token(request, house), now=house.desk.now(),
        reference=receipt.fingerprint[:8], incident=receipt.incident if actor else None,
        title=house.settings.status_page.title,
    )  # fmt: skip


def _restraint(request: Request) -> Restraint:
    """One for the whole app, made when first asked for."""
    state = request.app.state
    if not hasattr(state, "restraint"):
        state.restraint = Restraint()
    found: Restraint = state.restraint
    return found


def _address(request: Request) -> str:
    """Who asks, as far as the connection tells: behind a proxy that is everybody, and the limit of all holds."""
    return request.client.host if request.client else ""


async def _reporter(request: Request, house: House) -> Actor | None:
    """Who reports, when signed in. Raises Unauthenticated for others where reports are not public."""
    actor = await identify(request, house)
    if actor is None and not house.settings.sources.reports.public:
        raise Unauthenticated("sign in to report a problem")
    return actor


def _form(
    request: Request, house: House, actor: Actor | None, *, trouble: str = "", told: Told | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    return page(
        request, "report.html", status, actor=actor, csrf=csrf_token(request, house) if actor else "",
        now=house.desk.now(), services=list(house.settings.services), trouble=trouble, told=told or Told(),
        title=house.settings.status_page.title,
    )  # fmt: skip
