"""What a Redis server says of itself in INFO, over a plain or TLS socket. Sends AUTH and INFO, nothing else.

Source: the Redis documentation, "Redis serialization protocol specification" and "INFO".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from tocsin.diagnosis.facts import Cache, Taken
from tocsin.engine.ports import EvidenceError

PORT = 6379
LARGEST = 256 * 1024


class Server(Struct, frozen=True):
    """One to ask; `url` is redis:// or rediss://, and may hold a password: it is never shown."""

    name: str
    url: str

    def __repr__(self) -> str:
        return f"Server({self.name})"


class Redis:
    def __init__(self, servers: tuple[Server, ...], *, timeout: float = 5.0) -> None:
        self._servers = servers
        self._timeout = timeout

    async def look(self, at: datetime) -> Taken[Cache]:
        """What each server says, side by side; unknown when one does not answer."""
        if not self._servers:
            return Taken(at=at, absent="no Redis is set up: add [[evidence.redis]]")
        found = await asyncio.gather(*(self._one(s) for s in self._servers), return_exceptions=True)
        for one in found:
            if isinstance(one, EvidenceError):
                return Taken(at=at, error=one.reason)
            if isinstance(one, BaseException):
                raise one
        return Taken(tuple(one for one in found if isinstance(one, Cache)), at)

    async def _one(self, server: Server) -> Cache:
        try:
            async with asyncio.timeout(self._timeout):
                return _cache(server.name, _fields(await self._info(server)))
        except TimeoutError as exc:
            raise EvidenceError(f"{server.name}: no answer within {self._timeout:g} s") from exc
        except (OSError, ValueError, asyncio.IncompleteReadError) as exc:
            raise EvidenceError(f"{server.name}: {str(exc) or type(exc).__name__}"[:200]) from exc

    async def _info(self, server: Server) -> str:
        parts = urlsplit(server.url)
        reader, writer = await asyncio.open_connection(
            parts.hostname or "localhost", parts.port or PORT, ssl=True if parts.scheme == "rediss" else None
        )
        try:
            if parts.password:
                user = [unquote(parts.username)] if parts.username else []
                writer.write(_command("AUTH", *user, unquote(parts.password)))
                await _reply(reader)
            writer.write(_command("INFO"))
            return await _reply(reader)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _command(*words: str) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


async def _reply(reader: asyncio.StreamReader) -> str:
    """A simple or bulk string. Raises ValueError with the server's own words for an error."""
    line = (await reader.readline()).rstrip(b"\r\n")
    if line.startswith(b"-"):
        raise ValueError(line[1:].decode("utf-8", "replace"))
    if line.startswith(b"+"):
        return line[1:].decode("utf-8", "replace")
    if not line.startswith(b"$") or not line[1:].isdigit() or int(line[1:]) > LARGEST:
        raise ValueError("answered with something that is not Redis's protocol")
    return (await reader.readexactly(int(line[1:]) + 2))[:-2].decode("utf-8", "replace")


def _fields(info: str) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in info.splitlines() if ":" in line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def _cache(name: str, said: Mapping[str, str]) -> Cache:
    def number(key: str) -> int:
        return int(said[key]) if said.get(key, "").isdigit() else 0

    return Cache(
        name, said.get("redis_version", ""), number("connected_clients"), number("maxclients"), number("used_memory"),
        number("maxmemory"), number("evicted_keys"), number("rejected_connections"), said.get("role", "master"),
        said.get("master_link_status", "up") == "up", said.get("loading", "0") == "1",
        said.get("rdb_last_bgsave_status", "ok") == "ok",
    )  # fmt: skip
