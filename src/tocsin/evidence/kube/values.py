"""Single values of the Kubernetes API: instants, quantities, and digests of what must not be shown."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])?")
_UNITS: Mapping[str, Decimal | int] = {
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60, "n": Decimal("1e-9"),
    "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "E": 10**18,
}  # fmt: skip


def quantity(text: object) -> float | None:
    """`128Mi` in bytes, `250m` in cores; None when there is none. Source: the API's resource.Quantity."""
    match = _QUANTITY.fullmatch(str(text)) if text is not None else None
    if match is None:
        return None
    try:
        return float(Decimal(match[1]) * _UNITS.get(match[2] or "", 1))
    except InvalidOperation:
        return None


def instant(text: object, shift: timedelta = timedelta(0)) -> datetime | None:
    """An instant of the API on our own clock; None when there is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC) + shift
    except ValueError:
        return None


def whole(value: object) -> int:
    """A count; what is left out of an answer is 0."""
    return value if isinstance(value, int) else 0


def digest(value: object) -> str:
    """A short fingerprint of any part of an object: equal parts have equal ones, and it gives nothing away."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def inside(value: object, *path: str) -> Json:
    """The object at a path, empty when there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
