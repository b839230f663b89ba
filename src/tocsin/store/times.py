"""Instants as whole microseconds since the epoch: exact both ways, ordered, the same in every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def to_db(at: datetime) -> int: ...
@overload
def to_db(at: None) -> None: ...
def to_db(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // _MICROSECOND


@overload
def from_db(value: int) -> datetime: ...
@overload
def from_db(value: None) -> None: ...
def from_db(value: int | None) -> datetime | None:
    """The aware UTC instant."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)
