"""A runner's way to its server: connects out, one request at a time for each question, never the other way round."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from tocsin.procedures.remote.wire import Begin, Begun, Ended, Kept, Offers, Poll, Progress, Refused

T = TypeVar("T")
PATH = "/api/v1/runner"
PATIENCE = httpx.Timeout(10.0, connect=5.0)
POLLING = httpx.Timeout(40.0, connect=5.0)
QUICK = httpx.Timeout(4.0)


class Unreachable(Exception):
    """The server gave no usable answer now; asking again may help. `str()` says why."""


class NotLetIn(Exception):
    """The server does not take the token; asking again does not help."""


class Gone(Exception):
    """The server does not know of the job any more."""


class Link:
    """One server, asked with the token of a runner. Raises ValueError for an address that cannot be used."""

    def __init__(self, url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = usable(url)
        headers = {
            "Authorization": f"Bearer {token}",
            "User-Agent": "tocsin-runner",
            "Content-Type": "application/json",
        }
        self._http = httpx.AsyncClient(headers=headers, timeout=PATIENCE, transport=transport)

    def __repr__(self) -> str:
        return f"Link({self.url})"

    async def close(self) -> None:
        await self._http.aclose()

    async def poll(self, asked: Poll) -> Offers:
        return await self._ask("poll", asked, Offers, within=POLLING)

    async def begin(self, asked: Begin) -> Begun:
        return await self._ask("begin", asked, Begun)

    async def refuse(self, refused: Refused) -> None:
        await self._ask("refuse", refused, Kept)

    async def progress(self, said: Progress) -> Kept:
        return await self._ask("progress", said, Kept, within=QUICK)

    async def end(self, ended: Ended) -> None:
        await self._ask("end", ended, Kept)

    async def _ask(self, what: str, said: Struct, answer: type[T], *, within: httpx.Timeout = PATIENCE) -> T:
        try:
            found = await self._http.post(f"{self.url}{PATH}/{what}", content=msgspec.json.encode(said), timeout=within)
        except httpx.TimeoutException:
            raise Unreachable("no answer in time") from None
        except httpx.HTTPError as exc:
            raise Unreachable(_words(exc)) from None
        if found.status_code in (401, 403):
            raise NotLetIn(_detail(found))
        if found.status_code == 410:
            raise Gone(_detail(found))
        if not found.is_success:
            raise Unreachable(_detail(found))
        try:
            return msgspec.json.decode(found.content, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unreachable("it answered something that is not Tocsin's: check --server") from None


class _Problem(Struct, frozen=True):
    detail: str = ""


def _detail(found: httpx.Response) -> str:
    try:
        said = msgspec.json.decode(found.content, type=_Problem).detail
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = "it answered something that is not Tocsin's: check --server"
    return said or f"HTTP {found.status_code}"


def _words(exc: httpx.HTTPError) -> str:
    words = " ".join(str(exc).split()) or type(exc).__name__
    return words.partition("] ")[2] or words


def usable(url: str) -> str:
    """The address without a slash at its end. Raises ValueError saying how to write one."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        good = False
    if not good:
        raise ValueError("write it like https://tocsin.example.com")
    if "@" in url:
        raise ValueError("it holds a name or a password: leave them out, the token is what lets a runner in")
    return url.rstrip("/")
