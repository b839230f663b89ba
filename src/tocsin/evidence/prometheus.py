"""Instant queries to Prometheus, and their answer in words. Refuses to judge what a value means.

Source: the Prometheus manual, "HTTP API", `/api/v1/query`; Thanos, Mimir and VictoriaMetrics answer alike.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import httpx
import msgspec
from msgspec import Struct

from tocsin.engine.ports import EvidenceError

__all__ = ["EvidenceError", "Prometheus", "Sample", "Vector", "describe"]

TIMEOUT = 10.0
ANSWER_LIMIT = 8 * 1024 * 1024
REASON_LIMIT = 300
SHOWN = 200
_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
NOTHING = "no series matched (this is not zero)"


class Sample(NamedTuple):
    """One series at the instant asked; `labels` hold the metric's name as `__name__`."""

    labels: dict[str, str]
    value: float


Vector = tuple[Sample, ...]
"""What an instant query gives, in Prometheus's order; a scalar is one sample without labels."""


class _Series(Struct):
    metric: dict[str, str]
    value: tuple[float, str] | None = None


class Trace(NamedTuple):
    """One series over time; `points` are (seconds since the epoch, value), in order."""

    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]


class _Ranged(Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class _Kind(Struct):
    resultType: str
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Answer(Struct):
    status: str
    data: _Kind | None = None
    error: str = ""


class _Names(Struct):
    status: str
    data: list[str] | None = None
    error: str = ""


class Prometheus:
    """A Prometheus server asked through `client`, which carries its credentials and stays its owner's."""

    def __init__(
        self, url: str, client: httpx.AsyncClient, *, timeout: float = TIMEOUT, answer_limit: int = ANSWER_LIMIT
    ) -> None:
        self._address = httpx.URL(url.rstrip("/") + "/api/v1/query")
        self._client = client
        self._timeout = timeout
        self._answer_limit = answer_limit

    def __repr__(self) -> str:
        return f"Prometheus({self._address.host})"

    async def query(self, expr: str) -> Vector:
        """The value of `expr` now; raises EvidenceError when there is none: unreachable, refused, or not a vector."""
        try:
            async with asyncio.timeout(self._timeout):
                body, status = await self._ask(expr)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise EvidenceError(f"Prometheus: no answer within {self._timeout:g} s") from exc
        except httpx.HTTPError as exc:
            raise EvidenceError(f"Prometheus: {str(exc) or type(exc).__name__}"[:REASON_LIMIT]) from exc
        return _vector(_answer(body, status))

    async def samples(self, expr: str) -> tuple[Trace, ...]:
        """The samples that a range selector like `up[1m]` holds now, as they were scraped; raises EvidenceError."""
        try:
            async with asyncio.timeout(self._timeout):
                body, status = await self._ask(expr)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise EvidenceError(f"Prometheus: no answer within {self._timeout:g} s") from exc
        except httpx.HTTPError as exc:
            raise EvidenceError(f"Prometheus: {str(exc) or type(exc).__name__}"[:REASON_LIMIT]) from exc
        return _matrix(_answer(body, status))

    async def names(self) -> frozenset[str]:
        """Every metric's name that Prometheus has. Source: the manual, "Querying label values"."""
        address = self._address.copy_with(path=self._address.path.removesuffix("query") + "label/__name__/values")
        try:
            async with asyncio.timeout(self._timeout):
                body, status = await self._ask("", address=address)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise EvidenceError(f"Prometheus: no answer within {self._timeout:g} s") from exc
        except httpx.HTTPError as exc:
            raise EvidenceError(f"Prometheus: {str(exc) or type(exc).__name__}"[:REASON_LIMIT]) from exc
        try:
            answer = msgspec.json.decode(body, type=_Names)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise EvidenceError(f"Prometheus: answered {status} with something that is not its JSON") from exc
        if answer.status != "success" or answer.data is None:
            raise EvidenceError(f"Prometheus: {answer.error or f'answered {status}'}"[:REASON_LIMIT])
        return frozenset(answer.data)

    async def trace(self, expr: str, *, start: datetime, end: datetime, step: timedelta) -> tuple[Trace, ...]:
        """The values of `expr` from `start` to `end`; raises EvidenceError when there are none to be had."""
        over = {
            "start": f"{start.timestamp():.3f}", "end": f"{end.timestamp():.3f}", "step": f"{step.total_seconds():g}"
        }  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout):
                body, status = await self._ask(expr, over)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise EvidenceError(f"Prometheus: no answer within {self._timeout:g} s") from exc
        except httpx.HTTPError as exc:
            raise EvidenceError(f"Prometheus: {str(exc) or type(exc).__name__}"[:REASON_LIMIT]) from exc
        return _matrix(_answer(body, status))

    async def _ask(
        self, expr: str, over: Mapping[str, str] = MappingProxyType({}), *, address: httpx.URL | None = None
    ) -> tuple[bytes, int]:
        """The answer's body and status. To Thanos half an answer is an error: what it left out would look resolved."""
        params = {"query": expr, "timeout": f"{self._timeout:g}s", "partial_response": "false", **over}
        if address is None:
            address = self._address.copy_with(path=f"{self._address.path}_range") if over else self._address
        else:
            params = {}
        body = bytearray()
        async with self._client.stream("GET", address, params=params) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._answer_limit:
                    raise EvidenceError(f"Prometheus: the answer is over {self._answer_limit} bytes; narrow the query")
        return bytes(body), response.status_code


def describe(vector: Sequence[Sample]) -> str:
    """The series as Prometheus's console shows them, `{status="500"} 1.23`, one a line, the first 200."""
    if not vector:
        return NOTHING
    lines = [f"{_series(sample.labels)} {_number(sample.value)}" for sample in vector[:SHOWN]]
    if len(vector) > SHOWN:
        lines.append(f"... and {len(vector) - SHOWN} more series")
    return "\n".join(lines)


def _answer(body: bytes, status: int) -> _Kind:
    """What the answer holds; raises EvidenceError with Prometheus's own words when it refused."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise EvidenceError(f"Prometheus: answered {status} with something that is not its JSON") from exc
    if answer.status != "success" or answer.data is None:
        raise EvidenceError(f"Prometheus: {answer.error or f'answered {status}'}"[:REASON_LIMIT])
    return answer.data


def _matrix(data: _Kind) -> tuple[Trace, ...]:
    if data.resultType != "matrix":
        raise EvidenceError(f"Prometheus: a range of the expression gives a {data.resultType}")
    return tuple(
        Trace(one.metric, tuple((at, _value((at, value))) for at, value in one.values))
        for one in _read(data, list[_Ranged])
    )


def _vector(data: _Kind) -> Vector:
    if data.resultType == "vector":
        return tuple(Sample(one.metric, _value(one.value)) for one in _read(data, list[_Series]))
    if data.resultType == "scalar":
        return (Sample({}, _value(_read(data, tuple[float, str]))),)
    raise EvidenceError(f"Prometheus: the expression gives a {data.resultType}, not one value a series at this instant")


T = TypeVar("T")


def _read(data: _Kind, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(data.result, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise EvidenceError(f"Prometheus: a {data.resultType} of a shape it should not have: {exc}") from exc


def _value(pair: tuple[float, str] | None) -> float:
    if pair is None:
        raise EvidenceError(
            "Prometheus: a series is a native histogram; take histogram_quantile() or another number of it"
        )
    try:
        return float(pair[1])
    except ValueError as exc:
        raise EvidenceError("Prometheus: a value is not a number") from exc


def _series(labels: dict[str, str]) -> str:
    name = labels.get("__name__", "")
    plain = name if _PLAIN.fullmatch(name) else ""
    inner = [_name(name)] if name and not plain else []
    inner += [f'{_name(key)}="{_quoted(value)}"' for key, value in sorted(labels.items()) if key != "__name__"]
    return plain + f"{{{', '.join(inner)}}}" if inner or not plain else plain


def _name(name: str) -> str:
    """A name as Prometheus 3 writes it: in quotes when it is more than letters, digits and underscores."""
    return name if _PLAIN.fullmatch(name) else f'"{_quoted(name)}"'


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    text = f"{value:.12g}"
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)
