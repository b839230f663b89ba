"""Uptime Kuma's webhook notification (JSON). Refuses to decide.

Source: its `webhook` provider: `{heartbeat, monitor, msg}`; both are null in the test that its settings page sends.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.keyed import link, word

SOURCE = "uptime-kuma"
DOWN, UP = 0, 1


class WireHeartbeat(Struct):
    """`status` is 0 down, 1 up, 2 pending, 3 under maintenance."""

    status: int
    monitorID: int | str | None = None
    msg: str | None = None


class WireTag(Struct):
    name: str
    value: str | None = None


class WireMonitor(Struct):
    id: int | str | None = None
    name: str | None = None
    description: str | None = None
    url: str | None = None
    hostname: str | None = None
    type: str | None = None
    tags: list[WireTag] | None = None


class WireNotification(Struct):
    msg: str
    heartbeat: WireHeartbeat | None = None
    monitor: WireMonitor | None = None


def decode(body: bytes, *, at: datetime) -> list[Alert]:
    """The alert of one notification that arrived `at` (aware UTC), none for a test, a pending check or maintenance.

    Raises SignalError naming the field at fault. Tags with a value are labels.
    """
    wire = decoded(body, WireNotification)
    beat = wire.heartbeat
    if beat is None or beat.status not in (DOWN, UP):
        return []
    monitor = wire.monitor or WireMonitor()
    name = text(monitor.name or wire.msg or "monitor")
    over = beat.status == UP
    labels = {
        **{tag.name: tag.value for tag in monitor.tags or ()},
        "alertname": name,
        "type": monitor.type,
        "host": monitor.hostname,
    }
    told = {"summary": f"{name} is {'up' if over else 'down'}", "description": beat.msg or wire.msg}
    return [
        Alert(
            fingerprint=_identity(beat, monitor, name),
            status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
            labels=texts({key: value for key, value in labels.items() if value}),
            annotations=texts({key: value for key, value in told.items() if value}),
            starts_at=at,
            ends_at=at if over else None,
            source=SOURCE,
            generator_url=link(monitor.url),
        )
    ]


def _identity(beat: WireHeartbeat, monitor: WireMonitor, name: str) -> str:
    return fingerprint({"source": SOURCE, "monitor": text(word(monitor.id) or word(beat.monitorID) or name)})
