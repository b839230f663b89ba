"""healthchecks.io's webhook: the request body that its integration is given. Refuses to decide.

Source: its "Webhook" integration page. Either `$JSON`, or this as the request body of both the down and the up event:

{"name": "$NAME", "status": "$STATUS", "code": "$CODE", "tags": "$TAGS"}
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.errors import SignalError

SOURCE = "healthchecks"


class Status(StrEnum):
    DOWN = "down"
    UP = "up"
    NEW = "new"
    GRACE = "grace"
    STARTED = "started"
    PAUSED = "paused"


class WireCheck(Struct):
    status: Status
    name: str = ""
    code: str | None = None
    uuid: str | None = None
    unique_key: str | None = None
    slug: str | None = None
    tags: str | None = None
    desc: str | None = None
    last_ping: str | None = None


def decode(body: bytes, *, at: datetime) -> list[Alert]:
    """The alert of one check that arrived `at` (aware UTC); none unless it is down or up.

    Raises SignalError naming the field at fault. Tags written `name=value` or `name:value` are labels.
    """
    wire = decoded(body, WireCheck)
    if wire.status not in (Status.DOWN, Status.UP):
        return []
    name = text(wire.name or wire.slug or "").strip()
    key = wire.code or wire.uuid or wire.unique_key or name
    if not key:
        raise SignalError("missing", "name")
    name = name or text(key)
    over = wire.status is Status.UP
    told = {"summary": f"{name} is {wire.status}", "description": wire.desc, "last_ping": wire.last_ping}
    return [
        Alert(
            fingerprint=fingerprint({"source": SOURCE, "check": text(key)}),
            status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
            labels=texts(_tags(wire.tags or "") | {"alertname": name}),
            annotations=texts({key: value for key, value in told.items() if value}),
            starts_at=at,
            ends_at=at if over else None,
            source=SOURCE,
        )
    ]


def _tags(written: str) -> dict[str, str]:
    pairs = (word.replace("=", ":", 1).partition(":") for word in written.split())
    return {name: value for name, mark, value in pairs if mark and name and value}
