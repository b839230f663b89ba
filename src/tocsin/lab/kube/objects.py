"""Kubernetes objects as the JSON that they are: names, instants, quantities, uids. Pure."""

import time
from datetime import datetime
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object. This package is the border where the lab's own types end."""

_SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, no digits that look like them (apimachinery, util/rand)."""
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "m": 1e-3, "n": 1e-9}


def iso(at: float) -> str:
    """An instant, seconds since the epoch, in Kubernetes' format: UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def micro(at: float) -> str:
    """An instant with microseconds, as `eventTime` has them."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e6):06d}Z"


def seconds(text: str | None) -> float:
    """Seconds since the epoch of an RFC 3339 instant; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def digest(text: str, *, salt: str = "") -> int:
    """FNV-1a 32 of the text."""
    found = 2166136261
    for byte in f"{salt}{text}".encode():
        found = ((found ^ byte) * 16777619) & 0xFFFFFFFF
    return found


def uid(text: str) -> str:
    """A uid that is always the same for the same text."""
    digits = "".join(f"{digest(text, salt=salt):08x}" for salt in "abcd")
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def sha256_like(text: str) -> str:
    """A digest of an image or a container id: 64 hex digits, always the same for the same text."""
    return "".join(f"{digest(text, salt=salt):08x}" for salt in "abcdefgh")


def safe(number: int) -> str:
    """A number's digits in the alphabet of generated names."""
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(number))


def suffix(entropy: bytes) -> str:
    """Five letters for a generated name, of at least five random bytes."""
    return "".join(_SAFE[byte % len(_SAFE)] for byte in entropy[:5])


def quantity(text: str | int | float | None) -> float:
    """A resource quantity as a number: cores or bytes; 0 for none."""
    written = str(text or "0")
    for unit, factor in _UNITS.items():
        if written.endswith(unit):
            return float(written.removesuffix(unit)) * factor
    return float(written)


def name_of(each: Object) -> str:
    """The object's name."""
    return str(each["metadata"]["name"])


def labels_of(each: Object) -> dict[str, str]:
    """The object's labels."""
    found: dict[str, str] = each["metadata"].get("labels") or {}
    return found


def annotations_of(each: Object) -> dict[str, str]:
    """The object's annotations."""
    found: dict[str, str] = each["metadata"].get("annotations") or {}
    return found


def owned_by(each: Object, owner: Object) -> bool:
    """Whether the owner controls the object."""
    references = each["metadata"].get("ownerReferences") or []
    return any(found["uid"] == owner["metadata"]["uid"] for found in references)


def owner_reference(owner: Object) -> Object:
    """What an object carries of the one that controls it."""
    return {
        "apiVersion": owner["apiVersion"],
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": owner["metadata"]["uid"],
    }


def condition(each: Object, kind: str) -> Object | None:
    """The object's condition of that type."""
    found = (one for one in each.get("status", {}).get("conditions") or [] if one["type"] == kind)
    return next(found, None)


def ready(pod: Object) -> bool:
    """Whether the pod's Ready condition is true."""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def deleting(each: Object) -> bool:
    """Whether the object's deletion has begun."""
    return "deletionTimestamp" in each["metadata"]
