"""`/status`: what the public may know, without signing in. Internal titles, notes and people stay inside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.statuspage.view import Impact, PublicIncident, newest_first, unresolved, worst
from tocsin.web.auth import Here
from tocsin.web.pages.rendering import page
from tocsin.web.public import MAX_AGE_SECONDS, components, page_info, public_incidents

router = APIRouter(include_in_schema=False)
HISTORY = timedelta(days=15)
_STATES = {
    Impact.NONE: "Everything works",
    Impact.MINOR: "Some things do not work well",
    Impact.MAJOR: "Important parts do not work",
    Impact.CRITICAL: "There is a major outage",
}
_PARTS = {
    Impact.NONE: "works",
    Impact.MINOR: "degraded",
    Impact.MAJOR: "partly down",
    Impact.CRITICAL: "down",
}


@router.get("/status")
async def show(request: Request, house: Here) -> Response:
    incidents, now = await public_incidents(house), house.desk.now()
    alive = newest_first(unresolved(incidents))
    state = worst(incidents)
    overall = "We are looking into a problem" if alive and state is Impact.NONE else _STATES[state]
    parts = [(c.name, *_part(c.service, alive)) for c in components(house.settings)]
    answer = page(
        request, "status.html", now=now, info=page_info(house.settings), overall=overall, state=state.value,
        alive=alive, past=_recent(incidents, now), parts=parts, reports=house.settings.sources.reports.public,
        days=HISTORY.days,
    )  # fmt: skip
    answer.headers["Cache-Control"] = f"public, max-age={MAX_AGE_SECONDS}"
    return answer


def _part(service: str, alive: Sequence[PublicIncident]) -> tuple[str, str]:
    """(state, its words) of a part of production; one that is only watched is still not well."""
    mine = [i for i in alive if i.service == service]
    state = worst(mine)
    return (state.value, _PARTS[state]) if state is not Impact.NONE or not mine else (Impact.MINOR.value, "looked into")


def _recent(incidents: Sequence[PublicIncident], now: datetime) -> list[PublicIncident]:
    """Those that are over, newest first, of the last days."""
    return [i for i in newest_first(incidents) if not i.unresolved and now - i.updated_at <= HISTORY]
