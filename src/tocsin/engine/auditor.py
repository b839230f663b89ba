"""A second look at what the engine promised: every open incident in turn, and what is late or stuck at once.

When the clock looks at an incident is stored, and derived from the incident anew here: where the two differ, a deadline
would be missed, and the incident is timed again. Work that nobody can have any more is released. Everything found is
said; the engine does the rest. However many incidents are open, this takes about a hundredth of a core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.ledger import Ledger
from tocsin.engine.stock import Standing
from tocsin.engine.storage import Transaction
from tocsin.incident.deadlines import next_due

log = structlog.get_logger()
EVERY_SECONDS = 2.0
BUDGET_SECONDS = 0.02
"""So much of a core one look takes to go through open incidents; the next one goes on from there."""
WINDOW = 100
GRACE = timedelta(seconds=10)
"""So late the engine may be before it is said: longer than a restart, and than another replica takes to step in."""
SOON = timedelta(minutes=1)
"""What is looked at within this is timed anew by that; after trouble the engine itself looks again so much later."""
LONGEST_WAIT = timedelta(hours=2)
"""Longer than anything is leased or put off (an hour, when the other side asks for it): only a set clock gives more."""
MOST = 500
SHOWN = timedelta(minutes=10)
NAME, DATABASE = "auditor", "database"
OnTrouble = Callable[[str, str | None], None]


class Auditor:
    """Looks every few seconds until cancelled; `wake` has the engine look again at once."""

    def __init__(self, core: Core, *, wake: Callable[[], None], on_trouble: OnTrouble) -> None:
        self._core = core
        self._wake = wake
        self._on_trouble = on_trouble
        self._after = 0
        self._late = False
        self._mended: tuple[datetime, str] | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.look()
            except Unavailable as exc:
                self._on_trouble(DATABASE, str(exc))

    async def look(self) -> int:
        """One look; how much was put right. Raises Unavailable when the database refuses."""
        if self._core.meters.refusing:
            await self._core.transact(lambda ledger: None)
        self._on_trouble(DATABASE, None)
        late = await self._overdue()
        timed, freed = await self._timings(), await self._stuck()
        self._say(late, timed=timed, freed=freed)
        return timed + freed

    async def _overdue(self) -> tuple[int, timedelta]:
        """How many incidents the clock is late for (at most `MOST`), and how late for the first."""
        now = self._core.clock.now()
        found = await self._core.read(lambda tx: tx.overdue(now - GRACE, MOST))
        longest = max((now - at for _, at in found), default=timedelta(0))
        self._core.meters.level("overdue", len(found))
        if found:
            self._wake()
            if not self._late:
                log.warning("deadlines_late", incidents=len(found), longest=str(longest), first=found[0][0])
        self._late = bool(found)
        return len(found), longest

    async def _timings(self) -> int:
        """Goes on through the open incidents for a moment; how many had to be timed anew."""
        spent, mended = 0.0, 0
        while spent < BUDGET_SECONDS:
            after, now = self._after, self._core.clock.now()
            seen, wrong, took = await self._core.read(lambda tx: self._compare(tx, after, now))  # noqa: B023
            spent += took
            if wrong:
                mended += await self._core.transact(lambda ledger: _retime(ledger, wrong))  # noqa: B023
            self._after = seen[-1].number if len(seen) == WINDOW else 0
            if not self._after:
                break
        self._core.meters.repaired("deadline", mended)
        return mended

    def _compare(self, tx: Transaction, after: int, now: datetime) -> tuple[list[Standing], list[str], float]:
        """The next open incidents, the ids of those whose clock stands wrong, and what it took of a core."""
        began = time.thread_time()
        seen = tx.standing(after, WINDOW)
        return seen, [one.id for one in seen if self._is_wrong(one, now)], time.thread_time() - began

    def _is_wrong(self, one: Standing, now: datetime) -> bool:
        if one.incident is None or (one.next_due_at is not None and one.next_due_at <= now + SOON):
            return False
        return next_due(one.incident, self._core.policies.of(one.incident)) != one.next_due_at

    async def _stuck(self) -> int:
        """Work that nobody can have any more, released; how much."""
        now = self._core.clock.now()
        found = await self._core.read(lambda tx: tx.stuck(before=now - GRACE, beyond=now + LONGEST_WAIT, limit=MOST))
        if not found:
            return 0
        ids = [id_ for id_, _ in found]
        freed = await self._core.transact(lambda ledger: ledger.tx.free(ids, ledger.now))
        for state in {state for _, state in found}:
            self._core.meters.repaired(state, sum(found_state == state for _, found_state in found))
        self._wake()
        return freed

    def _say(self, late: tuple[int, timedelta], *, timed: int, freed: int) -> None:
        now = self._core.clock.now()
        if timed or freed:
            log.warning("audit_repaired", incidents=timed, work=freed)
            self._mended = (now, f"{now:%H:%M:%S} UTC: timed {timed} incidents anew, released {freed} pieces of work")
        if self._mended and now - self._mended[0] > SHOWN:
            self._mended = None
        many, longest = late
        waits = f"{many} incidents wait for the clock, the first for {longest.total_seconds():.0f} s" if many else ""
        self._on_trouble(NAME, "; ".join(filter(None, (waits, self._mended[1] if self._mended else ""))) or None)


def _retime(ledger: Ledger, ids: Sequence[str]) -> int:
    done = 0
    for id_ in ids:
        try:
            with ledger.attempt():
                ledger.touch(ledger.get(id_))
        except Unavailable:
            raise
        except Exception:  # the barrier: one that cannot be timed must not keep the others from it
            log.exception("not_timed", incident=id_)
        else:
            done += 1
    return done
