"""Work in one transaction: what is owed is put down, claimed, and ended. Knows tables and rows; no policy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from tocsin.engine.bundling import Way
from tocsin.engine.records import Agenda, WorkItem
from tocsin.engine.slots import REPEATS, Full, Slots, rank_of
from tocsin.incident.work import Work
from tocsin.store import asking, rows
from tocsin.store import schema as t
from tocsin.store.part import Part
from tocsin.store.staging import Finished, Layer
from tocsin.store.times import from_db, to_db

NOTHING_FULL = Full()
TOGETHER = 1000
"""So many messages share one hand-over at most."""


class Owed(Part):
    """The part of a transaction that is about work. What is put down and how it ended is staged."""

    _layers: list[Layer]
    _leases: dict[int, str | None]

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

    def agenda(self, kinds: Sequence[str], busy: Collection[Way] = (), full: Full = NOTHING_FULL) -> Agenda:
        """When an incident is next due and when work of each kind can be claimed; see `claim` for `busy` and `full`."""
        wanted = _soonest(tuple(kinds), tuple(sorted(busy)), full)
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
        busy: Collection[Way] = (),
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
        self, now: datetime, kinds: Sequence[str], *, limit: int, busy: Collection[Way], full: Full
    ) -> list[Row[Any]]:  # fmt: skip
        """What could be taken now, in the order of `claim`: enough for `limit` hand-overs."""
        connection = self._settled()
        asked = tuple(kinds), tuple(sorted(busy)), full
        found = [*asking.everything(connection, _waiting(*asked, shared=False), {"now": to_db(now), "most": limit})]
        if "send" in kinds:
            given = {"now": to_db(now), "most": TOGETHER}
            found += asking.everything(connection, _waiting(*asked, shared=True), given)
        return sorted(found, key=lambda row: (row.urgency, row.next_at, row.id))

    def _lease(self, found: Sequence[Row[Any]], *, owner: str, lease_until: datetime) -> list[WorkItem]:
        if not found:
            return []
        dialect = self._c.dialect.name
        lost = {row.id for row in found if row.state == "leased" or row.uncertain}
        for ids, uncertain in (({r.id for r in found} - lost, 0), (lost, 1)):
            if ids:
                given = {"owner_": owner, "until": to_db(lease_until), "uncertain_": uncertain}
                self._c.execute(_taking(dialect), given | {"ids": asking.as_ids(self._c, ids)})
        self._leases.update({row.id: owner for row in found})
        taken = asking.everything(self._c, _whole(dialect), {"ids": asking.as_ids(self._c, [row.id for row in found])})
        whole = {row.id: row for row in taken}
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
        given = {"ids": asking.as_ids(self._c, wanted)}
        found = asking.everything(self._c, _leases(self._c.dialect.name), given)
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


# The engine asks these again and again: each is put together once.


@lru_cache(maxsize=64)
def _waiting(kinds: tuple[str, ...], busy: tuple[Way, ...], full: Full, *, shared: bool) -> Select[Any]:
    """At most `most` pieces of work that can be taken at `now`, which may share a hand-over or may not."""
    c = t.work.c
    now = bindparam("now", type_=c.next_at.type)
    waiting = and_(c.state == t.PENDING, c.next_at <= now)
    lost = and_(c.state == t.LEASED, c.lease_until <= now)
    newer = exists().where(t.incident.c.id == c.incident_id, ~asking.OURS)
    return (
        select(c.id, c.channel, c.bundle, c.urgency, c.next_at, c.state, c.uncertain)
        .where(or_(waiting, lost), c.kind.in_(kinds), ~newer, *_not_busy(busy), *_not_full(full))
        .where(c.bundle != "" if shared else c.bundle == "")
        .order_by(c.urgency, c.next_at, c.id)
        .limit(bindparam("most", type_=Integer))
    )


@lru_cache
def _taking(dialect: str) -> Update:
    c = t.work.c
    taken = {
        "state": "leased",
        "owner": bindparam("owner_"),
        "lease_until": bindparam("until"),
        "attempt": c.attempt + 1,
        "uncertain": bindparam("uncertain_"),
    }
    return update(t.work).where(asking.among(dialect, c.id)).values(**taken)


@lru_cache
def _whole(dialect: str) -> Select[Any]:
    return select(t.work).where(asking.among(dialect, t.work.c.id))


@lru_cache
def _leases(dialect: str) -> Select[Any]:
    c = t.work.c
    return select(c.id, c.owner).where(asking.among(dialect, c.id), c.state == t.LEASED)


@lru_cache(maxsize=64)
def _soonest(kinds: tuple[str, ...], busy: tuple[Way, ...], full: Full) -> Select[Any, Any]:
    """(kind, instant) when work of each kind can be claimed: waiting, or a lease that runs out; ("", instant) when an
    incident is due."""
    c = t.work.c
    due = t.incident.c.next_due_at
    looks = [select(literal("").label("kind"), func.min(due).label("at")).where(due.is_not(None), asking.OURS)]
    for kind in kinds:
        named = literal(kind).label("kind")
        waiting = and_(c.state == t.PENDING, c.kind == kind, *_not_busy(busy), *_not_full(full))
        looks += [select(named, func.min(c.next_at)).where(waiting, c.urgency == urgency) for urgency in (0, 1)]
        looks.append(select(named, func.min(c.lease_until)).where(c.state == t.LEASED, c.kind == kind))
    every = union_all(*looks).subquery()
    return select(every.c.kind, func.min(every.c.at)).group_by(every.c.kind)


def _not_full(full: Full) -> list[ColumnElement[bool]]:
    c = t.work.c
    found: list[ColumnElement[bool]] = [c.channel.not_in(full.all)] if full.all else []
    if full.repeats:
        found.append(not_(and_(c.channel.in_(full.repeats), c.bundle.startswith(REPEATS))))
    if full.rest:
        found.append(not_(and_(c.channel.in_(full.rest), c.urgency != 0)))
    return found


def _not_busy(busy: Collection[Way]) -> list[ColumnElement[bool]]:
    return [tuple_(t.work.c.channel, t.work.c.bundle).not_in(list(busy))] if busy else []


def _shared(found: Sequence[Row[Any]], limit: int, slots: Slots) -> tuple[list[Row[Any]], int]:
    """The rows of the first `limit` hand-overs that have a hand, at most `TOGETHER` in each, and how many they are."""
    shares: dict[object, int] = {}
    taken = []
    for row in found:
        share = (row.channel, row.bundle) if row.bundle else row.id
        rank = rank_of(row.bundle, page=row.urgency == 0)
        begun = share in shares
        if not begun and (len(shares) >= limit or (row.channel and not slots.take(row.channel, rank))):
            continue
        if shares.setdefault(share, 0) < TOGETHER:
            shares[share] += 1
            slots.leaves(rank)
            taken.append(row)
    return taken, len(shares)
