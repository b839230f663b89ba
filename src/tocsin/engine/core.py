"""The engine's heart: every decision is one transaction, and whoever waits is told once it is durable."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct

from tocsin.engine.errors import Newer, Unavailable
from tocsin.engine.gathering import Asked, Foresee, Gathering
from tocsin.engine.ledger import Addressing, Ledger
from tocsin.engine.live import Live
from tocsin.engine.meters import Meters
from tocsin.engine.murmur import Murmur
from tocsin.engine.once import Once
from tocsin.engine.patience import Patience
from tocsin.engine.policies import Policies
from tocsin.engine.ports import Clock
from tocsin.engine.storage import Storage, Transaction
from tocsin.incident import events as e
from tocsin.incident.policy import Actor, Context
from tocsin.incident.state import Incident

T = TypeVar("T")
AGAIN_SECONDS = 0.5
READERS = 12
"""Threads that read the database, of our own: those that everybody shares may all be waiting for a name server."""
Decision = Callable[[Incident, Context], Sequence[e.Event]]


class Committed(Struct, frozen=True):
    """A timeline entry that is durable, with its incident as it was right after it."""

    incident: Incident
    entry: e.Entry


class _Outcome(Struct, frozen=True):
    result: Any
    committed: Sequence[Committed]
    error: Exception | None = None


class Core:
    """Writes go through `transact`, in order; reads see the last commit. Made and used inside one event loop."""

    def __init__(
        self,
        storage: Storage,
        policies: Policies,
        addressing: Addressing,
        clock: Clock,
        *,
        meters: Meters | None = None,
    ) -> None:
        self.meters = meters or Meters()
        self.storage = storage
        self.policies = policies
        self.addressing = addressing
        self.clock = clock
        self.live = Live()
        self.once: Once | None = None
        self._subscribers: set[asyncio.Queue[Committed | None]] = set()
        self._wakers: list[asyncio.Event] = []
        self._asked = Gathering()
        self._draining: asyncio.Task[None] | None = None
        self._unrecorded = Murmur("not_recorded_yet")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="tocsin-reader")

    async def transact(
        self,
        job: Callable[[Ledger], T],
        *,
        foresee: Foresee | None = None,
        about: object = None,
        patience: Patience | None = None,
    ) -> T:
        """The result of `job` once what it appended is durable. Raises what it raises; then nothing has changed.

        Raises TimeoutError when `patience` ends first: then it may or may not be carried out.

        Jobs that come while a transaction runs share the next one, in order, each undone alone when it raises; so a
        job may be run again and must change nothing outside. `foresee` is called once for all of them that name it,
        with what each is `about`, to read ahead what they will ask for.
        """
        asked = Asked(job, asyncio.get_running_loop().create_future(), foresee, about)
        if patience is not None:
            patience.begin(asked.future)
        self._asked.add(asked)
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        result: T = await asked.future
        return result

    async def _drain(self) -> None:
        try:
            while self._asked:
                await self._commit(await self._asked.batch())
        finally:
            self._draining = None

    async def _commit(self, batch: Sequence[Asked]) -> None:
        try:
            outcomes = await asyncio.wrap_future(self.storage.write(lambda tx: self._run(tx, batch)))
        except Unavailable as exc:
            for asked in batch:
                asked.fail(exc)
        except Exception as exc:  # noqa: BLE001  the barrier: what broke over one job must not take the others with it
            if len(batch) == 1:
                batch[0].fail(exc)
                return
            for asked in batch:
                await self._commit([asked])
        else:
            self._tell([one for outcome in outcomes for one in outcome.committed])
            for asked, outcome in zip(batch, outcomes, strict=True):
                asked.end(outcome.result, outcome.error)

    def _run(self, tx: Transaction, batch: Sequence[Asked]) -> list[_Outcome]:
        """In the writing thread: the jobs of one transaction. Raises Unavailable when the database refuses."""
        now = self.clock.now()
        ahead: dict[Foresee, list[object]] = {}
        for asked in batch:
            if asked.foresee is not None:
                ahead.setdefault(asked.foresee, []).append(asked.about)
        for foresee, subjects in ahead.items():
            foresee(tx, subjects)
        return [self._one(tx, asked.job, now) for asked in batch]

    def _one(self, tx: Transaction, job: Callable[[Ledger], Any], now: datetime) -> _Outcome:
        ledger = Ledger(tx, self.policies, self.addressing, now=now)
        try:
            with ledger.attempt():
                result = job(ledger)
        except Exception as exc:
            if isinstance(exc, Unavailable) and not isinstance(exc, Newer):
                raise
            return _Outcome(None, (), exc)  # handed to whoever asked
        return _Outcome(result, [Committed(incident, entry) for incident, entry in ledger.appended])

    async def record(
        self, job: Callable[[Ledger], T], *, foresee: Foresee | None = None, about: object = None
    ) -> T:  # fmt: skip
        """Like `transact`, for what was done outside already: tried again for as long as the database refuses."""
        while True:
            try:
                done = await self.transact(job, foresee=foresee, about=about)
                self._unrecorded.over()
                return done
            except Newer:
                raise
            except Unavailable as exc:
                self._unrecorded.trouble(reason=str(exc))
                await asyncio.sleep(AGAIN_SECONDS)

    async def read(self, job: Callable[[Transaction], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.storage.read, job)

    async def decide(self, ref: str, actor: Actor, decision: Decision) -> Incident:
        """A command carried out: the incident after it."""
        return await self.transact(lambda ledger: ledger.decide(ref, actor, decision))

    async def append(self, incident_id: str, happened: Sequence[e.Event], *, actor: str = "tocsin") -> Incident:
        """Facts that nobody decides any more: what was done outside."""
        return await self.transact(lambda ledger: ledger.append(ledger.get(incident_id), happened, actor=actor))

    def waker(self) -> asyncio.Event:
        """An event that is set after each commit, for whoever waits for work."""
        event = asyncio.Event()
        self._wakers.append(event)
        return event

    async def follow(self) -> AsyncGenerator[Committed, None]:
        """Every entry as it commits, from now on; ends when a reader falls far behind or the engine stops."""
        with self._subscribed() as queue:
            while (committed := await queue.get()) is not None:
                yield committed

    @property
    def busy(self) -> bool:
        """Whether a transaction is under way or waited for."""
        return self._draining is not None

    @property
    def followed(self) -> bool:
        """Whether anybody follows."""
        return bool(self._subscribers)

    def tell(self, committed: Sequence[Committed]) -> None:
        """Tells who follows of entries that another replica has committed."""
        self._tell(committed)

    def wake(self) -> None:
        """Something may have become due, or may be claimed: who waits for work looks."""
        for waker in self._wakers:
            waker.set()

    def stop_followers(self) -> None:
        self.live.close()
        for queue in self._subscribers:
            queue.put_nowait(None)

    @contextmanager
    def _subscribed(self) -> Iterator[asyncio.Queue[Committed | None]]:
        queue: asyncio.Queue[Committed | None] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            yield queue
        finally:
            self._subscribers.discard(queue)

    def _tell(self, committed: Sequence[Committed]) -> None:
        if self.once is not None:
            committed = [one for one in committed if self.once.first_time(one.incident.id, one.entry.seq)]
        if not committed:
            return
        self.wake()
        for queue in tuple(self._subscribers):
            if queue.qsize() > BEHIND:
                queue.put_nowait(None)
                self._subscribers.discard(queue)
            else:
                for one in committed:
                    queue.put_nowait(one)


BEHIND = 5000


def new_id() -> str:
    """An opaque id, unguessable enough not to be counted through."""
    return secrets.token_hex(8)
