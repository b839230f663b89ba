"""A client that costs little itself: one kept-alive HTTP/1.1 connection, one request at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Self


class Connection:
    """Asks a server on loopback. Answers must say their length, as those of both servers here do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        length = next(int(x.partition(":")[2]) for x in lines if x.casefold().startswith("content-length:"))
        return int(status.split()[1]), await self._reader.readexactly(length)

    async def timed(self, request: bytes) -> float:
        """Seconds until the whole answer was there. Raises RuntimeError when it was no success."""
        begun = time.perf_counter()
        status, body = await self.ask(request)
        seconds = time.perf_counter() - begun
        if status >= 300:
            raise RuntimeError(f"{status}: {body[:300]!r}")
        return seconds

    def drop(self) -> None:
        """Lets go of the connection at once, whatever was under way."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a request."""
    told = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def hammer(port: int, requests: Sequence[bytes], *, connections: int) -> tuple[list[float], float]:
    """(seconds of each request, seconds for all of them), shared among so many connections."""
    opened = [await Connection.open(port) for _ in range(connections)]
    waiting = iter(requests)

    async def work(connection: Connection) -> list[float]:
        return [await connection.timed(one) for one in waiting]

    begun = time.perf_counter()
    taken = await asyncio.gather(*(work(connection) for connection in opened))
    seconds = time.perf_counter() - begun
    for connection in opened:
        await connection.close()
    return [one for many in taken for one in many], seconds
