"""The replicas that share a database: which there are, and what one that is gone leaves to the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, or_, select, update

from tocsin.incident.events import Entry
from tocsin.incident.state import Incident
from tocsin.store import rows
from tocsin.store import schema as t
from tocsin.store.part import Part
from tocsin.store.times import from_db, to_db


class Replica(Struct, frozen=True):
    """A server that was alive when it last said so, at `beat_at`."""

    id: str
    version: str
    started_at: datetime
    beat_at: datetime


class Replicas(Part):
    """The part of a transaction that is about them. Nothing of it is staged."""

    def replicas(self) -> list[Replica]:
        """Those that have not said goodbye and were not found dead, the longest running first."""
        c = t.replica.c
        rows = self._c.execute(select(c.id, c.version, c.started_at, c.beat_at).order_by(c.started_at, c.id))
        return [Replica(r.id, r.version, from_db(r.started_at), from_db(r.beat_at)) for r in rows]

    def news(self, after: int, limit: int) -> list[tuple[int, Incident, Entry | None]]:
        """What was committed beyond a position in the stream of all incidents, in order: each entry with its position,
        its incident as it is now, and None for an entry that this version does not know."""
        c = t.event.c
        wanted = (
            select(c.position, t.incident.c.state, c.seq, c.at, c.actor, c.data)
            .join(t.incident, t.incident.c.id == c.incident_id)
            .where(c.position > after)
            .order_by(c.position)
            .limit(limit)
        )
        found: Sequence[Any] = self._c.execute(wanted).all()
        return [(row.position, rows.STATE.decode(row.state), rows.entry(row)) for row in found]

    def bury(self, replica: str, now: datetime) -> int:
        """It is gone: what it had in hand can be taken up at once. How many pieces of work that are."""
        self._settled().execute(delete(t.replica).where(t.replica.c.id == replica))
        left = update(t.work).where(t.work.c.state == t.LEASED, t.work.c.owner == replica)
        return self._c.execute(left.values(lease_until=to_db(now))).rowcount

    def release_own(self, owner: str, *, keep: Collection[int], now: datetime) -> int:
        """What its owner holds without knowing of it can be taken up: all but `keep`."""
        c = t.work.c
        lost = update(t.work).where(c.state == t.LEASED, c.owner == owner, c.id.not_in(keep))
        return self._settled().execute(lost.values(lease_until=to_db(now))).rowcount

    def release_all(self, now: datetime) -> int:
        """At a start: what a process that is gone had in hand can be taken up; gone is who is no living replica."""
        gone = or_(t.work.c.owner.is_(None), t.work.c.owner.not_in(select(t.replica.c.id)))
        stale = update(t.work).where(t.work.c.state == t.LEASED, gone)
        return self._settled().execute(stale.values(lease_until=to_db(now))).rowcount
