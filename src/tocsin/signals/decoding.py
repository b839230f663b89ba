"""JSON bytes to typed values, with the field at fault named. Refuses to know any one sender."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec

from tocsin.signals.errors import SignalError

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An RFC 3339 time with its offset."""

T = TypeVar("T")

_PLACE = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]*)`$")


def decoded(body: bytes, shape: type[T]) -> T:
    """The body as `shape`; raises SignalError naming the field that does not fit."""
    try:
        found: T = _decoder(cast("Any", shape)).decode(body)
    except msgspec.ValidationError as exc:
        raise _explained(str(exc)) from exc
    except UnicodeDecodeError as exc:
        raise SignalError("the body is not UTF-8 text") from exc
    except RecursionError as exc:
        raise SignalError("the JSON is nested too deeply") from exc
    except msgspec.DecodeError as exc:
        raise SignalError(f"the body is not JSON: {_lowered(str(exc))}") from exc
    return found


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    """Made once for each shape: to make one costs more than a small body does."""
    return msgspec.json.Decoder(shape)


def utc(moment: datetime, field: str) -> datetime:
    """The same instant in UTC; raises SignalError when the calendar has no such day (year 1 east of Greenwich)."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise SignalError("the time is out of range", field) from exc


def texts(given: Mapping[str, str] | None) -> dict[str, str]:
    """The map without NUL characters, which PostgreSQL cannot store; None is an empty map."""
    if not given:
        return {}
    if "\x00" not in "".join([*given, *given.values()]):
        return dict(given)
    return {text(key): text(value) for key, value in given.items()}


def text(given: str) -> str:
    return given.replace("\x00", "\ufffd") if "\x00" in given else given


def _explained(message: str) -> SignalError:
    place = _PLACE.match(message)
    reason, path = (place["reason"], place["path"] or "") if place else (message, "")
    field = path.removeprefix("$").removeprefix(".").removesuffix("[...]")
    missing = _MISSING.match(reason)
    if missing:
        return SignalError("missing", f"{field}.{missing['name']}".removeprefix("."))
    return SignalError(_lowered(reason), field)


def _lowered(reason: str) -> str:
    return reason if reason.startswith("JSON") else reason[:1].lower() + reason[1:]
