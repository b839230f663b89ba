"""The engine's heart: every decision is one transaction, and whoever waits is told once it is durable."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog
from msgspec import Struct

from tocsin.engine.errors import Unavailable
from tocsin.engine.ledger import Addressing, Ledger
from tocsin.engine.live import Live
from tocsin.engine.meters import Meters
from tocsin.engine.policies import Policies
from tocsin.engine.ports import Clock
from tocsin.engine.storage import Storage, Transaction
from tocsin.incident import events as e
from tocsin.incident.policy import Actor, Context
from tocsin.incident.state import Incident

log = structlog.get_logger()
T = TypeVar("T")
AGAIN_SECONDS = 0.5
Decision = Callable[[Incident, Context], Sequence[e.Event]]


class Committed(Struct, frozen=True):
    """A timeline entry that is durable, with its incident as it was right after it."""

    incident: Incident
    entry: e.Entry


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
        self._subscribers: set[asyncio.Queue[Committed | None]] = set()
        self._wakers: list[asyncio.Event] = []

    async def transact(self, job: Callable[[Ledger], T]) -> T:
        """The result of `job` once what it appended is durable. Raises what it raises; then nothing has changed."""

        def run(tx: Transaction) -> tuple[T, list[tuple[Incident, e.Entry]]]:
            ledger = Ledger(tx, self.policies, self.addressing, now=self.clock.now())
            result = job(ledger)
            ledger.save()
            return result, ledger.appended

        result, appended = await asyncio.wrap_future(self.storage.write(run))
        if appended:
            self._tell([Committed(incident, entry) for incident, entry in appended])
        return result

    async def record(self, job: Callable[[Ledger], T]) -> T:
        """Like `transact`, for what was done outside already: tried again for as long as the database refuses."""
        while True:
            try:
                return await self.transact(job)
            except Unavailable as exc:
                log.warning("not_recorded_yet", reason=str(exc))
                await asyncio.sleep(AGAIN_SECONDS)

    async def read(self, job: Callable[[Transaction], T]) -> T:
        return await asyncio.to_thread(self.storage.read, job)

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
        for waker in self._wakers:
            waker.set()
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
