"""Rows to values and back. Instants are whole microseconds, what is nested is JSON text."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Row

from tocsin.engine.records import AlertRecord, Evidence, WorkItem
from tocsin.incident.alert import Alert
from tocsin.incident.events import Entry, Event
from tocsin.incident.state import Incident
from tocsin.incident.work import Send, Work
from tocsin.store.times import from_db, to_db

_EVENT = msgspec.json.Decoder(Event)
_ALERT = msgspec.json.Decoder(Alert)
_WORK = msgspec.json.Decoder(Work)
_ENCODER = msgspec.json.Encoder()
STATE = msgspec.json.Decoder(Incident)
EVIDENCE = msgspec.json.Decoder(Evidence)
Values = dict[str, Any]
REV = 2
"""The revision of the folded state, raised when an older version would read or write it wrongly: such a version leaves
the incidents that a newer one has written to the newer ones."""
BUNDLED = ("page", "notify")
"""Kinds of messages to a person that may share one hand-over; what stands in a channel stays one message each."""


def json(value: object) -> str:
    return _ENCODER.encode(value).decode()


def incident_row(incident: Incident, next_due_at: datetime | None) -> Values:
    """What changes with an incident."""
    return {
        "status": incident.status.value,
        "severity": incident.severity,
        "service": incident.service,
        "title": incident.title,
        "version": incident.version,
        "next_due_at": to_db(next_due_at),
        "runbook": incident.runbook,
        "rev": REV,
        "state": json(incident),
    }


def opened_row(incident: Incident) -> Values:
    """What never changes of it."""
    return {"id": incident.id, "number": incident.number, "opened_at": to_db(incident.opened_at)}


def event_row(incident_id: str, entry: Entry) -> Values:
    return {
        "incident_id": incident_id,
        "seq": entry.seq,
        "at": to_db(entry.at),
        "actor": entry.actor,
        "data": json(entry.event),
    }


def entry(row: Row[Any, Any, Any, Any]) -> Entry | None:
    """None for an event that this version does not know."""
    try:
        return Entry(row.seq, from_db(row.at), row.actor, _EVENT.decode(row.data))
    except msgspec.ValidationError:
        return None


def alert_row(record: AlertRecord) -> Values:
    a = record.alert
    return {
        "incident_id": record.incident_id,
        "status": a.status.value,
        "name": a.name,
        "starts_at": to_db(a.starts_at),
        "ends_at": to_db(a.ends_at),
        "first_seen_at": to_db(record.first_seen_at),
        "last_seen_at": to_db(record.last_seen_at),
        "data": json(a),
        "held": a.held,
    }


@lru_cache(maxsize=2000)
def _alert(data: str) -> Alert:
    """A storm is of few alerts, each told again and again."""
    return _ALERT.decode(data)


def alert(row: Row[Any]) -> AlertRecord:
    return alert_of(row.data, row.incident_id, row.first_seen_at, row.last_seen_at)


def alert_of(data: str, incident_id: str | None, first_seen_at: int, last_seen_at: int) -> AlertRecord:
    return AlertRecord(_alert(data), incident_id, from_db(first_seen_at), from_db(last_seen_at))


def work_row(incident_id: str, key: str, channel: str, work: Work) -> Values:
    return {
        "incident_id": incident_id,
        "kind": type(work).__name__.lower(),
        "channel": channel,
        "bundle": bundle_of(work),
        "urgency": 0 if isinstance(work, Send) and work.kind == "page" else 1,
        "idempotency_key": key,
        "payload": json(work),
    }


def bundle_of(work: Work) -> str:
    """What the message may be handed over together with: the same kind to the same person; empty for none.

    A person's own rules repeat a page under the key of the first, `|` and a count.
    """
    if not isinstance(work, Send) or not work.person or work.kind not in BUNDLED or work.approval:
        return ""
    again = work.kind == "page" and "|" in work.key
    return f"{'again' if again else work.kind}:{work.person}"


def item(row: Row[Any], *, attempt: int, uncertain: bool) -> WorkItem:
    return WorkItem(
        row.id,
        row.incident_id,
        _WORK.decode(row.payload),
        row.channel,
        row.idempotency_key,
        attempt,
        uncertain,
        from_db(row.created_at),
        from_db(row.next_at),
        row.bundle,
    )
