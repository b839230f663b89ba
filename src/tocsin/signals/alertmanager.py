"""Alertmanager's webhook, version 4: bytes to alerts. Refuses to decide: only listed alerts come out.

Source: the Alertmanager manual, "webhook_config", and bodies recorded from 0.25. The top-level `status` and
`truncatedAlerts` are not read: with `max_alerts` a body says `resolved` while an alert it left out still fires.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import Instant, decoded, text, texts, utc

SOURCE = "alertmanager"
FINGERPRINT_LIMIT = 64
"""Characters. Senders give 16; anything longer would not fit an index, and ours stands in for it."""


class WireAlert(Struct):
    """An alert of a group, named as on the wire."""

    status: AlertStatus
    labels: dict[str, str]
    startsAt: Instant
    endsAt: Instant | None = None
    annotations: dict[str, str] | None = None
    generatorURL: str | None = None
    fingerprint: str | None = None


class WireGroup(Struct):
    alerts: list[WireAlert]
    groupKey: str = ""


def decode(body: bytes) -> list[Alert]:
    """The alerts of one webhook body, in its order; raises SignalError naming the field at fault.

    `version` is not looked at: what counts is that the shape fits. `group` is the sender's groupKey.
    """
    group = decoded(body, WireGroup)
    return [
        as_alert(alert, f"alerts[{index}]", group=group.groupKey, source=SOURCE)
        for index, alert in enumerate(group.alerts)
    ]


def as_alert(wire: WireAlert, field: str, *, group: str, source: str, extra: Mapping[str, str] | None = None) -> Alert:
    """One alert in our words; `extra` joins the annotations. `ends_at` is None while firing and when no end was given.

    Senders write year 1 for "no end".
    """
    labels = texts(wire.labels)
    ended = wire.endsAt if wire.status is AlertStatus.RESOLVED and wire.endsAt and wire.endsAt.year > 1 else None
    return Alert(
        fingerprint=_usable(wire.fingerprint) or fingerprint(labels),
        status=wire.status,
        labels=labels,
        annotations=texts(wire.annotations) | texts(extra),
        starts_at=utc(wire.startsAt, f"{field}.startsAt"),
        ends_at=utc(ended, f"{field}.endsAt") if ended else None,
        source=source,
        generator_url=text(wire.generatorURL or ""),
        group=text(group),
    )


def _usable(given: str | None) -> str:
    return text(given) if given and len(given) <= FINGERPRINT_LIMIT else ""
