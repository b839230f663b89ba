"""The yardstick: the least that a server of the same make can do. Takes a body and says 202; or hands it on first."""

from __future__ import annotations

import os

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_CLIENT = httpx.AsyncClient()


async def take(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


async def hand_on(request: Request) -> Response:
    """Posts the body to the address that BENCH_FORWARD_TO names, and answers when that was taken."""
    await _CLIENT.post(os.environ["BENCH_FORWARD_TO"], content=await request.body())
    return Response(status_code=202)


async def ready(request: Request) -> Response:
    return Response("ok")


app = Starlette(
    routes=[
        Route("/readyz", ready),
        Route("/alerts", take, methods=["POST"]),
        Route("/forward", hand_on, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_config=None, access_log=False)
