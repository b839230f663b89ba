"""The heart-beat: what is due is decided, what is owed is done. A restart goes on where the last process was."""

from __future__ import annotations

import asyncio
import time
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
from tocsin.incident.deadlines import next_due
from tocsin.incident.events import RunFinished
from tocsin.incident.policy import TOCSIN
from tocsin.incident.work import Execute, Send

log = structlog.get_logger()
LONGEST_NAP = 1.0
BATCH = 200
LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
POOLS = {"send": 16, "execute": 64, "mitigate": 8}
"""How many of each kind of work are in hand at most. Runs wait much (a verification watches for half an hour), and an
approved mitigation must not wait for them."""
GIVE_UP = 6
"""After how many attempts a run that breaks each time is called failed."""
AFTER_TROUBLE = timedelta(minutes=1)
SOON = timedelta(seconds=5)
ROUNDS = 200
"""How many due things one incident may do in one go: more than any ladder has, fewer than a loop without end."""


class Engine:
    """The loops. `alive` is when the clock last turned; it stands still when the database refuses."""

    def __init__(self, core: Core, sender: Sender, worker: StepWorker, *, owner: str) -> None:
        self.core = core
        self._sender = sender
        self._worker = worker
        self._owner = owner
        self._in_hand: dict[asyncio.Task[None], WorkItem] = {}
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
            await self.stop_work()

    async def step(self) -> None:
        """One turn: what is due is decided, what is owed is begun."""
        await self.tick()
        for kind, most in POOLS.items():
            await self._claim(kind, most)

    def wake(self) -> None:
        """Has the running engine look again at once what is due."""
        if self._waker is not None:
            self._waker.set()

    @property
    def in_hand(self) -> tuple[WorkItem, ...]:
        """The work begun and not ended, oldest first."""
        return tuple(self._in_hand.values())

    async def stop_work(self) -> None:
        """Stops what is in hand; its leases tell the next start to take it up."""
        tasks = list(self._in_hand)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self) -> None:
        waker = self._waker
        if waker is None:
            raise RuntimeError("the engine turns only inside run()")
        waker.clear()
        began = time.perf_counter()
        try:
            await self.step()
            self.core.meters.turned(time.perf_counter() - began)
            nap = await self._nap()
        except Exception as exc:  # noqa: BLE001  the barrier: a database that refuses now must not end the clock
            log.error("engine_turn_failed", reason=str(exc))
            self.core.meters.turn_failed()
            nap = LONGEST_NAP
        with suppress(TimeoutError):
            # not wait_for, which in Python 3.11 forgets a cancellation that arrives with the wake
            async with asyncio.timeout(nap):
                await waker.wait()

    async def tick(self) -> int:
        """Decides everything that is due; how many incidents moved."""
        now = self.core.clock.now()
        due = await self.core.read(lambda tx: tx.due(now, BATCH))
        for id_ in due:
            await self._fire(id_)
        self.alive = self.core.clock.now()
        return len(due)

    async def _fire(self, incident_id: str) -> None:
        def fire(ledger: Ledger) -> datetime | None:
            incident = ledger.get(incident_id)
            owed = next_due(incident, ledger.policies.of(incident))
            for _ in range(ROUNDS):
                happened = clock.due(incident, ledger.context(incident, TOCSIN))
                if not happened:
                    break
                incident = ledger.append(incident, happened, actor=TOCSIN.name)
            ledger.touch(incident)
            return owed

        try:
            owed = await self.core.transact(fire)
        except Exception:  # the barrier: one bad incident must not stop the paging of the rest
            log.exception("incident_stuck", incident=incident_id)
            await self.core.transact(lambda ledger: ledger.postpone(incident_id, AFTER_TROUBLE))
            return
        if owed is not None:
            self.core.meters.decided((self.core.clock.now() - owed).total_seconds())

    # work

    async def _claim(self, kind: str, most: int) -> None:
        free = most - self._busy(kind)
        now = self.core.clock.now()
        due = await self.core.read(lambda tx: tx.next_work_at((kind,)))
        if free <= 0 or due is None or due > now:
            return

        in_hand = self.in_hand

        def claim(ledger: Ledger) -> list[WorkItem]:
            until = ledger.now + LEASE
            for item in in_hand:  # after a pause of the machine our own leases have run out too
                ledger.tx.renew(item.id, owner=self._owner, lease_until=until)
            return ledger.tx.claim(now=ledger.now, lease_until=until, owner=self._owner, kinds=(kind,), limit=free)

        for item in await self.core.transact(claim):
            self._start(item)

    def _busy(self, kind: str) -> int:
        return sum(type(item.work).__name__.lower() == kind for item in self._in_hand.values())

    def _start(self, item: WorkItem) -> None:
        if item.attempt == 1:
            late = self.core.clock.now() - item.created_at
            self.core.meters.begun(type(item.work).__name__.lower(), late.total_seconds())
        task = asyncio.create_task(self._do(item))
        self._in_hand[task] = item

        def ended(_: asyncio.Task[None]) -> None:
            del self._in_hand[task]
            self.wake()

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
        """To be tried again soon; how far it came is not known. A run that breaks each time ends as failed."""

        def give_back(ledger: Ledger) -> None:
            hopeless = isinstance(item.work, Execute) and item.attempt >= GIVE_UP
            state, next_at = ("failed", None) if hopeless else ("pending", ledger.now + SOON)
            mine = ledger.tx.finish(
                item.id, owner=self._owner, state=state, error=reason, next_at=next_at, uncertain=True
            )
            if mine and hopeless and isinstance(item.work, Execute):
                ended = RunFinished(item.work.run, "failed")
                ledger.append(ledger.get(item.incident_id), (ended,), actor=TOCSIN.name)

        with suppress(Exception):
            await self.core.transact(give_back)

    async def _nap(self) -> float:
        """Seconds until something is due, at most `LONGEST_NAP`."""
        free = [kind for kind, most in POOLS.items() if self._busy(kind) < most]
        times = await self.core.read(lambda tx: (tx.next_due_at(), tx.next_work_at(free)))
        soonest = min((t for t in times if t is not None), default=None)
        if soonest is None:
            return LONGEST_NAP
        seconds = (soonest - self.core.clock.now()).total_seconds()
        return min(LONGEST_NAP, max(0.005, seconds))
