"""Statements that look after the database: what stands in it, what is stuck, what is old. Each is bounded."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, or_, select, text, union_all, update

from tocsin.engine.records import Evidence
from tocsin.engine.stock import COUNTED, Gauges, Old, Queued, Standing
from tocsin.incident.state import Status
from tocsin.store import asking, rows
from tocsin.store import schema as t
from tocsin.store.part import Part
from tocsin.store.times import from_db, to_db

_OVER = (Status.RESOLVED.value, Status.CLOSED.value)
_ENDED = ("done", "failed")


class Upkeep(Part):
    """The part of a transaction that is about the stock. Nothing of it is staged."""

    def gauges(self) -> Gauges:
        """How much waits and how many incidents are open; costs as much as there is of that, and no more."""
        c, i = t.work.c, t.incident.c
        waiting = select(c.kind, c.state, c.next_at.label("at")).where(c.state == t.PENDING).limit(COUNTED).subquery()
        leased = select(c.kind, c.state, c.lease_until.label("at")).where(c.state == t.LEASED).limit(COUNTED).subquery()
        both = union_all(
            *(
                select(some.c.kind, some.c.state, func.count(), func.min(some.c.at)).group_by(some.c.kind, some.c.state)
                for some in (waiting, leased)
            )
        )
        queue = tuple(Queued(row[0], row[1], row[2], from_db(row[3])) for row in self._c.execute(both))
        alive = select(i.severity, i.status).where(text(t.ALIVE)).limit(COUNTED).subquery()
        counted = select(alive.c.severity, alive.c.status, func.count()).group_by(alive.c.severity, alive.c.status)
        known = {(row[0], row[1]): row[2] for row in self._c.execute(counted)}
        drills = select(i.severity, i.status, func.count()).where(text(t.OPEN_DRILL)).group_by(i.severity, i.status)
        for severity, status, count in self._c.execute(drills):
            known[severity, status] = max(0, known.get((severity, status), 0) - count)
        return Gauges(queue, known)

    def overdue(self, before: datetime, limit: int) -> list[tuple[str, datetime]]:
        """(id, since when) of incidents whose clock should have looked at them before, longest waiting first."""
        c = t.incident.c
        late = select(c.id, c.next_due_at).where(c.next_due_at < to_db(before), asking.OURS)
        found = late.order_by(c.next_due_at).limit(limit)
        return [(row.id, from_db(row.next_due_at)) for row in self._c.execute(found)]

    def standing(self, after: int, limit: int) -> list[Standing]:
        """The incidents that are not over nor a newer version's, by number, those above `after`."""
        c = t.incident.c
        wanted = (
            select(c.id, c.number, c.state, c.next_due_at)
            .where(c.number > after, text(t.ALIVE), asking.OURS)
            .order_by(c.number)
            .limit(limit)
        )
        return [_standing(row) for row in self._c.execute(wanted)]

    def stuck(self, *, before: datetime, beyond: datetime, limit: int) -> list[tuple[int, str]]:
        """(id, state) of work whose lease ran out before, and of leases and waits that end later than any is given."""
        c = t.work.c
        lapsed = (c.state == t.LEASED) & or_(c.lease_until < to_db(before), c.lease_until > to_db(beyond))
        far = (c.state == t.PENDING) & (c.next_at > to_db(beyond))
        found = [select(c.id, c.state).where(where).limit(limit) for where in (lapsed, far)]
        return [(row.id, row.state) for wanted in found for row in self._c.execute(wanted)]

    def free(self, ids: Collection[int], now: datetime) -> int:
        """These can be had now, as far as they are not ended; what was leased may have been done. How many were."""
        c = t.work.c
        settled = self._settled()
        lost = update(t.work).where(c.id.in_(ids), c.state == t.LEASED)
        settled.execute(lost.values(uncertain=1))
        mended = update(t.work).where(c.id.in_(ids), c.state.in_(("leased", "pending")))
        values = {"state": "pending", "owner": None, "lease_until": None, "next_at": to_db(now)}
        return settled.execute(mended.values(**values)).rowcount

    def old_evidence(self, before: datetime, *, after: str, limit: int) -> Old:
        """Of the next `limit` pieces of evidence by id, those from before that still have output; see `Old`."""
        c = t.evidence.c
        page = (
            select(c.id, c.at, t.incident.c.status)
            .join(t.incident, t.incident.c.id == c.incident_id)
            .where(c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
        seen = self._settled().execute(page).all()
        old = [row.id for row in seen if row.at < to_db(before) and row.status in _OVER]
        found = self._c.execute(select(c.data).where(c.id.in_(old))).scalars() if old else ()
        evidence = tuple(rows.EVIDENCE.decode(data) for data in found)
        last = seen[-1].id if len(seen) == limit else None
        return Old(tuple(e for e in evidence if e.stdout or e.stderr or e.chart), last)

    def rewrite_evidence(self, evidence: Evidence) -> None:
        told = update(t.evidence).where(t.evidence.c.id == evidence.id)
        self._settled().execute(told.values(data=rows.json(evidence)))

    def forget_work(self, before: datetime, *, after: int, limit: int) -> tuple[int, int | None]:
        """Of the next `limit` pieces of work by id, deletes those ended before, of incidents that are over.

        How many, and the id to go on from; None at the end.
        """
        c = t.work.c
        page = (
            select(c.id, c.state, c.created_at, t.incident.c.status)
            .join(t.incident, t.incident.c.id == c.incident_id)
            .where(c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
        seen = self._settled().execute(page).all()
        old = [row.id for row in seen if row.state in _ENDED and row.status in _OVER and row.created_at < to_db(before)]
        if old:
            self._c.execute(delete(t.work).where(c.id.in_(old)))
        return len(old), seen[-1].id if len(seen) == limit else None

    def forget_tokens(self, before: datetime) -> int:
        """Deletes credentials that expired before; how many."""
        return self._settled().execute(delete(t.token).where(t.token.c.expires_at < to_db(before))).rowcount


def _standing(row: Row[Any, Any, Any, Any]) -> Standing:
    try:
        incident = rows.STATE.decode(row.state)
    except (msgspec.ValidationError, msgspec.DecodeError):
        incident = None
    return Standing(row.id, row.number, incident, from_db(row.next_due_at))
