"""The statements, inside one transaction. Knows tables and rows; no policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from tocsin.engine.records import AlertRecord, Answered, Evidence, Published, Token, WorkItem
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.events import Entry, Event
from tocsin.incident.state import Incident, Status
from tocsin.incident.work import Work
from tocsin.store import schema as t
from tocsin.store.times import from_db, to_db

_EVENT = msgspec.json.Decoder(Event)
_STATE = msgspec.json.Decoder(Incident)
_ALERT = msgspec.json.Decoder(Alert)
_WORK = msgspec.json.Decoder(Work)
_EVIDENCE = msgspec.json.Decoder(Evidence)
_OVER = (Status.RESOLVED.value, Status.CLOSED.value)
_LARGEST = 2**31 - 1
"""The largest number that every database keeps; what people write into an address may be larger."""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


class Tx:
    """One transaction on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    # incidents

    def incident(self, id_: str) -> Incident | None:
        return self._incident(t.incident.c.id == id_)

    def incident_numbered(self, number: int) -> Incident | None:
        return self._incident(t.incident.c.number == number) if number <= _LARGEST else None

    def open_incident_of(self, service: str) -> Incident | None:
        """The newest incident of the service that is not over; None when there is none."""
        return self._incident((t.incident.c.service == service) & t.incident.c.status.not_in(_OVER))

    def incidents(
        self, *, over: bool | None = None, severity: str = "", text: str = "", below: int | None = None, limit: int = 50
    ) -> list[Incident]:
        """Newest first. `over` None is all; `below` is the number to go on from; `text` is looked for in the title."""
        c = t.incident.c
        wanted = select(c.state).order_by(c.number.desc()).limit(limit)
        if over is not None:
            wanted = wanted.where(c.status.in_(_OVER) if over else c.status.not_in(_OVER))
        if severity:
            wanted = wanted.where(c.severity == severity)
        if text:
            wanted = wanted.where(func.lower(c.title).contains(text.lower(), autoescape=True))
        if below is not None:
            wanted = wanted.where(c.number < min(below, _LARGEST))
        return [_STATE.decode(row.state) for row in self._c.execute(wanted)]

    def incident_counts(self) -> dict[str, int]:
        """Incidents by status."""
        counted = select(t.incident.c.status, func.count()).group_by(t.incident.c.status)
        return {row[0]: row[1] for row in self._c.execute(counted)}

    def next_number(self) -> int:
        return (self._c.execute(select(func.max(t.incident.c.number))).scalar() or 0) + 1

    def save(self, incident: Incident, next_due_at: datetime | None, *, new: bool) -> None:
        """Writes the snapshot. Raises nothing when it is unchanged; the caller holds the write transaction."""
        row = {
            "status": incident.status.value,
            "severity": incident.severity,
            "service": incident.service,
            "title": incident.title,
            "version": incident.version,
            "next_due_at": to_db(next_due_at),
            "runbook": incident.runbook,
            "state": _json(incident),
        }
        if new:
            fixed = {"id": incident.id, "number": incident.number, "opened_at": to_db(incident.opened_at), "rev": 1}
            self._c.execute(insert(t.incident), row | fixed)
        else:
            self._c.execute(update(t.incident).where(t.incident.c.id == incident.id), row)

    def due(self, now: datetime, limit: int) -> list[str]:
        """Ids of incidents whose clock has something to do by `now`, longest waiting first."""
        c = t.incident.c
        found = select(c.id).where(c.next_due_at <= to_db(now)).order_by(c.next_due_at).limit(limit)
        return list(self._c.execute(found).scalars())

    def postpone(self, id_: str, next_due_at: datetime) -> None:
        """Only the instant when the clock looks at it again: works even on an incident that cannot be read."""
        self._c.execute(update(t.incident).where(t.incident.c.id == id_).values(next_due_at=to_db(next_due_at)))

    def next_due_at(self) -> datetime | None:
        return from_db(self._c.execute(select(func.min(t.incident.c.next_due_at))).scalar())

    def _incident(self, where: Any) -> Incident | None:
        state = self._c.execute(
            select(t.incident.c.state).where(where).order_by(t.incident.c.number.desc()).limit(1)
        ).scalar()
        return None if state is None else _STATE.decode(state)

    # timeline

    def append(self, incident_id: str, entries: Iterable[Entry]) -> None:
        rows = [
            {"incident_id": incident_id, "seq": x.seq, "at": to_db(x.at), "actor": x.actor, "data": _json(x.event)}
            for x in entries
        ]
        if rows:
            self._c.execute(insert(t.event), rows)

    def timeline(self, incident_id: str, *, after: int = 0, limit: int | None = None) -> list[Entry]:
        """Entries with seq above `after`, in order. An event that this version does not know is left out."""
        c = t.event.c
        wanted = (
            select(c.seq, c.at, c.actor, c.data)
            .where(c.incident_id == incident_id, c.seq > min(after, _LARGEST))
            .order_by(c.seq)
        )
        found = (_entry(row) for row in self._c.execute(wanted.limit(limit)))
        return [entry for entry in found if entry is not None]

    def published(self, after: int, limit: int = 1000) -> list[Published]:
        c = t.event.c
        wanted = (
            select(c.position, c.incident_id, t.incident.c.number, c.seq)
            .join(t.incident, t.incident.c.id == c.incident_id)
            .where(c.position > after)
            .order_by(c.position)
            .limit(limit)
        )
        return [Published(r.position, r.incident_id, r.number, r.seq) for r in self._c.execute(wanted)]

    def last_position(self) -> int:
        return self._c.execute(select(func.max(t.event.c.position))).scalar() or 0

    # alerts

    def alert(self, fingerprint: str) -> AlertRecord | None:
        row = self._c.execute(select(t.alert).where(t.alert.c.fingerprint == fingerprint)).first()
        return None if row is None else _alert(row)

    def put_alert(self, record: AlertRecord, *, new: bool) -> None:
        a = record.alert
        row = {
            "incident_id": record.incident_id,
            "status": a.status.value,
            "name": a.name,
            "starts_at": to_db(a.starts_at),
            "ends_at": to_db(a.ends_at),
            "first_seen_at": to_db(record.first_seen_at),
            "last_seen_at": to_db(record.last_seen_at),
            "data": _json(a),
        }
        if new:
            self._c.execute(insert(t.alert), row | {"fingerprint": a.fingerprint})
        else:
            self._c.execute(update(t.alert).where(t.alert.c.fingerprint == a.fingerprint), row)

    def alerts(
        self,
        *,
        incident_id: str | None = None,
        status: AlertStatus | None = None,
        text: str = "",
        skip: int = 0,
        limit: int = 100,
    ) -> list[AlertRecord]:
        """In the order first seen, `skip` of them left out."""
        c = t.alert.c
        wanted = select(t.alert).order_by(c.first_seen_at, c.fingerprint).offset(skip).limit(limit)
        if incident_id is not None:
            wanted = wanted.where(c.incident_id == incident_id)
        if status is not None:
            wanted = wanted.where(c.status == status.value)
        if text:
            wanted = wanted.where(func.lower(c.data).contains(text.lower(), autoescape=True))
        return [_alert(row) for row in self._c.execute(wanted)]

    # work

    def enqueue(self, incident_id: str, items: Sequence[tuple[str, str, Work]], *, now: datetime) -> None:
        """Adds (idempotency key, channel, work) rows, due at once; a key that stands there already is left alone."""
        if not items:
            return
        wanted = {key: (channel, work) for key, channel, work in reversed(items)}  # of two alike the first counts
        known = set(
            self._c.execute(select(t.work.c.idempotency_key).where(t.work.c.idempotency_key.in_(wanted))).scalars()
        )
        rows = [
            {
                "incident_id": incident_id,
                "kind": type(work).__name__.lower(),
                "channel": channel,
                "idempotency_key": key,
                "payload": _json(work),
                "state": "pending",
                "next_at": to_db(now),
                "created_at": to_db(now),
            }
            for key, (channel, work) in reversed(wanted.items())
            if key not in known
        ]
        if rows:
            self._c.execute(insert(t.work), rows)

    def claim(
        self, *, now: datetime, lease_until: datetime, owner: str, kinds: Sequence[str], limit: int
    ) -> list[WorkItem]:
        """Takes up to `limit` due items, oldest first. Items whose lease ran out come back as uncertain."""
        c = t.work.c
        ready = or_(
            and_(c.state == "pending", c.next_at <= to_db(now)), and_(c.state == "leased", c.lease_until <= to_db(now))
        )
        rows = self._c.execute(
            select(t.work).where(ready, c.kind.in_(kinds)).order_by(c.next_at, c.id).limit(limit)
        ).all()
        claimed = []
        for row in rows:
            uncertain = bool(row.uncertain) or row.state == "leased"
            changes = {
                "state": "leased",
                "owner": owner,
                "lease_until": to_db(lease_until),
                "attempt": row.attempt + 1,
                "uncertain": int(uncertain),
            }
            self._c.execute(update(t.work).where(c.id == row.id), changes)
            claimed.append(_item(row, attempt=row.attempt + 1, uncertain=uncertain))
        return claimed

    def renew(self, id_: int, *, owner: str, lease_until: datetime) -> bool:
        """Keeps a lease; False when it was lost."""
        mine = update(t.work).where(t.work.c.id == id_, t.work.c.owner == owner, t.work.c.state == "leased")
        return bool(self._c.execute(mine.values(lease_until=to_db(lease_until))).rowcount)

    def finish(
        self,
        id_: int,
        *,
        owner: str,
        state: str,
        error: str = "",
        next_at: datetime | None = None,
        uncertain: bool = False,
    ) -> bool:
        """Ends an attempt: `state` is done, failed, or pending (again at `next_at`). False when the lease was lost.

        `uncertain` when the attempt may have succeeded without our knowing; it stays so.
        """
        mine = update(t.work).where(t.work.c.id == id_, t.work.c.owner == owner, t.work.c.state == "leased")
        values: dict[str, Any] = {"state": state, "error": error, "lease_until": None, "owner": None}
        if next_at is not None:
            values["next_at"] = to_db(next_at)
        if uncertain:
            values["uncertain"] = 1
        return bool(self._c.execute(mine.values(**values)).rowcount)

    def release_all(self, now: datetime) -> int:
        """At start of a single-process database: every lease belonged to a process that is gone."""
        stale = update(t.work).where(t.work.c.state == "leased")
        return self._c.execute(stale.values(lease_until=to_db(now))).rowcount

    def next_work_at(self, kinds: Sequence[str] | None = None) -> datetime | None:
        """When the soonest work (of these kinds) can be claimed; None when there is none."""
        c = t.work.c
        pending = select(func.min(c.next_at)).where(c.state == "pending")
        leased = select(func.min(c.lease_until)).where(c.state == "leased")
        if kinds is not None:
            pending, leased = pending.where(c.kind.in_(kinds)), leased.where(c.kind.in_(kinds))
        found = [x for x in (self._c.execute(pending).scalar(), self._c.execute(leased).scalar()) if x is not None]
        return from_db(min(found)) if found else None

    def work_counts(self) -> dict[str, int]:
        """Rows by state."""
        counted = select(t.work.c.state, func.count()).group_by(t.work.c.state)
        return {row[0]: row[1] for row in self._c.execute(counted)}

    # evidence, runbooks, tokens, answers, settings

    def put_evidence(self, evidence: Evidence) -> None:
        row = {
            "id": evidence.id,
            "incident_id": evidence.incident_id,
            "at": to_db(evidence.ended_at),
            "data": _json(evidence),
        }
        self._c.execute(insert(t.evidence), row)

    def evidence(self, id_: str) -> Evidence | None:
        data = self._c.execute(select(t.evidence.c.data).where(t.evidence.c.id == id_)).scalar()
        return None if data is None else _EVIDENCE.decode(data)

    def evidence_of(self, incident_id: str) -> list[Evidence]:
        wanted = select(t.evidence.c.data).where(t.evidence.c.incident_id == incident_id).order_by(t.evidence.c.at)
        return [_EVIDENCE.decode(data) for data in self._c.execute(wanted).scalars()]

    def put_runbook(self, digest: str, file: str, text: str, now: datetime) -> None:
        """Keeps a document under its digest; one that is there already is left alone."""
        if self.runbook(digest) is None:
            self._c.execute(insert(t.runbook), {"digest": digest, "file": file, "text": text, "at": to_db(now)})

    def runbook(self, digest: str) -> tuple[str, str] | None:
        """(file, text) of a kept document."""
        row = self._c.execute(select(t.runbook.c.file, t.runbook.c.text).where(t.runbook.c.digest == digest)).first()
        return None if row is None else (row.file, row.text)

    def put_token(self, token: Token) -> None:
        row = {
            "hash": token.hash,
            "name": token.name,
            "role": token.role,
            "kind": token.kind,
            "created_at": to_db(token.created_at),
            "expires_at": to_db(token.expires_at),
        }
        self._c.execute(insert(t.token), row)

    def token(self, hash_: str) -> Token | None:
        row = self._c.execute(select(t.token).where(t.token.c.hash == hash_)).first()
        if row is None:
            return None
        return Token(row.hash, row.name, row.role, row.kind, from_db(row.created_at), from_db(row.expires_at))

    def drop_token(self, hash_: str) -> bool:
        return bool(self._c.execute(delete(t.token).where(t.token.c.hash == hash_)).rowcount)

    def all_tokens(self) -> list[Token]:
        """Every credential, oldest first."""
        rows = self._c.execute(select(t.token).order_by(t.token.c.created_at)).all()
        return [Token(r.hash, r.name, r.role, r.kind, from_db(r.created_at), from_db(r.expires_at)) for r in rows]

    def tokens(self, kind: str) -> int:
        return self._c.execute(select(func.count()).where(t.token.c.kind == kind)).scalar() or 0

    def answered(self, key: str) -> Answered | None:
        row = self._c.execute(select(t.idempotency).where(t.idempotency.c.key == key)).first()
        return None if row is None else Answered(row.key, row.request, row.status, row.body, from_db(row.at))

    def put_answered(self, answer: Answered) -> None:
        row = {
            "key": answer.key,
            "request": answer.request,
            "status": answer.status,
            "body": answer.body,
            "at": to_db(answer.at),
        }
        self._c.execute(insert(t.idempotency), row)

    def forget_answers(self, before: datetime) -> None:
        self._c.execute(delete(t.idempotency).where(t.idempotency.c.at < to_db(before)))

    def setting(self, name: str) -> str | None:
        return self._c.execute(select(t.setting.c.value).where(t.setting.c.name == name)).scalar()

    def put_setting(self, name: str, value: str) -> None:
        if self.setting(name) is None:
            self._c.execute(insert(t.setting), {"name": name, "value": value})
        else:
            self._c.execute(update(t.setting).where(t.setting.c.name == name), {"value": value})


def _entry(row: Row[Any, Any, Any, Any]) -> Entry | None:
    try:
        return Entry(row.seq, from_db(row.at), row.actor, _EVENT.decode(row.data))
    except msgspec.ValidationError:
        return None


def _alert(row: Row[Any]) -> AlertRecord:
    return AlertRecord(_ALERT.decode(row.data), row.incident_id, from_db(row.first_seen_at), from_db(row.last_seen_at))


def _item(row: Row[Any], *, attempt: int, uncertain: bool) -> WorkItem:
    return WorkItem(
        row.id,
        row.incident_id,
        _WORK.decode(row.payload),
        row.channel,
        row.idempotency_key,
        attempt,
        uncertain,
        from_db(row.created_at),
    )
