"""Opaque cursors: where a list goes on. What they hold may change; who sends one back unchanged is understood."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, TypeAlias

from fastapi import Query

from tocsin.web.errors import BadField

Limit: TypeAlias = Annotated[int, Query(ge=1, le=200, description="How many at most")]
Cursor: TypeAlias = Annotated[str | None, Query(max_length=100, description="`next` of the page before")]
_LARGEST = 2**31


def cursor(kind: str, place: int) -> str:
    """`kind` keeps a cursor of one list from being used on another."""
    return urlsafe_b64encode(f"{kind}:{place}".encode()).decode().rstrip("=")


def place(kind: str, given: str | None) -> int | None:
    """Where to go on, None at the beginning. Raises BadField for a cursor that this list did not give."""
    if given is None:
        return None
    try:
        said, _, number = urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode("ascii").partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        said, number = "", ""
    if said != kind or not (number.isascii() and number.isdigit()) or int(number) > _LARGEST:
        raise BadField("cursor", "is not one that this list gave: leave it out to begin anew")
    return int(number)
