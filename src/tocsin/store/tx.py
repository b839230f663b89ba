"""The statements, inside one transaction. Knows tables and rows; no policy.

In a transaction that writes, timelines, snapshots, alerts and work are staged (`tocsin.store.staging`): reading one of
them sees what was staged, and every other statement sends it to the database first.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from tocsin.engine.records import Agenda, AlertRecord, Head, Published, WorkItem
from tocsin.engine.slots import REPEATS, Full, Slots, rank_of
from tocsin.incident.alert import AlertStatus
from tocsin.incident.events import Entry
from tocsin.incident.state import Incident, Status
from tocsin.incident.work import Work
from tocsin.store import asking, rows, sending
from tocsin.store import schema as t
from tocsin.store.errors import NewerVersion, StoreUnavailable, reason
from tocsin.store.keeping import Keeping
from tocsin.store.moving import Moving
from tocsin.store.replicas import Replicas
from tocsin.store.silences import Silences, Wanted
from tocsin.store.staging import Due, Finished, Layer
from tocsin.store.times import from_db, to_db
from tocsin.store.upkeep import Upkeep

_OVER = (Status.RESOLVED.value, Status.CLOSED.value)
_LARGEST = 2**31 - 1
"""The largest number that every database keeps; what people write into an address may be larger."""
_OURS = t.incident.c.rev <= rows.REV
_STATE = case((_OURS, t.incident.c.state), else_=asking.NEWER).label("state")
"""An incident's state for who may write it: one that a newer version has written is not ours to go on with."""
MOST_FIRING = 5000
"""So many firing alerts of one name are looked through for those that inhibit others."""
NOTHING_FULL = Full()
SILENT_SECONDS = 0.5
TOGETHER = 1000
"""So many messages share one hand-over at most."""


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


class Tx(Keeping, Moving, Replicas, Silences, Upkeep):
    """One transaction on one connection; `writing` stages, and the caller ends with `flush`."""

    def __init__(self, connection: Connection, *, writing: bool = False) -> None:
        self._c = connection
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
            layer.savepoint.rollback()
            self._forget()

    def _sink_layer(self) -> None:
        layer = self._layers.pop()
        if layer.savepoint is not None:
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

    def _settled(self) -> Connection:
        for depth, layer in enumerate(self._layers):
            if depth and layer.savepoint is None:
                layer.savepoint = self._c.begin_nested()
            self._send(layer)
        return self._c

    def _send(self, layer: Layer) -> None:
        sending.send(self._c, layer, told=self._told)
        for id_, (incident, _) in layer.incidents.items():
            self._states[id_] = incident
        for fingerprint, record in layer.alerts.items():
            self._alerts[fingerprint] = record
            self._told.pop(fingerprint, None)
        if layer.of_service:
            self._open_of.clear()
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
        for row in asking.alerts(self._c, wanted):
            self._alerts[row.fingerprint] = rows.alert(row)
            self._told[row.fingerprint] = sending.Told(row.incident_id, row.data, row.last_seen_at)
            if row.number is not None:
                self._heads[row.incident_id] = Head(row.number, row.over in _OVER)

    def foresee_services(self, services: Collection[str]) -> None:
        """Reads the open incidents of services that will be asked for, in one go."""
        wanted = [s for s in services if s not in self._open_of]
        if not wanted:
            return
        self._open_of.update(dict.fromkeys(wanted, ()))
        for row in asking.open_incidents(self._c, wanted):
            self._open_of[row.service] = (*self._open_of[row.service], row.id)
            self._states.setdefault(row.id, row.state)

    def foresee_incidents(self, ids: Collection[str]) -> None:
        """Reads incidents that will be asked for, in one go."""
        wanted = [i for i in ids if i not in self._states]
        if not wanted:
            return
        self._states.update({row.id: row.state for row in asking.states(self._c, wanted)})

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
        c = t.incident.c
        found = self._settled().execute(
            select(c.id, c.state).where(c.next_due_at <= to_db(now), _OURS).order_by(c.next_due_at).limit(limit)
        )
        states = {row.id: row.state for row in found}
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
            .execute(select(func.min(t.incident.c.next_due_at)).where(t.incident.c.next_due_at.is_not(None), _OURS))
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

    # work

    def enqueue(self, incident_id: str, items: Sequence[tuple[str, str, Work]], *, now: datetime) -> None:
        """Adds (idempotency key, channel, work) rows, due at once; a key that stands there already is left alone."""
        at = to_db(now)
        for key, channel, work in items:
            row = rows.work_row(incident_id, key, channel, work) | {
                "state": "pending",
                "next_at": at,
                "created_at": at,
            }
            self._layers[-1].work.setdefault(key, row)

    def agenda(self, kinds: Sequence[str], busy: Collection[tuple[str, str]] = (), full: Full = NOTHING_FULL) -> Agenda:
        """When an incident is next due and when work of each kind can be claimed; see `claim` for `busy` and `full`."""
        open_ = not busy and full == NOTHING_FULL
        wanted = _agenda(tuple(kinds)) if open_ else _soonest(kinds, busy, full)
        times = {row[0]: row[1] for row in self._settled().execute(wanted)}
        due = times.pop("", None)
        return Agenda(from_db(due), {kind: from_db(at) for kind, at in times.items() if at is not None})

    def claim(
        self,
        *,
        now: datetime,
        lease_until: datetime,
        owner: str,
        kinds: Sequence[str],
        limit: int,
        busy: Collection[tuple[str, str]] = (),
        in_hand: Collection[int] = (),
        slots: Slots | None = None,
    ) -> list[WorkItem]:
        """Takes due items for up to `limit` hand-overs: pages before the rest, then the longest waiting.

        What goes to one person by one channel shares a hand-over; `busy` are the (channel, bundle) that are left alone
        now, and `slots` the hands that channels have. Items whose lease ran out come back as uncertain; not those that
        the owner itself has `in_hand`.
        """
        slots, taken = slots or Slots(), list[WorkItem]()
        ways = set(busy)
        while limit > 0:
            found = self._claimable(now, kinds, limit=limit, busy=ways, full=slots.full())
            mine, begun = _shared([row for row in found if row.id not in in_hand], limit, slots)
            taken += self._lease(mine, owner=owner, lease_until=lease_until)
            ways.update((row.channel, row.bundle) for row in mine if row.bundle)
            if not mine or len(found) < min(limit, TOGETHER):
                break  # else there may be more behind those that a full channel left standing
            limit -= begun
        return taken

    def _claimable(
        self, now: datetime, kinds: Sequence[str], *, limit: int, busy: Collection[tuple[str, str]], full: Full
    ) -> list[Row[Any]]:  # fmt: skip
        """What could be taken now, in the order of `claim`: enough for `limit` hand-overs."""
        c = t.work.c
        waiting = and_(c.state == t.PENDING, c.next_at <= to_db(now))
        lost = and_(c.state == t.LEASED, c.lease_until <= to_db(now))
        newer = exists().where(t.incident.c.id == c.incident_id, ~_OURS)
        wanted = (
            select(c.id, c.channel, c.bundle, c.urgency, c.next_at, c.state, c.uncertain)
            .where(or_(waiting, lost), c.kind.in_(kinds), ~newer, *_not_busy(busy), *_not_full(full))
            .order_by(c.urgency, c.next_at, c.id)
        )
        connection = self._settled()
        found: list[Any] = [*connection.execute(wanted.where(c.bundle == "").limit(limit)).all()]
        if "send" in kinds:
            found += connection.execute(wanted.where(c.bundle != "").limit(TOGETHER)).all()
        return sorted(found, key=lambda row: (row.urgency, row.next_at, row.id))

    def _lease(self, found: Sequence[Row[Any]], *, owner: str, lease_until: datetime) -> list[WorkItem]:
        if not found:
            return []
        c = t.work.c
        lost = {row.id for row in found if row.state == "leased" or row.uncertain}
        for ids, uncertain in (({r.id for r in found} - lost, 0), (lost, 1)):
            if ids:
                self._c.execute(
                    update(t.work)
                    .where(c.id.in_(ids))
                    .values(
                        state="leased",
                        owner=owner,
                        lease_until=to_db(lease_until),
                        attempt=c.attempt + 1,
                        uncertain=uncertain,
                    )
                )
        self._leases.update({row.id: owner for row in found})
        whole = {row.id: row for row in self._c.execute(select(t.work).where(c.id.in_([row.id for row in found])))}
        return [rows.item(whole[r.id], attempt=whole[r.id].attempt, uncertain=r.id in lost) for r in found]

    def renew_all(self, ids: Collection[int], *, owner: str, lease_until: datetime) -> None:
        """Keeps those of the leases that are still the owner's."""
        c = t.work.c
        mine = update(t.work).where(c.id.in_(ids), c.owner == owner, c.state == t.LEASED)
        self._settled().execute(mine.values(lease_until=to_db(lease_until)))

    def foresee_work(self, ids: Collection[int]) -> None:
        """Reads the leases of work that will be finished, in one go."""
        wanted = [i for i in ids if i not in self._leases]
        if not wanted:
            return
        c = t.work.c
        found = self._c.execute(select(c.id, c.owner).where(c.id.in_(wanted), c.state == t.LEASED))
        self._leases.update(dict.fromkeys(wanted) | {row.id: row.owner for row in found})

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
        self.foresee_work((id_,))
        if self._leases[id_] != owner or any(id_ in layer.finished for layer in self._layers):
            return False
        self._layers[-1].finished[id_] = Finished(
            {"id_": id_, "state_": state, "error_": error, "next_at_": to_db(next_at), "uncertain_": int(uncertain)}
        )
        return True

    def next_work_at(self, kinds: Sequence[str] | None = None) -> datetime | None:
        """When the soonest work (of these kinds) can be claimed; None when there is none."""
        found = self.agenda(kinds or ("send", "execute", "mitigate")).work.values()
        return min(found, default=None)

    def work_counts(self) -> dict[str, int]:
        """Rows by state."""
        counted = select(t.work.c.state, func.count()).group_by(t.work.c.state)
        return {row[0]: row[1] for row in self._settled().execute(counted)}


def _head(incident: Incident) -> Head:
    return Head(incident.number, incident.status.over)


def _not_full(full: Full) -> list[ColumnElement[bool]]:
    c = t.work.c
    found: list[ColumnElement[bool]] = [c.channel.not_in(full.all)] if full.all else []
    if full.repeats:
        found.append(not_(and_(c.channel.in_(full.repeats), c.bundle.startswith(REPEATS))))
    if full.rest:
        found.append(not_(and_(c.channel.in_(full.rest), c.urgency != 0)))
    return found


def _not_busy(busy: Collection[tuple[str, str]]) -> list[ColumnElement[bool]]:
    return [tuple_(t.work.c.channel, t.work.c.bundle).not_in(list(busy))] if busy else []


@lru_cache(maxsize=64)
def _agenda(kinds: tuple[str, ...]) -> Select[Any, Any]:
    """The usual question, put together once: the engine asks it at every turn."""
    return _soonest(kinds, (), NOTHING_FULL)


def _soonest(kinds: Sequence[str], busy: Collection[tuple[str, str]], full: Full) -> Select[Any, Any]:
    """(kind, instant) when work of each kind can be claimed: waiting, or a lease that runs out; ("", instant) when an
    incident is due."""
    c = t.work.c
    due = t.incident.c.next_due_at
    looks = [select(literal("").label("kind"), func.min(due).label("at")).where(due.is_not(None), _OURS)]
    for kind in kinds:
        named = literal(kind).label("kind")
        waiting = and_(c.state == t.PENDING, c.kind == kind, *_not_busy(busy), *_not_full(full))
        looks += [select(named, func.min(c.next_at)).where(waiting, c.urgency == urgency) for urgency in (0, 1)]
        looks.append(select(named, func.min(c.lease_until)).where(c.state == t.LEASED, c.kind == kind))
    every = union_all(*looks).subquery()
    return select(every.c.kind, func.min(every.c.at)).group_by(every.c.kind)


def _shared(found: Sequence[Row[Any]], limit: int, slots: Slots) -> tuple[list[Row[Any]], int]:
    """The rows of the first `limit` hand-overs that have a hand, at most `TOGETHER` in each, and how many they are."""
    shares: dict[object, int] = {}
    taken = []
    for row in found:
        share = (row.channel, row.bundle) if row.bundle else row.id
        if share not in shares:
            rank = rank_of(row.bundle, page=row.urgency == 0)
            if len(shares) >= limit or (row.channel and not slots.take(row.channel, rank)):
                continue
        if shares.setdefault(share, 0) < TOGETHER:
            shares[share] += 1
            taken.append(row)
    return taken, len(shares)
