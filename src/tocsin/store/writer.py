"""One thread that writes: what arrived while the last commit ran is the next transaction (group commit).

What a job wrote is undone alone when the job raises; a job's result is given only after the commit, so that what was
answered is durable.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tocsin.engine.meters import Meters
from tocsin.store.errors import StoreUnavailable, reason
from tocsin.store.tx import Tx

T = TypeVar("T")
BATCH = 256
Job = tuple[Callable[[Tx], Any], "Future[Any]"]
Told = tuple[Any, BaseException | None]


class Database(Protocol):
    """What is written to. Beginning a transaction on `writing` waits until nobody else writes."""

    writing: Engine

    def refused(self, exc: DBAPIError) -> bool:
        """Whether the database as a whole refuses, not this one statement."""
        ...

    def transaction(self, connection: Connection) -> str:
        """What the transaction under way is called; empty when the answer to its commit cannot be lost."""
        ...

    def was_committed(self, transaction: str) -> bool | None:
        """What became of one whose commit was not answered; None when that cannot be found out soon."""
        ...


class Writer:
    """Jobs run one after the other, in the order submitted. A job may be run again when its transaction failed."""

    def __init__(
        self, database: Database, meters: Meters | None = None, *, committed: Callable[[], None] | None = None
    ) -> None:
        """`committed` is called in the writing thread after each commit."""
        self._database = database
        self._meters = meters or Meters()
        self._committed = committed
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tocsin-writer", daemon=True)
        self._closed = False
        self._closing = threading.Lock()
        self._thread.start()

    def submit(self, job: Callable[[Tx], T]) -> Future[T]:
        """The job's result once durable; its exception when it raised; StoreUnavailable when the database refused."""
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                future.set_exception(StoreUnavailable("the database is closed: the server is stopping"))
            else:
                self._jobs.put((job, future))
        return future

    def close(self) -> None:
        """Finishes what was submitted, then ends."""
        with self._closing:
            self._closed = True
            self._jobs.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch, last = self._gather(first)
            # whoever stopped waiting before the job began has it left out; from here on it can only be finished
            self._commit([(job, future) for job, future in batch if future.set_running_or_notify_cancel()])
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        batch = [first]
        with suppress(queue.Empty):
            while len(batch) < BATCH:
                job = self._jobs.get_nowait()
                if job is None:
                    return batch, True
                batch.append(job)
        return batch, False

    def _commit(self, batch: Sequence[Job]) -> None:
        if not batch:
            return
        began = time.perf_counter()
        try:
            results = self._transact([job for job, _ in batch])
        except Exception as exc:  # noqa: BLE001  the barrier: the one thread that writes must outlive any trouble
            self._failed(batch, exc)
            return
        self._meters.committed(len(batch), time.perf_counter() - began)
        for (_, future), (value, error) in zip(batch, results, strict=True):
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)
        if self._committed is not None:
            self._committed()

    def _failed(self, batch: Sequence[Job], exc: Exception) -> None:
        if not self._is_refusal(exc):
            if len(batch) == 1:
                batch[0][1].set_exception(exc)
                return
            for one in batch:  # what some job wrote cannot be kept: each alone, so that it takes no other with it
                self._commit([one])
            return
        self._meters.refused("write")
        said = reason(exc) if isinstance(exc, DBAPIError) else str(exc)
        for _, future in batch:
            future.set_exception(
                exc if isinstance(exc, StoreUnavailable) else StoreUnavailable(f"the database refuses to write: {said}")
            )

    def _is_refusal(self, exc: Exception) -> bool:
        """Whether the database as a whole refuses, so that what a job alone did is not the cause."""
        if isinstance(exc, DBAPIError):
            return exc.connection_invalidated or self._database.refused(exc)
        return isinstance(exc, StoreUnavailable | SQLAlchemyError)

    def _transact(self, jobs: Sequence[Callable[[Tx], Any]]) -> list[Told]:
        """What each job gave, durable."""
        connection, transaction = self._begun()
        tx = Tx(connection, writing=True)
        try:
            name = self._database.transaction(connection)
            # one that is alone is undone with its transaction
            results: list[Told] = [self._one(tx, job) for job in jobs] if len(jobs) > 1 else [(jobs[0](tx), None)]
            tx.flush()
            try:
                transaction.commit()
            except DBAPIError as exc:
                self._settle(name, exc)
        except BaseException:  # whatever ends it, nothing half-done stays; raised on
            for undo in (tx.wait, transaction.rollback):
                with suppress(SQLAlchemyError):
                    undo()
            raise
        finally:
            connection.close()
        return results

    def _begun(self) -> tuple[Connection, RootTransaction]:
        """In a transaction. A connection that died while it lay idle is made anew, once: nothing was asked of it."""
        for last in (False, True):
            connection = self._database.writing.connect()
            try:
                return connection, connection.begin()
            except DBAPIError as exc:
                connection.close()
                if last or not exc.connection_invalidated:
                    raise
        raise AssertionError("unreachable")

    def _settle(self, name: str, exc: DBAPIError) -> None:
        """Comes back when the transaction was committed although its answer was lost. Raises otherwise."""
        if not exc.connection_invalidated or not name:
            raise exc
        committed = self._database.was_committed(name)
        if committed is None:
            raise StoreUnavailable("the database went away while it wrote: whether this was kept is not known") from exc
        if not committed:
            raise exc

    def _one(self, tx: Tx, job: Callable[[Tx], Any]) -> Told:
        try:
            with tx.stage():
                return job(tx), None
        except Exception as exc:  # the barrier: one bad job must not take the batch with it
            if isinstance(exc, DBAPIError) and self._is_refusal(exc):
                raise
            return None, exc
