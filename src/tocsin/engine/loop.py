"""The heart-beat: what is due is decided, what is owed is done. A restart goes on where the last process was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from tocsin.engine.core import Core
from tocsin.engine.ledger import Ledger
from tocsin.engine.records import WorkItem
from tocsin.engine.running import StepWorker
from tocsin.engine.sending import Sender
from tocsin.incident import clock
from tocsin.incident.policy import TOCSIN
from tocsin.incident.work import Execute, Send

log = structlog.get_logger()
LONGEST_NAP = 1.0
BATCH = 200
LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
SENDERS, RUNNERS = 16, 24
AFTER_TROUBLE = timedelta(minutes=1)
ROUNDS = 200
"""How many due things one incident may do in one go: more than any ladder has, fewer than a loop without end."""


class Engine:
    """The loops. `alive` is when the clock last turned; it stands still when the database refuses."""

    def __init__(self, core: Core, sender: Sender, worker: StepWorker, *, owner: str) -> None:
        self.core = core
        self._sender = sender
        self._worker = worker
        self._owner = owner
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand: dict[str, int] = {"send": 0, "step": 0}
        self._waker: asyncio.Event | None = None
        self.alive: datetime | None = None

    async def recover(self) -> None:
        """At start: what a process that is gone had in hand is taken up at once."""
        await self.core.transact(lambda ledger: ledger.tx.release_all(ledger.now))

    async def run(self) -> None:
        """Turns until cancelled; then everything in hand is stopped and left to the next start."""
        self._waker = self.core.waker()
        try:
            while True:
                await self._turn()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _turn(self) -> None:
        waker = self._waker
        if waker is None:
            raise RuntimeError("the engine turns only inside run()")
        waker.clear()
        try:
            await self.tick()
            await self._dispatch()
            nap = await self._nap()
        except Exception as exc:  # noqa: BLE001  the barrier: a database that refuses now must not end the clock
            log.error("engine_turn_failed", reason=str(exc))
            nap = LONGEST_NAP
        with suppress(TimeoutError):
            await asyncio.wait_for(waker.wait(), timeout=nap)

    async def tick(self) -> int:
        """Decides everything that is due; how many incidents moved."""
        now = self.core.clock.now()
        due = await self.core.read(lambda tx: tx.due(now, BATCH))
        for id_ in due:
            await self._fire(id_)
        self.alive = self.core.clock.now()
        return len(due)

    async def _fire(self, incident_id: str) -> None:
        def fire(ledger: Ledger) -> None:
            incident = ledger.get(incident_id)
            for _ in range(ROUNDS):
                happened = clock.due(incident, ledger.context(incident, TOCSIN))
                if not happened:
                    break
                incident = ledger.append(incident, happened, actor=TOCSIN.name)
            ledger.touch(incident)

        try:
            await self.core.transact(fire)
        except Exception:
            log.exception("incident_stuck", incident=incident_id)
            await self.core.transact(lambda ledger: ledger.postpone(incident_id, AFTER_TROUBLE))

    # work

    async def _dispatch(self) -> None:
        await self._claim("send", ("send",), SENDERS)
        await self._claim("step", ("execute", "mitigate"), RUNNERS)

    async def _claim(self, pool: str, kinds: tuple[str, ...], most: int) -> None:
        free = most - self._in_hand[pool]
        now = self.core.clock.now()
        due = await self.core.read(lambda tx: tx.next_work_at())
        if free <= 0 or due is None or due > now:
            return

        def claim(ledger: Ledger) -> list[WorkItem]:
            return ledger.tx.claim(
                now=ledger.now, lease_until=ledger.now + LEASE, owner=self._owner, kinds=kinds, limit=free
            )

        for item in await self.core.transact(claim):
            self._start(pool, item)

    def _start(self, pool: str, item: WorkItem) -> None:
        self._in_hand[pool] += 1
        task = asyncio.create_task(self._do(item))
        self._tasks.add(task)

        def ended(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._in_hand[pool] -= 1
            if self._waker is not None:
                self._waker.set()

        task.add_done_callback(ended)

    async def _do(self, item: WorkItem) -> None:
        keeper = asyncio.create_task(self._keep(item))
        try:
            await self._work_of(item)()
        except Exception as exc:
            log.exception("work_failed", work=item.id, kind=type(item.work).__name__)
            await self._give_back(item, str(exc))
        finally:
            keeper.cancel()

    def _work_of(self, item: WorkItem) -> Callable[[], Coroutine[None, None, None]]:
        work = item.work
        if isinstance(work, Send):
            return lambda: self._sender.do(item, work)
        if isinstance(work, Execute):
            return lambda: self._worker.run(item, work.run)
        return lambda: self._worker.mitigate(item, work.approval)

    async def _keep(self, item: WorkItem) -> None:
        """Renews the lease of long work."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(Exception):
                await self.core.transact(
                    lambda ledger: ledger.tx.renew(item.id, owner=self._owner, lease_until=ledger.now + LEASE)
                )

    async def _give_back(self, item: WorkItem, reason: str) -> None:
        with suppress(Exception):
            await self.core.transact(
                lambda ledger: ledger.tx.finish(
                    item.id, owner=self._owner, state="pending", error=reason, next_at=ledger.now + timedelta(seconds=5)
                )
            )

    async def _nap(self) -> float:
        """Seconds until something is due, at most `LONGEST_NAP`."""
        times = await self.core.read(lambda tx: (tx.next_due_at(), tx.next_work_at()))
        soonest = min((t for t in times if t is not None), default=None)
        if soonest is None:
            return LONGEST_NAP
        seconds = (soonest - self.core.clock.now()).total_seconds()
        return min(LONGEST_NAP, max(0.005, seconds))
