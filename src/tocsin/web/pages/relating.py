"""`/incidents/{number}/related`: what may be one trouble with an incident, as a part of its room or a page.

The room is drawn without looking through the others; this is asked beside it.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.rendering import HEADERS, may_act, page, render

router = APIRouter(include_in_schema=False)


@router.get("/incidents/{number}/related")
async def related(request: Request, house: Here, actor: Viewer, number: int) -> Response:
    """Only the list when a room asks for it (`?part=1`)."""
    incident = await house.desk.incident(str(number))
    shown: dict[str, Any] = {
        "incident": incident,
        "found": await house.desk.merging.related(incident),
        "runbook": house.desk.policy_of(incident).runbook,
        "csrf": csrf_token(request, house),
        "can": may_act(actor) and not incident.status.over,
    }
    if request.query_params.get("part"):
        return HTMLResponse(render("room/related_part.html", **shown), headers=HEADERS)
    return page(request, "related.html", actor=actor, **shown)
