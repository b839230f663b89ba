"""The senders' addresses served ahead of the framework: the same endpoints behind the same guard, nothing in between.

A storm comes here, and what stands between the socket and the endpoint costs several times what the endpoint does.
What asks for more than that (an Idempotency-Key, an address with a part to fill in) goes the framework's way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.web.guard import Guard
from tocsin.web.idempotency import HEADER

Endpoint = Callable[[Request], Awaitable[Response]]
_KEYED = HEADER.encode("latin-1")


class Application(FastAPI):
    """FastAPI, with addresses that `express` answers itself."""

    _express: ASGIApp | None = None
    _addresses: frozenset[str] = frozenset()

    def express(self, routes: Iterable[Route], *, public_url: str) -> None:
        """Serves POSTs to those of the routes that have one fixed address."""
        endpoints: dict[str, Endpoint] = {
            route.path: route.endpoint for route in routes if "{" not in route.path and "POST" in (route.methods or ())
        }

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoints[scope["path"]](Request(scope, receive))
            await response(scope, receive, send)

        self._express = Guard(answer, public_url=public_url)
        self._addresses = frozenset(endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._express is not None and scope["type"] == "http" and _is_plain(scope, self._addresses):
            scope["app"] = self
            await self._express(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _is_plain(scope: Scope, addresses: frozenset[str]) -> bool:
    if scope["method"] != "POST" or scope["path"] not in addresses or scope.get("root_path"):
        return False
    return all(name != _KEYED for name, _ in scope["headers"])
