"""What a runner near the cluster asks of the server, `POST /api/v1/runner/...`. Plain routes; the body is `wire`'s.

Takes the token of a runner and no other; that token opens nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tocsin.engine.credentials import RUNNER, digest
from tocsin.engine.errors import Unavailable
from tocsin.incident.errors import TransitionError
from tocsin.procedures.remote import wire
from tocsin.procedures.remote.dispatch import Dispatch
from tocsin.web.auth import authorization, house_of
from tocsin.web.errors import BadRequest, Unauthenticated
from tocsin.web.problems import Problem, document

T = TypeVar("T", bound=Struct)
Handler: TypeAlias = Callable[[Request, Dispatch, str], Awaitable[Struct]]
PATH = "/api/v1/runner"
REMEMBERED_SECONDS = 120.0
_NOT_A_RUNNER = "a runner's token is needed: make one with `tocsin token create NAME --role runner`"
_HERE = 'this server runs steps itself: set [runner] where = "remote" in its tocsin.toml'
_GONE = "the server does not know of this job (any more): its outcome is called unknown"


class Gone(Exception):
    """The job is not this session's."""


def routes() -> list[Route]:
    does: dict[str, Handler] = {
        "poll": _poll, "begin": _begin, "refuse": _refuse, "progress": _progress, "end": _end,
    }  # fmt: skip
    door = Door()
    return [Route(f"{PATH}/{name}", _answering(handler, door), methods=["POST"]) for name, handler in does.items()]


class Door:
    """Who may come in. While the database is away a runner that was let in a moment ago stays: without it the steps
    that it runs would be ended half-way."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, str]] = {}

    async def name(self, request: Request) -> str:
        """The name of the runner's token. Raises Unauthenticated, or Unavailable while nobody can tell."""
        scheme, secret = authorization(request)
        key = digest(secret)
        try:
            actor = await house_of(request).credentials.check(secret, RUNNER) if scheme == "bearer" else None
        except Unavailable:
            at, name = self._known.get(key, (0.0, ""))
            if name and time.monotonic() - at < REMEMBERED_SECONDS:
                return name
            raise
        if actor is None:
            self._known.pop(key, None)
            raise Unauthenticated(_NOT_A_RUNNER)
        self._known[key] = (time.monotonic(), actor.name)
        return actor.name


def _answering(handler: Handler, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        house = house_of(request)
        name = await door.name(request)
        if house.dispatch is None:
            raise TransitionError(_HERE)
        try:
            answer = await handler(request, house.dispatch, name)
        except Gone:
            return document(Problem(410, _GONE), instance=request.url.path)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return endpoint


async def _poll(request: Request, dispatch: Dispatch, name: str) -> wire.Offers:
    asked = await _said(request, wire.Poll)
    if asked.protocol != wire.PROTOCOL:
        raise TransitionError("this runner and the server are of different versions: install the same one")
    polling = asyncio.ensure_future(dispatch.poll(name, asked))
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({polling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return polling.result() if polling.done() else wire.Offers(asked.after, dispatch.lease)
    finally:
        polling.cancel()
        leaving.cancel()
        await asyncio.gather(polling, leaving, return_exceptions=True)


async def _begin(request: Request, dispatch: Dispatch, name: str) -> wire.Begun:
    return dispatch.begin(await _said(request, wire.Begin))


async def _refuse(request: Request, dispatch: Dispatch, name: str) -> wire.Kept:
    dispatch.refuse(await _said(request, wire.Refused))
    return wire.Kept()


async def _progress(request: Request, dispatch: Dispatch, name: str) -> wire.Kept:
    return dispatch.progress(await _said(request, wire.Progress))


async def _end(request: Request, dispatch: Dispatch, name: str) -> wire.Kept:
    if not await dispatch.end(await _said(request, wire.Ended)):
        raise Gone
    return wire.Kept()


async def _said(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"the body cannot be read: {exc}") from exc


async def _left(request: Request) -> None:
    """Comes back when the runner has hung up: it is not to be counted as there."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
