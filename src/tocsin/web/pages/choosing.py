"""`/incidents/{number}/choices`: what a procedure or mitigation asks for, with what there is to choose from.

A page of its own without JavaScript, a part of the room with it. Nothing is ever filled in by itself: the names come
from the cluster, the hints from alerts, which anybody may have written.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tocsin.engine.errors import NotFound
from tocsin.incident import library
from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.rendering import HEADERS, may_act, page, render
from tocsin.web.pages.room_view import Told

router = APIRouter(include_in_schema=False)


@router.get("/incidents/{number}/choices")
async def choices(
    request: Request, house: Here, actor: Viewer, number: int, procedure: str = "", mitigation: str = ""
) -> Response:
    """The form with its lists; only the lists when a room asks for them (`?part=KEY`, KEY being that of its form)."""
    if bool(procedure) is bool(mitigation):
        raise NotFound("name a procedure or a mitigation")
    slug = procedure or mitigation
    asked = await house.desk.values(str(number), slug, mitigation=bool(mitigation))
    if part := request.query_params.get("part"):
        return HTMLResponse(render("room/choices_part.html", asked=asked, key=part), headers=HEADERS)
    incident = await house.desk.incident(str(number))
    policy = house.desk.policy_of(incident)
    run, action = library.procedure(policy, slug), library.mitigation(policy, slug)
    title = run.procedure.title if run and procedure else action.mitigation.action if action else slug
    return page(
        request, "choices.html", actor=actor, csrf=csrf_token(request, house), incident=incident, asked=asked,
        slug=slug, title=title, command="run" if procedure else "propose", told=Told(),
        name="procedure" if procedure else "mitigation", can=may_act(actor) and not incident.status.over,
    )  # fmt: skip
