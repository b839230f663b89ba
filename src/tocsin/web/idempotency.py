"""`Idempotency-Key` on every POST of the API: the same request gets the answer it got, and is not done again.

Keys belong to who sends them: two people's equal keys never meet. Kept for a day. Answers that may differ when asked
again for another reason (no permission, nothing there, trouble) are not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.bootstrap.house import House
from tocsin.engine.ledger import Ledger
from tocsin.engine.records import Answered
from tocsin.web.auth import authorization, house_of, identify
from tocsin.web.errors import BadField, BadRequest
from tocsin.web.problems import MEDIA_TYPE

HEADER, REPLAYED = "idempotency-key", "Idempotency-Replayed"
KEPT = timedelta(days=1)
LONGEST = 255
_KEPT_REFUSALS = (409, 422)


class Idempotency:
    """Inside one process a second request with a key waits until the first is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith("/api/v1/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.headers.get(HEADER)
        if given is None:
            await self._app(scope, receive, send)
            return
        if not given.strip() or len(given) > LONGEST:
            raise BadRequest(f"Idempotency-Key must have 1 to {LONGEST} characters")
        key = _digest(await _sender(request), given)
        body = await request.body()
        with self._lock(key) as lock:
            async with lock:
                await self._once(request, body, key, send)

    async def _once(self, request: Request, body: bytes, key: str, send: Send) -> None:
        house = house_of(request)
        asked = _digest(request.method, request.url.path, request.url.query, body)
        before = await house.core.read(lambda tx: tx.answered(key))
        if before is not None and before.at > house.core.clock.now() - KEPT:
            if before.request != asked:
                raise BadField(HEADER, "this key was used for another request: choose a new one")
            await _replayed(before)(request.scope, _again(body), send)
            return
        answer = _Listening(send)
        await self._app(request.scope, _again(body), answer)
        if answer.status < 300 or answer.status in _KEPT_REFUSALS:
            await _keep(house, key, asked, answer)

    @contextmanager
    def _lock(self, key: str) -> Iterator[asyncio.Lock]:
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, waiting + 1)
        try:
            yield lock
        finally:
            lock, waiting = self._locks.pop(key)
            if waiting > 1:
                self._locks[key] = (lock, waiting - 1)


class _Listening:
    """`send` that remembers what it passes on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
        await self._send(message)


async def _sender(request: Request) -> str:
    """Who the key belongs to: a person by name, else whatever credential was sent, as a digest."""
    actor = await identify(request, house_of(request))
    if actor is not None:
        return f"actor:{actor.name}"
    return "credential:" + _digest(*authorization(request), request.query_params.get("token", ""))


async def _keep(house: House, key: str, asked: str, answer: _Listening) -> None:
    text = bytes(answer.body).decode()

    def keep(ledger: Ledger) -> None:
        ledger.tx.forget_answers(ledger.now - KEPT)
        if ledger.tx.answered(key) is None:
            ledger.tx.put_answered(Answered(key, asked, answer.status, text, ledger.now))

    await house.core.transact(keep)


def _replayed(before: Answered) -> Response:
    kind = "application/json" if before.status < 300 else MEDIA_TYPE
    response = Response(before.body, before.status, media_type=kind)
    MutableHeaders(raw=response.raw_headers)[REPLAYED] = "true"
    return response


def _again(body: bytes) -> Receive:
    """`receive` that gives a body that was read already."""
    sent = False
    never = asyncio.Event()

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await never.wait()  # the client's going away is nothing to an answer that is kept
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _digest(*parts: str | bytes) -> str:
    """sha256 hex of the parts, each with its length before it, so that none runs into the next."""
    hashed = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        hashed.update(len(raw).to_bytes(8, "big") + raw)
    return hashed.hexdigest()
