"""Around every request: security headers on each answer, a bound on bodies, a barrier for what nobody expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
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


class SecurityHeaders:
    """What every answer carries; a `public_url` of https adds the header that keeps browsers on it."""

    def __init__(self, public_url: str) -> None:
        headers = dict(HEADERS)
        if urlsplit(public_url).scheme == "https":
            headers["Strict-Transport-Security"] = "max-age=31536000"
        self._public = _raw(headers)
        self._private = _raw(headers | {"Cache-Control": "no-store"})

    def beside(self, given: Iterable[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
        """The headers of an answer at `path`, with ours where it gives none of the name."""
        ours = self._private if path.startswith("/api/v1/") else self._public
        names = {name.lower() for name, _ in given}
        return [*given, *[header for header in ours if header[0] not in names]]


class Guard:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self._app = app
        self._headers = SecurityHeaders(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = self._headers.beside(message.get("headers", ()), scope["path"])
            await send(message)

        request = Request(scope)
        try:
            await self._app(scope, _bounded(request, receive), guarded)
        except Exception as exc:  # noqa: BLE001  the barrier around one request: no internals leave, the log has them
            answer = respond(request, exc)
            if not started:
                await answer(scope, receive, guarded)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def whole_body(scope: Scope, receive: Receive) -> bytes:
    """The body. Raises TooLarge past the limit, and ClientDisconnect when the sender hangs up before its end."""
    limit = limit_of(scope)
    message = await receive()
    chunks = [message.get("body", b"")]
    size = len(chunks[0])
    while message["type"] == "http.request" and message.get("more_body") and size <= limit:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if size > limit:
        raise TooLarge(limit)
    if message["type"] != "http.request":
        raise ClientDisconnect
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def limit_of(scope: Scope) -> int:
    """Bytes that the body may have. Raises TooLarge when the sender says that it has more."""
    limit = ALERTS_LIMIT if _takes_alerts(scope["path"]) else LIMIT
    for name, said in scope["headers"]:
        if name == b"content-length" and said.isdigit() and int(said) > limit:
            raise TooLarge(limit)
    return limit


def _bounded(request: Request, receive: Receive) -> Receive:
    """`receive` that raises TooLarge past the limit, at once when the sender says how long its body is."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        limit = limit_of(request.scope)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge(limit)
        return message

    return bounded


def _takes_alerts(path: str) -> bool:
    return path.startswith(("/api/v1/alerts/", "/api/v2/alerts", "/v2/", "/api/v1/runner/"))
