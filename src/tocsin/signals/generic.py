"""A plain JSON alert for whatever can post one; the shape is `WireGenericAlert`, alone or in a list. Refuses to decide.

{"title": "Checkout is down", "severity": "critical", "service": "checkout", "key": "checkout-down"}
{"title": "Checkout is down", "service": "checkout", "key": "checkout-down", "status": "resolved"}
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import Instant, decoded, text, texts, utc
from tocsin.signals.errors import SignalError

SOURCE = "generic"


class WireGenericAlert(Struct):
    """One alert. `title` or `summary` is required.

    The same `key` is the same alert; without one, the title, service and labels tell alerts apart, so that a resolve
    needs only to repeat them. Values of `labels` may be text, numbers or booleans. Times are RFC 3339 with an offset.
    """

    title: str | None = None
    summary: str | None = None
    severity: str | None = None
    service: str | None = None
    status: AlertStatus = AlertStatus.FIRING
    key: str | None = None
    description: str | None = None
    labels: dict[str, str | int | float | bool | None] | None = None
    url: str | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None


def decode(body: bytes, *, at: datetime) -> list[Alert]:
    """The alerts of the body, in its order; raises SignalError naming the field at fault.

    `at`, aware UTC, is when it arrived: the start (and, when resolved, the end) of an alert that gives no times.
    """
    if body.lstrip(b" \t\r\n").startswith(b"["):
        listed = decoded(body, list[WireGenericAlert])
        return [_as_alert(wire, f"[{index}].", at) for index, wire in enumerate(listed)]
    return [_as_alert(decoded(body, WireGenericAlert), "", at)]


def _as_alert(wire: WireGenericAlert, place: str, at: datetime) -> Alert:
    title = text(wire.title or wire.summary or "").strip()
    if not title:
        raise SignalError("missing; give a title or a summary", f"{place}title")
    labels = _labels(wire, title)
    starts_at = utc(wire.starts_at, f"{place}starts_at") if wire.starts_at else at
    ends_at = utc(wire.ends_at, f"{place}ends_at") if wire.ends_at else at
    annotations = {"summary": wire.summary or wire.title, "description": wire.description}
    return Alert(
        fingerprint=_fingerprint(wire.key, labels),
        status=wire.status,
        labels=labels,
        annotations=texts({name: value for name, value in annotations.items() if value}),
        starts_at=starts_at,
        ends_at=ends_at if wire.status is AlertStatus.RESOLVED else None,
        source=SOURCE,
        generator_url=text(wire.url or ""),
        group=text(wire.key or ""),
    )


def _labels(wire: WireGenericAlert, title: str) -> dict[str, str]:
    """The sender's labels below the service and severity fields; the title stands in for an absent alertname."""
    given = {name: _word(value) for name, value in (wire.labels or {}).items() if value is not None}
    named = {"service": wire.service, "severity": wire.severity}
    return texts({"alertname": title} | given | {name: value for name, value in named.items() if value})


def _word(value: str | int | float | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _fingerprint(key: str | None, labels: dict[str, str]) -> str:
    """Severity is left out: the same trouble grown worse, or a resolve that does not repeat it, is the same alert."""
    if key:
        return fingerprint({"source": SOURCE, "key": key})
    return fingerprint({name: value for name, value in labels.items() if name != "severity"})
