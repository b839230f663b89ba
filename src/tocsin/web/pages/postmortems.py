"""`/postmortem/{number}`: the review written from the timeline, to read or to take away as Markdown."""

from __future__ import annotations

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.incident.state import Incident
from tocsin.review.document import Postmortem
from tocsin.review.postmortem import as_html, as_markdown, postmortem
from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.rendering import HEADERS, page

router = APIRouter(include_in_schema=False)


@router.get("/postmortem/{number}.md")
async def download(house: Here, actor: Viewer, number: int) -> Response:
    _, written = await _written(house, number)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="postmortem-{number}.md"'}
    return Response(as_markdown(written), media_type="text/markdown; charset=utf-8", headers=headers)


@router.get("/postmortem/{number}")
async def show(request: Request, house: Here, actor: Viewer, number: int) -> Response:
    incident, written = await _written(house, number)
    article = Markup(as_html(written))  # noqa: S704  the renderer escapes every text in it
    return page(
        request, "postmortem.html", actor=actor, csrf=csrf_token(request, house), incident=incident, article=article
    )


async def _written(house: House, number: int) -> tuple[Incident, Postmortem]:
    incident = await house.desk.incident(str(number))
    timeline = await house.core.read(lambda tx: tx.timeline(incident.id))
    runbook = house.desk.policy_of(incident).runbook
    return incident, postmortem(incident, timeline, runbook, now=house.desk.now())
