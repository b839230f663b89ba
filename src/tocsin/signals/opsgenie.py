"""Opsgenie's Alert API: the body of a create, and of each verb on an alert that is there. Refuses to decide.

Source: Opsgenie's "Alert API" pages, the field names of its published client, and bodies recorded from Alertmanager
0.25. An alert is named by its alias; a create without one is a new alert each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.decoding import decoded, text, texts
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import MESSAGE_MARK, link, listed_labels, of_key, split_details, word

SOURCE = "opsgenie"
ALIAS_LIMIT = 512
USUAL_PRIORITY = "P3"
LONGEST_NAME = 100


class Priority(StrEnum):
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    P5 = "P5"


class WireRecipient(Struct):
    """A person, team, schedule or escalation as Opsgenie names it."""

    id: str | None = None
    name: str | None = None
    username: str | None = None
    type: str | None = None

    @property
    def label(self) -> str:
        """`team payments`: what it is and its name, as far as given."""
        name = self.username or self.name or self.id or ""
        return text(f"{self.type} {name}".strip() if self.type else name)


class WireCreate(Struct):
    message: str
    alias: str | None = None
    description: str | None = None
    details: dict[str, Any] | None = None
    source: str | None = None
    responders: list[WireRecipient] | None = None
    tags: list[str] | None = None
    note: str | None = None
    user: str | None = None
    priority: Priority | None = None
    entity: str | None = None
    actions: list[str] | None = None


class WireVerb(Struct):
    """What any verb may carry; which field a verb needs is in `NEEDED`."""

    user: str | None = None
    source: str | None = None
    note: str | None = None
    tags: list[str] | None = None
    details: dict[str, Any] | None = None
    responder: WireRecipient | None = None
    team: WireRecipient | None = None
    owner: WireRecipient | None = None
    escalation: WireRecipient | None = None
    message: str | None = None
    description: str | None = None
    priority: Priority | None = None

    @property
    def actor(self) -> str:
        """Who does it: the user or source it names, else Opsgenie."""
        return actor(self.user, self.source)


NEEDED: Mapping[str, str] = MappingProxyType(
    {
        "notes": "note", "tags": "tags", "details": "details", "responders": "responder", "teams": "team",
        "assign": "owner", "escalate": "escalation", "message": "message", "description": "description",
        "priority": "priority", "close": "", "acknowledge": "",
    }
)  # fmt: skip
"""Each verb and the field it cannot do without."""


def decode(body: bytes, *, at: datetime, minted: str) -> Alert:
    """The firing alert of one create that arrived `at` (aware UTC); raises SignalError naming the field at fault."""
    wire = decoded(body, WireCreate)
    message = text(wire.message).strip()
    if not message:
        raise SignalError("must not be empty", "message")
    if wire.alias and len(wire.alias) > ALIAS_LIMIT:
        raise SignalError(f"longer than {ALIAS_LIMIT} characters", "alias")
    alias = text(wire.alias or minted)
    labels, told = split_details(wire.details or {})
    labels = listed_labels(wire.description or "") | labels
    return Alert(
        fingerprint=of_key(alias),
        status=AlertStatus.FIRING,
        labels=_labels(wire, message, labels),
        annotations=told | _annotations(wire, message),
        starts_at=at,
        ends_at=None,
        source=SOURCE,
        generator_url=link(wire.source),
        group=alias,
    )


def decode_verb(verb: str, body: bytes) -> WireVerb:
    """The body of a verb, which may be empty when the verb needs nothing; raises SignalError naming the field."""
    wire = decoded(body.strip() or b"{}", WireVerb)
    needed = NEEDED[verb]
    if needed and not getattr(wire, needed):
        raise SignalError("missing", needed)
    return wire


def actor(user: str | None, source: str | None) -> str:
    """Who a sender says it is, in one line; an address is no name."""
    said = user or ("" if link(source) else source) or ""
    return " ".join(text(said).split())[:LONGEST_NAME] or SOURCE


def changed(alert: Alert, verb: str, wire: WireVerb) -> Alert:
    """The alert after a verb that rewrites it; as it was after any other."""
    match verb:
        case "message":
            return _told(alert, summary=text(wire.message or ""))
        case "description":
            return _told(alert, description=text(wire.description or ""))
        case "priority":
            priority = wire.priority.value if wire.priority else USUAL_PRIORITY
            return replace(alert, labels=alert.labels | {"priority": priority, "severity": priority})
        case "tags":
            return _told(alert, tags=_joined((*tags_of(alert), *(wire.tags or ()))))
        case "details":
            labels, told = split_details(wire.details or {})
            return replace(alert, labels=alert.labels | labels, annotations=alert.annotations | told)
        case "responders" | "teams":
            recipient = wire.responder or wire.team
            before = alert.annotations.get("responders", "").split(",")
            return _told(alert, responders=_joined((*before, recipient.label if recipient else "")))
        case _:
            return alert


def without_tags(alert: Alert, tags: Iterable[str]) -> Alert:
    gone = set(tags)
    return _told(alert, tags=_joined(tag for tag in tags_of(alert) if tag not in gone))


def without_details(alert: Alert, keys: Iterable[str]) -> Alert:
    gone = set(keys)
    return replace(
        alert,
        labels={name: value for name, value in alert.labels.items() if name not in gone},
        annotations={name: value for name, value in alert.annotations.items() if name not in gone},
    )


def tags_of(alert: Alert) -> tuple[str, ...]:
    return tuple(tag for tag in alert.annotations.get("tags", "").split(",") if tag)


def _labels(wire: WireCreate, message: str, details: dict[str, str]) -> dict[str, str]:
    """Alertmanager sends the labels that its group shares as details; the priority stands in for a severity."""
    priority = wire.priority.value if wire.priority else USUAL_PRIORITY
    named = {
        "alertname": details.get("alertname") or MESSAGE_MARK.sub("", message) or message,
        "severity": details.get("severity") or priority,
        "priority": priority,
        "entity": wire.entity,
        "service": details.get("service") or wire.entity,
    }
    return texts(details | {name: value for name, value in named.items() if value})


def _annotations(wire: WireCreate, message: str) -> dict[str, str]:
    told = {
        "summary": message,
        "description": wire.description,
        "tags": _joined(wire.tags or ()),
        "responders": _joined(r.label for r in wire.responders or ()),
        "note": wire.note,
        "actions": ", ".join(wire.actions or ()),
        "source": word(wire.source),
    }
    return texts({name: value for name, value in told.items() if value})


def _told(alert: Alert, **said: str) -> Alert:
    return replace(alert, annotations={**alert.annotations, **said})


def _joined(words: Iterable[str]) -> str:
    """Each once, in order, as Opsgenie itself writes a list of tags in an address."""
    return ",".join(dict.fromkeys(text(w).strip() for w in words if w.strip()))
