"""Every page on one app."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tocsin.bootstrap.house import House
from tocsin.web.pages import (
    acknowledging,
    acting,
    approving,
    choosing,
    incidents,
    oncall,
    postmortems,
    relating,
    reporting,
    room,
    runbook,
    signing_in,
    standing,
    status,
)
from tocsin.web.pages.rendering import STATIC

_FOR_EVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """Our own files; their addresses change with their content, so a browser may keep them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if b"v=" in scope.get("query_string", b""):
            answer.headers["Cache-Control"] = _FOR_EVER
        return answer


def mount(app: FastAPI, house: House) -> None:
    """Adds the pages to the app, whose `state.house` they read."""
    app.state.house = house
    app.state.standing = standing.Standing()
    for part in (
        incidents, room, choosing, acting, acknowledging, approving, signing_in, oncall, runbook, postmortems, status,
        reporting, standing, relating,
    ):  # fmt: skip
        app.include_router(part.router)
    app.mount("/static", Assets(directory=STATIC), name="static")
