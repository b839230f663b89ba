"""The senders' addresses served ahead of the framework: the same endpoints behind the same guard, nothing in between.

A storm comes here, and what stands between the socket and the endpoint costs several times what the endpoint does.
What asks for more than that (an Idempotency-Key, an address with a part to fill in) goes the framework's way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tocsin.web.guard import SecurityHeaders, whole_body
from tocsin.web.idempotency import HEADER
from tocsin.web.problems import respond

Endpoint = Callable[[Request], Awaitable[Response]]
_KEYED = HEADER.encode("latin-1")
_JSON = (b"content-type", b"application/json")


class Posted(Request):
    """A request whose body is read at one go, and no further than is allowed."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await whole_body(self.scope, self.receive)
        return self._body

    async def stream(self) -> AsyncGenerator[bytes, None]:
        yield await self.body()


class Json(Response):
    """JSON that is written out already, as UTF-8. It has the two headers that say so."""

    media_type = "application/json"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        if headers is not None:
            super().init_headers(headers)
        else:
            self.raw_headers = [_JSON, (b"content-length", b"%d" % len(self.body))]


class Application(FastAPI):
    """FastAPI, with addresses that `express` answers itself."""

    _endpoints: Mapping[str, Endpoint] = MappingProxyType({})
    _security: SecurityHeaders
    _proxied: ASGIApp | None = None

    def behind_proxies(self, trusted: list[str] | str) -> None:
        """Believes these addresses whom they speak for, as uvicorn does; what `express` answers asks no such thing."""
        framework: Any = super().__call__  # uvicorn has types of its own for the same messages
        proxied: Any = ProxyHeadersMiddleware(framework, trusted_hosts=trusted)
        self._proxied = proxied

    def express(self, routes: Iterable[Route], *, public_url: str) -> None:
        """Serves POSTs to those of the routes that have one fixed address."""
        self._security = SecurityHeaders(public_url)
        self._endpoints = {
            route.path: route.endpoint for route in routes if "{" not in route.path and "POST" in (route.methods or ())
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoint(scope)
        if endpoint is None:
            await (self._proxied or super().__call__)(scope, receive, send)
            return
        scope["app"] = self
        request = Posted(scope, receive)
        try:
            response = await endpoint(request)
        except Exception as exc:  # noqa: BLE001  the barrier around one request, as in `Guard`
            response = respond(request, exc)
        response.raw_headers = self._security.beside(response.raw_headers, scope["path"])
        await response(scope, receive, send)

    def _endpoint(self, scope: Scope) -> Endpoint | None:
        """Who answers ahead of the framework; None when it is the framework's."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope.get("root_path"):
            return None
        endpoint = self._endpoints.get(scope["path"])
        return endpoint if endpoint and _KEYED not in [name for name, _ in scope["headers"]] else None
