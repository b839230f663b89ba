"""The lines that a LogQL query finds in Loki, asked for again and again. Refuses to read meaning.

Source: Loki's HTTP API, "Query logs within a range of time". What arrives late is still found: each question reaches
back over the last seconds, and what was seen already is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from tocsin.engine.ports import Clock
from tocsin.signals.errors import SourceError
from tocsin.signals.lines import LINE_LIMIT, marked

PATH = "/loki/api/v1/query_range"
EVERY = timedelta(seconds=2)
OVERLAP = timedelta(seconds=10)
MOST = 5000
"""Lines of one answer: Loki's own usual limit."""
LONGEST_SEEN = 50_000
ANSWER_LIMIT = 32_000_000
TIMEOUT = 15.0
REASON_LIMIT = 300


class WireStream(Struct):
    stream: dict[str, str]
    values: list[tuple[str, str]]


class WireData(Struct):
    resultType: str = ""
    result: list[WireStream] = []


class WireAnswer(Struct):
    data: WireData


class LokiAddress(Struct, frozen=True):
    """Where Loki is and how to ask it; `tenant` is its X-Scope-OrgID."""

    url: str
    token: str = ""
    tenant: str = ""

    def __repr__(self) -> str:
        return f"LokiAddress({urlsplit(self.url).hostname!r})"

    @property
    def headers(self) -> dict[str, str]:
        given = {"Authorization": f"Bearer {self.token}" if self.token else "", "X-Scope-OrgID": self.tenant}
        return {name: value for name, value in given.items() if value}


class LokiLines:
    """The lines written from now on that `query` selects, in the order of their times.

    With `mark` each carries its stream before it (the labels `pod` and `container`, else all of them).
    """

    def __init__(
        self, address: LokiAddress, query: str, *, clock: Clock, mark: bool = False, every: timedelta = EVERY
    ) -> None:
        self._address = address
        self._query = query
        self._mark = mark
        self._every = every.total_seconds()
        self._client = httpx.AsyncClient(headers=address.headers, timeout=TIMEOUT)
        self._begin = int(clock.now().timestamp() * 1e9)
        self._last = self._begin
        self._seen: dict[tuple[int, str, str], None] = {}
        self._asked = False

    async def more(self) -> list[str]:
        """The lines since the last call; raises SourceError when Loki gives no usable answer."""
        if self._asked:
            await asyncio.sleep(self._every)
        self._asked = True
        found = sorted(self._new(await self._ask()), key=lambda entry: entry[0])
        if found:
            self._last = max(self._last, found[-1][0])
        self._forget()
        return [marked(stream, line) if self._mark else line for _, stream, line in found]

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self) -> WireAnswer:
        parameters = {"query": self._query, "start": str(self._reach), "limit": str(MOST), "direction": "forward"}
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._client.get(self._address.url.rstrip("/") + PATH, params=parameters)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise SourceError(f"Loki gave no answer within {TIMEOUT:g} s") from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise SourceError(f"Loki cannot be reached: {str(exc) or type(exc).__name__}"[:REASON_LIMIT]) from exc
        if answer.status_code != httpx.codes.OK:
            said = " ".join(answer.text[:REASON_LIMIT].split())
            raise SourceError(f"Loki answered {answer.status_code}: {said}"[:REASON_LIMIT])
        if len(answer.content) > ANSWER_LIMIT:
            raise SourceError("Loki's answer is too large: select fewer lines")
        try:
            return msgspec.json.decode(answer.content, type=WireAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise SourceError(
                'Loki\'s answer holds no lines: the query must be a log query, such as {app="x"}'
            ) from exc

    @property
    def _reach(self) -> int:
        """From when on is asked, nanoseconds since the epoch."""
        return max(self._begin, self._last - int(OVERLAP.total_seconds() * 1e9))

    def _new(self, answer: WireAnswer) -> Iterator[tuple[int, str, str]]:
        for stream in answer.data.result:
            name = _name(stream.stream)
            for written, line in stream.values:
                if not written.isascii() or not written.isdigit() or len(written) > 19:
                    continue
                entry = (int(written), name, line[:LINE_LIMIT].rstrip("\r\n").replace("\x00", "\ufffd"))
                if entry[0] >= self._begin and entry not in self._seen:
                    self._seen[entry] = None
                    yield entry

    def _forget(self) -> None:
        """Leaves what the next question could give again."""
        reach = self._reach
        self._seen = {entry: None for entry in list(self._seen)[-LONGEST_SEEN:] if entry[0] >= reach}


def _name(labels: dict[str, str]) -> str:
    own = [labels[name] for name in ("pod", "container") if labels.get(name)]
    return "/".join(own or (f"{name}={value}" for name, value in sorted(labels.items())))
