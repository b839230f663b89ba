"""Beats in: `GET|POST /api/v1/heartbeats/{name}`, and Opsgenie's `/v2/heartbeats/{name}/ping`. 2xx once it is durable.

A beat of a name that is not configured is a 404: whoever sends it should not believe to be watched.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.signals.heartbeat import beat
from tocsin.web.alerts import authorize
from tocsin.web.auth import house_of
from tocsin.web.opsgenie import Call, Handler, let_in

PING = "/api/v1/heartbeats/{name}"
OPSGENIE_PING = "/v2/heartbeats/{name}/ping"


def routes() -> list[Route]:
    as_opsgenie: Handler = _ping_of_opsgenie
    return [
        Route(PING, _ping, methods=["GET", "POST"]),
        Route(OPSGENIE_PING, let_in(as_opsgenie), methods=["GET", "POST"]),
    ]


async def _ping(request: Request) -> Response:
    house = house_of(request)
    await authorize(request, house)
    name = _known(house, request.path_params["name"])
    at = house.desk.now()
    await house.ingest.take((), beat(name, at=at))
    return JSONResponse({"name": name, "at": at.isoformat().replace("+00:00", "Z")})


async def _ping_of_opsgenie(call: Call) -> Response:
    name = _known(call.house, call.request.path_params["name"])
    await call.house.ingest.take((), beat(name, at=call.now))
    return call.answered(202, result="PONG - Heartbeat received")


def _known(house: House, name: str) -> str:
    if any(heartbeat.name == name for heartbeat in house.settings.sources.heartbeats):
        return name
    raise NotFound(f"no heartbeat {name!r}: name it under [[sources.heartbeats]] in tocsin.toml")
