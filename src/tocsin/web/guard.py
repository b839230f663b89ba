"""Around every request: security headers on each answer, a bound on bodies, a barrier for what nobody expected."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.web.problems import respond

ALERTS_LIMIT, LIMIT = 5_000_000, 1_000_000
"""Bytes of a body: alerts come in storms, runners bring output, everything else is written by people."""

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class TooLarge(HTTPException):
    """An HTTPException, because that is what the frameworks let through while they read a body."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit // 1_000_000} MB")


class Guard:
    """The outermost layer. `https` adds the header that keeps browsers on it."""

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self._app = app
        headers = dict(HEADERS)
        if urlsplit(public_url).scheme == "https":
            headers["Strict-Transport-Security"] = "max-age=31536000"
        self._headers = _raw(headers)
        self._private_headers = _raw(headers | {"Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(scope, message)
            await send(message)

        request = Request(scope)
        try:
            await self._app(scope, _bounded(request, receive), guarded)
        except Exception as exc:  # noqa: BLE001  the barrier around one request: no internals leave, the log has them
            answer = respond(request, exc)
            if not started:
                await answer(scope, receive, guarded)

    def _add_headers(self, scope: Scope, message: Message) -> None:
        ours = self._private_headers if scope["path"].startswith("/api/v1/") else self._headers
        given = message.setdefault("headers", [])
        names = {name.lower() for name, _ in given}
        message["headers"] = [*given, *(header for header in ours if header[0] not in names)]


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _bounded(request: Request, receive: Receive) -> Receive:
    """`receive` that raises TooLarge past the limit, at once when the sender says how long its body is."""
    limit = ALERTS_LIMIT if _takes_alerts(request.scope["path"]) else LIMIT
    said = next((value for name, value in request.scope["headers"] if name == b"content-length"), b"")
    claimed = int(said) if said.isdigit() else 0
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        if claimed > limit:
            raise TooLarge(limit)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge(limit)
        return message

    return bounded


def _takes_alerts(path: str) -> bool:
    return path.startswith(("/api/v1/alerts/", "/api/v2/alerts", "/v2/", "/api/v1/runner/"))
