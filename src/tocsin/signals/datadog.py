"""Datadog's webhook integration: its default payload, and the fuller one below. Refuses to decide.

Source: Datadog's manual, "Webhooks integration". With this as the webhook's custom payload every field is used:

{"id": "$ID", "alert_id": "$ALERT_ID", "title": "$EVENT_TITLE", "body": "$EVENT_MSG", "transition": "$ALERT_TRANSITION",
 "priority": "$ALERT_PRIORITY", "scope": "$ALERT_SCOPE", "tags": "$TAGS", "link": "$LINK", "host": "$HOSTNAME"}
"""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import link, word

SOURCE = "datadog"
_MARKS = re.compile(r"^(?:\[(?P<mark>[^\]]{1,40})\]\s*)+")
_OVER = ("recovered", "ok", "success")
_SEVERITIES = {"warn": "warning", "warning": "warning", "error": "critical", "triggered": "critical"}

Scalar = str | int | float | bool | None


class WireEvent(Struct):
    title: str
    body: str = ""
    id: Scalar = None
    alert_id: Scalar = None
    aggreg_key: Scalar = None
    transition: str | None = None
    alert_transition: str | None = None
    alert_type: str | None = None
    priority: str | None = None
    scope: str | None = None
    tags: str | list[str] | None = None
    link: str | None = None
    host: str | None = None
    hostname: str | None = None


def decode(body: bytes, *, at: datetime) -> list[Alert]:
    """The alert of one event that arrived `at` (aware UTC); raises SignalError naming the field at fault.

    The same monitor and scope are the same alert; without them the title is, but for the marks before it.
    """
    wire = decoded(body, WireEvent)
    title = _MARKS.sub("", text(wire.title)).strip() or text(wire.title).strip()
    if not title:
        raise SignalError("must not be empty", "title")
    said = _transition(wire)
    over = said in _OVER
    labels = _tags(wire) | {"alertname": title} | _named(wire, said)
    return [
        Alert(
            fingerprint=_identity(wire, title),
            status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
            labels=texts(labels),
            annotations=texts({"summary": title, "description": wire.body} if wire.body else {"summary": title}),
            starts_at=at,
            ends_at=at if over else None,
            source=SOURCE,
            generator_url=link(wire.link),
        )
    ]


def _transition(wire: WireEvent) -> str:
    """In lower case: the transition, else the mark before the title (`[Recovered]`), else the event's type."""
    mark = _MARKS.match(wire.title)
    said = wire.transition or wire.alert_transition or (mark["mark"] if mark else "") or wire.alert_type or ""
    return said.casefold().split(" on ")[0].strip()


def _identity(wire: WireEvent, title: str) -> str:
    monitor = word(wire.alert_id) or word(wire.aggreg_key)
    about = {"monitor": monitor, "scope": wire.scope or ""} if monitor else {"title": title, "scope": wire.scope or ""}
    return fingerprint(texts({"source": SOURCE} | about))


def _named(wire: WireEvent, said: str) -> dict[str, str]:
    severity = wire.priority if wire.priority and wire.priority.upper() in ("P1", "P2", "P3", "P4", "P5") else ""
    named = {
        "severity": severity or _SEVERITIES.get(said, "") or _SEVERITIES.get(wire.alert_type or "", ""),
        "host": wire.host or wire.hostname or "",
    }
    return {name: value for name, value in named.items() if value}


def _tags(wire: WireEvent) -> dict[str, str]:
    """`service:cart,env:prod` as labels; a tag without a value says nothing that a label could."""
    listed = wire.tags.split(",") if isinstance(wire.tags, str) else wire.tags or ()
    pairs = (tag.strip().partition(":") for tag in listed)
    return {name: value for name, mark, value in pairs if mark and name and value}
