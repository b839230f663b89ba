"""Health addresses asked once, and dependencies tried by name and port. Any answer is "reached", even a wrong one.

How long a dependency usually takes is what it took before, while this process ran.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from statistics import median

import httpx
from msgspec import Struct

from tocsin.diagnosis.facts import Dependency, Endpoint, Taken

BODY = 300
KEPT = 60
ENOUGH = 3
SETTLED_SECONDS = 120.0
"""What was measured this recently is not yet how it usually is."""
Redact = Callable[[str], str]


class Address(Struct, frozen=True):
    """A dependency; `workload` is the one of the cluster that it is served by, when it is one of ours."""

    name: str
    host: str
    port: int
    workload: str = ""

    @property
    def said(self) -> str:
        return f"{self.host}:{self.port}"


class Endpoints:
    """Health addresses, by name. `client` stays its owner's."""

    def __init__(
        self, urls: Mapping[str, str], client: httpx.AsyncClient, *, timeout: float = 5.0, redact: Redact
    ) -> None:
        self._urls = dict(urls)
        self._client = client
        self._timeout = timeout
        self._redact = redact

    async def look(self, at: datetime) -> Taken[Endpoint]:
        if not self._urls:
            return Taken(at=at, absent="no health address is set up")
        return Taken(tuple(await asyncio.gather(*(self._one(n, u) for n, u in self._urls.items()))), at)

    async def _one(self, name: str, url: str) -> Endpoint:
        began = time.monotonic()
        shown = _without_secrets(url)
        try:
            async with asyncio.timeout(self._timeout), self._client.stream("GET", url) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) >= BODY:
                        break
                said = self._redact(bytes(body[:BODY]).decode("utf-8", "replace"))
                kind = response.headers.get("content-type", "").partition(";")[0]
                return Endpoint(name, shown, response.status_code, time.monotonic() - began, "", said, kind)
        except TimeoutError:
            return Endpoint(name, shown, None, self._timeout, f"no answer within {self._timeout:g} s")
        except (httpx.HTTPError, OSError) as exc:
            return Endpoint(name, shown, None, time.monotonic() - began, str(exc) or type(exc).__name__)


class Dependencies:
    def __init__(self, addresses: tuple[Address, ...], *, timeout: float = 5.0) -> None:
        self._addresses = addresses
        self._timeout = timeout
        self._took: dict[str, deque[tuple[float, float]]] = {a.name: deque(maxlen=KEPT) for a in addresses}

    async def look(self, at: datetime) -> Taken[Dependency]:
        """Each dependency tried now, side by side."""
        if not self._addresses:
            return Taken(at=at, absent="nothing is known of what the service needs: add [[evidence.dependencies]]")
        return Taken(tuple(await asyncio.gather(*(self._one(a) for a in self._addresses))), at)

    async def _one(self, address: Address) -> Dependency:
        began = time.monotonic()
        reason = ""
        try:
            async with asyncio.timeout(self._timeout):
                _, writer = await asyncio.open_connection(address.host, address.port)
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        except TimeoutError:
            reason = f"no answer within {self._timeout:g} s"
        except socket.gaierror as exc:
            reason = f"the name is not known: {exc.strerror}"
        except OSError as exc:
            reason = "connection refused" if exc.errno == errno.ECONNREFUSED else str(exc.strerror or exc)
        took = time.monotonic() - began
        usual = self._usual(address.name, began)
        if not reason:
            self._took[address.name].append((began, took))
        return Dependency(address.name, address.said, not reason, took, reason, usual, address.workload)

    def _usual(self, name: str, now: float) -> float | None:
        before = [took for at, took in self._took[name] if now - at > SETTLED_SECONDS]
        return median(before) if len(before) >= ENOUGH else None


def _without_secrets(url: str) -> str:
    """The address without a password and without its query, which may carry a token."""
    parts = httpx.URL(url)
    return str(parts.copy_with(username=None, password=None, query=None, fragment=None))
