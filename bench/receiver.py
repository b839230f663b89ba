"""A webhook's far end: takes each message and remembers when it came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from msgspec import Struct

_TAKEN = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Incident(Struct):
    title: str = ""


class Bundled(Struct):
    incident: Incident


class To(Struct):
    person: str = ""


class Posted(Struct):
    kind: str = ""
    incident: Incident | None = None
    to: To | None = None
    bundle: list[Bundled] = []


class Receiver:
    """`arrived(kind, title)` is when such a message came, by `time.perf_counter`, alone or in a bundle.

    `pages` are when pages came, each with whom it is for: a bundle rings once.
    """

    def __init__(self) -> None:
        self.port = 0
        self.pages: list[tuple[float, str]] = []
        self._came: dict[tuple[str, str], asyncio.Future[float]] = {}

    async def arrived(self, kind: str, title: str) -> float:
        async with asyncio.timeout(60):
            return await self._of(kind, title)

    def _of(self, kind: str, title: str) -> asyncio.Future[float]:
        return self._came.setdefault((kind, title), asyncio.get_running_loop().create_future())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").casefold().split("\r\n")
                length = next((int(x.partition(":")[2]) for x in lines if x.startswith("content-length:")), 0)
                body = await reader.readexactly(length)
                self._note(body, time.perf_counter())
                writer.write(_TAKEN)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return  # the sender is gone, or the measurement is over
        finally:
            writer.close()

    def _note(self, body: bytes, at: float) -> None:
        posted = msgspec.json.decode(body, type=Posted)
        if posted.kind == "page" and posted.to is not None:
            self.pages.append((at, posted.to.person))
        told = [one.incident for one in posted.bundle] or [posted.incident or Incident()]
        for incident in told:
            came = self._of(posted.kind, incident.title)
            if not came.done():
                came.set_result(at)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
