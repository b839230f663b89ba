"""Alertmanager's webhook, version 4, and what Prometheus posts to an Alertmanager: bytes to alerts. Refuses to decide.

Source: the Alertmanager manual, "webhook_config", and bodies recorded from 0.25. The top-level `status` and
`truncatedAlerts` are not read: with `max_alerts` a body says `resolved` while an alert it left out still fires.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import Instant, decoded, text, texts, utc
from tocsin.signals.errors import SignalError

SOURCE = "alertmanager"
API_SOURCE = "prometheus"
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


class WirePosted(Struct):
    """An alert as Prometheus posts it to an Alertmanager; it fires until `endsAt`."""

    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    startsAt: Instant | None = None
    endsAt: Instant | None = None
    generatorURL: str | None = None


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


def decode_api(body: bytes, *, at: datetime) -> list[Alert]:
    """The alerts of one `POST /api/v2/alerts` that arrived `at` (aware UTC), in its order; raises SignalError.

    As in Alertmanager: an alert whose end has come is resolved, an absent start is the arrival, an empty label is none.
    The fingerprint is the one that Alertmanager would give, so that its webhook and Prometheus tell of one alert.
    """
    return [_posted(wire, f"[{index}]", at) for index, wire in enumerate(decoded(body, list[WirePosted]))]


def _posted(wire: WirePosted, field: str, at: datetime) -> Alert:
    labels = {name: value for name, value in texts(wire.labels).items() if value}
    if not labels:
        raise SignalError("an alert needs at least one label", f"{field}.labels")
    ends_at = utc(wire.endsAt, f"{field}.endsAt") if wire.endsAt and wire.endsAt.year > 1 else None
    over = ends_at is not None and ends_at <= at
    given = utc(wire.startsAt, f"{field}.startsAt") if wire.startsAt and wire.startsAt.year > 1 else at
    return Alert(
        fingerprint=prometheus_fingerprint(labels),
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        labels=labels,
        annotations=texts(wire.annotations),
        starts_at=min(given, ends_at) if ends_at and over else given,
        ends_at=ends_at if over else None,
        source=API_SOURCE,
        generator_url=text(wire.generatorURL or ""),
    )


def prometheus_fingerprint(labels: Mapping[str, str]) -> str:
    """The 16 hex digits by which Prometheus and Alertmanager know a label set: FNV-1a over its sorted pairs.

    Source: `LabelSet.Fingerprint` of prometheus/common; equal to those in recorded bodies.
    """
    digest = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(errors="replace"), labels[name].encode(errors="replace")):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def _usable(given: str | None) -> str:
    return text(given) if given and len(given) <= FINGERPRINT_LIMIT else ""
