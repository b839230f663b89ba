"""The statements, inside one transaction. Knows tables and rows; no policy.

In a transaction that writes, timelines, snapshots, alerts and work are staged (`tocsin.store.staging`): reading one of
them sees what was staged, and every other statement sends it to the database first.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, suppress
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    func,
    select,
    text,
    update,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from tocsin.engine.records import AlertRecord, Head, Published
from tocsin.incident.alert import AlertStatus
from tocsin.incident.events import Entry
from tocsin.incident.state import Incident, Status
from tocsin.store import asking, rows, sending
from tocsin.store import schema as t
from tocsin.store.errors import NewerVersion, StoreUnavailable, reason
from tocsin.store.keeping import Keeping
from tocsin.store.line import Line
from tocsin.store.moving import Moving
from tocsin.store.owed import Owed
from tocsin.store.replicas import Replicas
from tocsin.store.silences import Silences, Wanted
from tocsin.store.staging import Due, Layer
from tocsin.store.times import from_db, to_db
from tocsin.store.upkeep import Upkeep

_OVER = (Status.RESOLVED.value, Status.CLOSED.value)
_LARGEST = 2**31 - 1
"""The largest number that every database keeps; what people write into an address may be larger."""
_STATE = case((asking.OURS, t.incident.c.state), else_=asking.NEWER).label("state")
"""An incident's state for who may write it: one that a newer version has written is not ours to go on with."""
MOST_FIRING = 5000
"""So many firing alerts of one name are looked through for those that inhibit others."""
SILENT_SECONDS = 0.5
"""A server of PostgreSQL takes who says nothing for two seconds, with a transaction open, for frozen."""


class _Stage:
    """A layer for as long as it is entered. One is made for every alert of a storm, so it is no generator."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def __enter__(self) -> None:
        self._tx._raise_layer()

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if exc is None:
            self._tx._sink_layer()
        else:
            self._tx._drop_layer(exc)


class Tx(Keeping, Moving, Owed, Replicas, Silences, Upkeep):
    """One transaction on one connection; `writing` stages, and the caller ends with `flush`."""

    def __init__(self, connection: Connection, *, writing: bool = False) -> None:
        self._line = Line(connection)
        self._layers: list[Layer] = [Layer()] if writing else []
        self._spoke = time.monotonic()
        self._forget()

    def _forget(self) -> None:
        """Nothing that was read is known any more."""
        self._states: dict[str, str | Incident | None] = {}
        self._heads: dict[str, Head] = {}
        self._settings = {}
        self._alerts: dict[str, AlertRecord | None] = {}
        self._told: dict[str, sending.Told] = {}
        self._open_of: dict[str, tuple[str, ...]] = {}
        self._leases: dict[int, str | None] = {}
        self._highest: int | None = None
        self._silences = None
        self._firing: dict[tuple[int, str], tuple[Wanted, dict[str, None]]] = {}

    # staging

    def stage(self) -> AbstractContextManager[None]:
        """What is written inside is undone alone when it raises. Raises StoreUnavailable when the database refuses:
        then the whole transaction is lost."""
        return _Stage(self)

    def _raise_layer(self) -> None:
        self._layers.append(Layer())

    def _drop_layer(self, exc: BaseException) -> None:
        if isinstance(exc, DBAPIError) and not isinstance(exc, (IntegrityError, DataError)):
            raise StoreUnavailable(f"the database refuses to write: {reason(exc)}") from exc
        layer = self._layers.pop()
        if layer.savepoint is not None:
            with suppress(DBAPIError):
                self.wait()
            layer.savepoint.rollback()
            self._forget()

    def _sink_layer(self) -> None:
        layer = self._layers.pop()
        if layer.savepoint is not None:
            self.wait()
            layer.savepoint.commit()
        layer.sink_into(self._layers[-1])

    def _stay(self) -> None:
        """Says a word now and then while a large job is staged: who is silent with the pen in hand counts as frozen."""
        if time.monotonic() - self._spoke > SILENT_SECONDS and self._layers:
            self._c.exec_driver_sql("SELECT 1")
            self._spoke = time.monotonic()

    def flush(self) -> None:
        """Sends everything staged."""
        self._settled()

    def ahead(self) -> None:
        """Has the database begin with what is staged while the job goes on, where it can. That it failed is said by
        whatever asks the database next."""
        if self._line.ahead:
            self._send_all(ahead=True)

    def wait(self) -> None:
        """Until what was sent ahead is carried out. Raises DBAPIError when any of it failed."""
        self._line.wait()

    def _settled(self) -> Connection:
        self._send_all()
        return self._c

    def _send_all(self, *, ahead: bool = False) -> None:
        for depth, layer in enumerate(self._layers):
            if depth and layer.savepoint is None:
                layer.savepoint = self._c.begin_nested()
            self._send(layer, ahead=ahead)

    def _send(self, layer: Layer, *, ahead: bool = False) -> None:
        sending.send(self._line, layer, told=self._told, ahead=ahead)
        for id_, (incident, _) in layer.incidents.items():
            self._states[id_] = incident
        for fingerprint, record in layer.alerts.items():
            self._alerts[fingerprint] = record
            self._told.pop(fingerprint, None)
        for service, ids in layer.of_service.items():
            if service in self._open_of:
                self._open_of[service] = tuple(dict.fromkeys((*self._open_of[service], *ids)))
        self._highest = max(self._highest, layer.highest) if self._highest is not None else None
        self._leases.update(dict.fromkeys(layer.finished))
        layer.clear()

    # incidents

    def incident(self, id_: str) -> Incident | None:
        for layer in reversed(self._layers):
            if id_ in layer.incidents:
                return layer.incidents[id_][0]
        if not self._layers and id_ not in self._states:
            return self._decoded(self._state(t.incident.c.id == id_))
        if id_ not in self._states:
            self._states[id_] = self._state(t.incident.c.id == id_)
        known = self._states[id_] = self._decoded(self._states[id_])
        return known

    def incident_numbered(self, number: int) -> Incident | None:
        if number > _LARGEST:
            return None
        for layer in reversed(self._layers):
            for staged, _ in layer.incidents.values():
                if staged.number == number:
                    return staged
        if not self._layers:
            return self._decoded(self._state(t.incident.c.number == number))
        id_ = self._c.execute(select(t.incident.c.id).where(t.incident.c.number == number)).scalar()
        return self.incident(id_) if id_ else None

    def open_incident_of(self, service: str, *, drill: bool = False) -> Incident | None:
        """The newest incident of the service, or drill of one, that is not over; None when there is none."""
        ids: dict[str, None] = {}
        for layer in self._layers:
            ids.update(layer.of_service.get(service, {}))
        if service not in self._open_of:
            self.foresee_services((service,))
        ids.update(dict.fromkeys(self._open_of[service]))
        found = (self.incident(id_) for id_ in ids)
        fits = [i for i in found if i is not None and i.service == service and i.drill == drill and not i.status.over]
        return max(fits, key=lambda i: i.number, default=None)

    def head(self, id_: str) -> Head | None:
        """The incident's number and whether it is over, without the rest of it."""
        for layer in reversed(self._layers):
            if id_ in layer.incidents:
                return _head(layer.incidents[id_][0])
        known = self._states.get(id_)
        if isinstance(known, Incident):
            return _head(known)
        if id_ not in self._heads:
            self._foresee_heads((id_,))
        return self._heads.get(id_)

    def foresee(self, fingerprints: Collection[str]) -> None:
        """Reads alerts that will be asked for, and the heads of their incidents, in one go."""
        wanted = [f for f in fingerprints if f not in self._alerts]
        if not wanted or not self._layers:
            return
        self._alerts.update(dict.fromkeys(wanted))
        for fingerprint, incident_id, first, last, data, number, status in asking.alerts(self._c, wanted):
            known = self._alerts[fingerprint] = rows.alert_of(data, incident_id, first, last)
            self._told[fingerprint] = sending.Told(incident_id, known.alert, last)
            if number is not None and incident_id not in self._heads:
                self._heads[incident_id] = Head(number, status in _OVER)

    def foresee_services(self, services: Collection[str]) -> None:
        """Reads the open incidents of services that will be asked for, in one go."""
        wanted = [s for s in services if s not in self._open_of]
        if not wanted:
            return
        self._open_of.update(dict.fromkeys(wanted, ()))
        for _, id_, service, state in asking.open_incidents(self._c, wanted):
            self._open_of[service] = (*self._open_of[service], id_)
            self._states.setdefault(id_, state)

    def foresee_incidents(self, ids: Collection[str]) -> None:
        """Reads incidents that will be asked for, in one go."""
        wanted = [i for i in ids if i not in self._states]
        if not wanted:
            return
        self._states.update((id_, state) for id_, state in asking.states(self._c, wanted))

    def _foresee_heads(self, ids: Collection[str]) -> None:
        wanted = [i for i in ids if i not in self._heads]
        if not wanted:
            return
        c = t.incident.c
        for row in self._c.execute(select(c.id, c.number, c.status).where(c.id.in_(wanted))):
            self._heads[row.id] = Head(row.number, row.status in _OVER)

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
        return [rows.STATE.decode(row.state) for row in self._settled().execute(wanted)]

    def incident_counts(self) -> dict[str, int]:
        """Incidents by status."""
        counted = select(t.incident.c.status, func.count()).group_by(t.incident.c.status)
        return {row[0]: row[1] for row in self._settled().execute(counted)}

    def next_number(self) -> int:
        if self._highest is None:
            self._highest = self._c.execute(select(func.max(t.incident.c.number))).scalar() or 0
        return max(self._highest, *(layer.highest for layer in self._layers), 0) + 1

    def save(self, incident: Incident, due: Due, *, new: bool) -> None:
        """Stages the snapshot; `due` is asked once, when it is written."""
        self._stay()
        self._layers[-1].keep(incident, due, new=new)

    def due(self, now: datetime, limit: int) -> list[str]:
        """Ids of incidents whose clock has something to do by `now`, longest waiting first."""
        found = asking.everything(self._settled(), asking.DUE, {"now": to_db(now), "most": limit})
        states = {row.id: row.state for row in sorted(found, key=lambda row: row.next_due_at)}
        for id_, state in states.items():
            self._states.setdefault(id_, state)
        return list(states)

    def postpone(self, id_: str, next_due_at: datetime) -> None:
        """Only the instant when the clock looks at it again: works even on an incident that cannot be read."""
        later = update(t.incident).where(t.incident.c.id == id_).values(next_due_at=to_db(next_due_at))
        self._settled().execute(later)

    def next_due_at(self) -> datetime | None:
        return from_db(
            self._settled()
            .execute(
                select(func.min(t.incident.c.next_due_at)).where(t.incident.c.next_due_at.is_not(None), asking.OURS)
            )
            .scalar()
        )

    def _state(self, where: ColumnElement[bool]) -> str | None:
        state = _STATE if self._layers else t.incident.c.state  # whoever only looks is shown what can be read
        found: str | None = self._c.execute(select(state).where(where)).scalar()
        return found

    @staticmethod
    def _decoded(state: str | Incident | None) -> Incident | None:
        if state == asking.NEWER:
            raise NewerVersion("a newer version of Tocsin has this incident in hand: ask again, or upgrade this server")
        return rows.STATE.decode(state) if isinstance(state, str) else state

    # timeline

    def append(self, incident_id: str, entries: Iterable[Entry]) -> None:
        self._layers[-1].events += [rows.event_row(incident_id, entry) for entry in entries]

    def timeline(self, incident_id: str, *, after: int = 0, limit: int | None = None) -> list[Entry]:
        """Entries with seq above `after`, in order. An event that this version does not know is left out."""
        c = t.event.c
        wanted = (
            select(c.seq, c.at, c.actor, c.data)
            .where(c.incident_id == incident_id, c.seq > min(after, _LARGEST))
            .order_by(c.seq)
        )
        found = (rows.entry(row) for row in self._settled().execute(wanted.limit(limit)))
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
        return [Published(r.position, r.incident_id, r.number, r.seq) for r in self._settled().execute(wanted)]

    def last_position(self) -> int:
        return self._settled().execute(select(func.max(t.event.c.position))).scalar() or 0

    # alerts

    def alert(self, fingerprint: str) -> AlertRecord | None:
        for layer in reversed(self._layers):
            if fingerprint in layer.alerts:
                return layer.alerts[fingerprint]
        if not self._layers:
            row = self._c.execute(select(t.alert).where(t.alert.c.fingerprint == fingerprint)).first()
            return None if row is None else rows.alert(row)
        if fingerprint not in self._alerts:
            self.foresee((fingerprint,))
        return self._alerts[fingerprint]

    def put_alert(self, record: AlertRecord, *, new: bool) -> None:
        self._stay()
        layer = self._layers[-1]
        layer.alerts[record.alert.fingerprint] = record
        if new:
            layer.first_seen[record.alert.fingerprint] = None
        if self._firing:
            self._also_fires(record)

    def _also_fires(self, record: AlertRecord) -> None:
        for (_, name), (wanted, found) in self._firing.items():
            if name == record.alert.name and wanted(record.alert):
                found[record.alert.fingerprint] = None

    def firing(self, name: str, key: int, wanted: Wanted) -> list[str]:
        """The fingerprints of alerts of that name that `wanted` takes, which fired when they were last read: ask for
        each again. `key` tells one `wanted` from others; read once in a transaction that writes."""
        if (key, name) not in self._firing:
            c = t.alert.c
            firing = select(t.alert).where(c.name == name, text(t.FIRING)).limit(MOST_FIRING)
            records = [rows.alert(row) for row in self._c.execute(firing)]
            records += [record for layer in self._layers for record in layer.alerts.values()]
            fits = (r.alert for r in records if r.alert.name == name and wanted(r.alert))
            self._firing[(key, name)] = (wanted, {alert.fingerprint: None for alert in fits})
            self.foresee(self._firing[(key, name)][1])
        return list(self._firing[(key, name)][1])

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
        return [rows.alert(row) for row in self._settled().execute(wanted)]


def _head(incident: Incident) -> Head:
    return Head(incident.number, incident.status.over)
