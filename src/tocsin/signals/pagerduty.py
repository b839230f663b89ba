"""PagerDuty's Events API, version 2 and the older version 1: one body is one event. Refuses to decide.

Source: PagerDuty's developer pages "Send an Alert Event" (v2) and "Events API v1", and bodies recorded from
Alertmanager 0.25. An alert begins when its event arrives: `timestamp` may be the same on every trigger of a sender, and
would make a second trouble look like a copy of the first.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import MESSAGE_MARK, link, listed_labels, of_key, split_details, word

SOURCE = "pagerduty"
BODY_LIMIT = 512_000
"""Bytes of a body, as PagerDuty has it."""
KEY_LIMIT = 255
LONGEST_NAME = 100
_LISTINGS = ("firing", "resolved", "num_firing", "num_resolved")


class Action(StrEnum):
    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Event(Struct, frozen=True):
    """One event: `alert` is there on a trigger alone. `credential` is what the sender showed, `actor` its own name."""

    action: Action
    key: str
    fingerprint: str
    actor: str
    credential: str
    alert: Alert | None = None

    def __repr__(self) -> str:
        return f"Event({self.action.value}, key={self.key!r}, actor={self.actor!r})"


class WirePayload(Struct):
    summary: str
    source: str = ""
    severity: str = ""
    timestamp: str | None = None
    component: str | None = None
    group: str | None = None
    class_: str | None = field(name="class", default=None)
    custom_details: Any = None


class WireLink(Struct):
    href: str | None = None


class WireEvent(Struct):
    routing_key: str
    event_action: Action
    dedup_key: str | None = None
    client: str | None = None
    client_url: str | None = None
    payload: WirePayload | None = None
    links: list[WireLink] | None = None


class WireEventV1(Struct):
    service_key: str
    event_type: Action
    incident_key: str | None = None
    description: str | None = None
    details: Any = None
    client: str | None = None
    client_url: str | None = None


def decode(body: bytes, *, at: datetime, minted: str) -> Event:
    """The event of one v2 body that arrived `at` (aware UTC); raises SignalError naming the field at fault.

    `minted` is the key of a trigger that brings none.
    """
    wire = decoded(body, WireEvent)
    key = _key(wire.dedup_key, wire.event_action, minted, "dedup_key")
    actor = _actor(wire.client)
    event = Event(wire.event_action, key, of_key(key), actor, wire.routing_key)
    if wire.event_action is not Action.TRIGGER:
        return event
    if wire.payload is None or not wire.payload.summary.strip():
        raise SignalError("missing", "payload.summary" if wire.payload else "payload")
    return _with(event, _alert(wire, wire.payload, key, at))


def decode_v1(body: bytes, *, at: datetime, minted: str) -> Event:
    """The event of one v1 body; as `decode`."""
    wire = decoded(body, WireEventV1)
    key = _key(wire.incident_key, wire.event_type, minted, "incident_key")
    event = Event(wire.event_type, key, of_key(key), _actor(wire.client), wire.service_key)
    if wire.event_type is not Action.TRIGGER:
        return event
    summary = text(wire.description or "").strip()
    if not summary:
        raise SignalError("missing", "description")
    labels, told = _details(wire.details)
    return _with(event, _fired(key, summary, labels, told, at=at, url=link(wire.client_url)))


def _alert(wire: WireEvent, payload: WirePayload, key: str, at: datetime) -> Alert:
    labels, told = _details(payload.custom_details)
    named = {
        "class": payload.class_,
        "component": payload.component,
        "component_group": payload.group,
        "source": payload.source,
        "service": labels.get("service") or payload.component,
        "severity": labels.get("severity") or payload.severity,
        "alertname": labels.get("alertname") or payload.class_,
    }
    told |= {"timestamp": payload.timestamp} if payload.timestamp else {}
    url = link(wire.client_url, *(one.href for one in wire.links or ()))
    given = {name: value for name, value in named.items() if value}
    return _fired(key, text(payload.summary).strip(), labels | given, told, at=at, url=url)


def _fired(
    key: str, summary: str, labels: dict[str, str], told: dict[str, str], *, at: datetime, url: str
) -> Alert:  # fmt: skip
    named = {"alertname": MESSAGE_MARK.sub("", summary) or summary} | labels
    return Alert(
        fingerprint=of_key(key),
        status=AlertStatus.FIRING,
        labels=texts(named),
        annotations=texts(told | {"summary": summary}),
        starts_at=at,
        ends_at=None,
        source=SOURCE,
        generator_url=url,
        group=text(key),
    )


def _details(given: object) -> tuple[dict[str, str], dict[str, str]]:
    """(labels, annotations) of the sender's own details. Of an Alertmanager's listing the first alert's labels are."""
    if not isinstance(given, dict):
        said = text(word(given))
        return {}, {"details": said} if said else {}
    listed = {name: text(word(given[name])) for name in _LISTINGS if given.get(name)}
    labels, told = split_details({name: value for name, value in given.items() if name not in _LISTINGS})
    return labels | listed_labels(listed.get("firing", "")), told | listed


def _key(given: str | None, action: Action, minted: str, name: str) -> str:
    if given and len(given) > KEY_LIMIT:
        raise SignalError(f"longer than {KEY_LIMIT} characters", name)
    if not given and action is not Action.TRIGGER:
        raise SignalError(f"missing; an event that is to {action} names the one it means", name)
    return text(given or minted)


def _actor(client: str | None) -> str:
    return " ".join(text(client or "").split())[:LONGEST_NAME] or SOURCE


def _with(event: Event, alert: Alert) -> Event:
    return Event(event.action, event.key, event.fingerprint, event.actor, event.credential, alert)
