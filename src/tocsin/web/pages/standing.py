"""`/incidents/{number}/standing`: whether a proposal could still be approved now, as a part of the room.

The room is drawn without asking the cluster; this is asked beside it, so that a change of what a command acts on is
seen before somebody approves. Approving looks again by itself.
"""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tocsin.bootstrap.house import House
from tocsin.engine.asking import Hindered
from tocsin.web.auth import Here, Viewer
from tocsin.web.pages.rendering import HEADERS, render

router = APIRouter(include_in_schema=False)
FRESH_SECONDS = 5.0


class Standing:
    """Asks the desk, once for all who look on within `FRESH_SECONDS`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[float, asyncio.Task[Hindered | None]]] = {}

    async def hindered(self, house: House, incident: str, approval: str) -> Hindered | None:
        """Why the proposal could not be approved now; None when it could."""
        now = time.monotonic()
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] <= FRESH_SECONDS}
        if (incident, approval) not in self._kept:
            self._kept[incident, approval] = (now, asyncio.ensure_future(house.desk.hindered(incident, approval)))
        return await asyncio.shield(self._kept[incident, approval][1])


@router.get("/incidents/{number}/standing")
async def standing(request: Request, house: Here, actor: Viewer, number: int, approval: str) -> Response:
    """Nothing while it can be approved, else a line that says why not."""
    asked: Standing = request.app.state.standing
    incident = await house.desk.incident(str(number))
    found = await asked.hindered(house, incident.id, approval)
    return HTMLResponse(render("room/standing.html", hindered=found, approval=approval), headers=HEADERS)
