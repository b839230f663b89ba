"""One thread that writes: what arrived while the last commit ran is the next transaction (group commit).

Each job runs under a savepoint, so that a refused command undoes itself alone; a job's result is given only after the
commit, so that what was answered is durable.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from tocsin.engine.meters import Meters
from tocsin.store.errors import StoreUnavailable

T = TypeVar("T")
BATCH = 256
Job = tuple[Callable[[Connection], Any], "Future[Any]"]


class Writer:
    """Jobs run one after the other, in the order submitted, on one connection of `engine`."""

    def __init__(self, engine: Engine, meters: Meters | None = None) -> None:
        self._engine = engine
        self._meters = meters or Meters()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tocsin-writer", daemon=True)
        self._closed = False
        self._closing = threading.Lock()
        self._thread.start()

    def submit(self, job: Callable[[Connection], T]) -> Future[T]:
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

    def _commit(self, batch: list[Job]) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        began = time.perf_counter()
        try:
            with self._engine.begin() as connection:
                for job, future in batch:
                    results.append((future, *self._one(connection, job)))
        except Exception as exc:  # noqa: BLE001  the barrier: the one thread that writes must outlive any trouble
            self._meters.refused("write")
            said = reason(exc) if isinstance(exc, DBAPIError) else f"{type(exc).__name__}: {exc}"
            for _, future in batch:
                future.set_exception(StoreUnavailable(f"the database refuses to write: {said}"))
            return
        self._meters.committed(len(batch), time.perf_counter() - began)
        for future, value, error in results:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

    def _one(self, connection: Connection, job: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
        try:
            with connection.begin_nested():
                return job(connection), None
        except DBAPIError as exc:
            if exc.connection_invalidated or not connection.in_transaction() or _is_refusal(exc):
                raise
            return None, exc
        except Exception as exc:  # noqa: BLE001  the barrier: one bad job must not take the batch with it
            return None, exc


def reason(exc: DBAPIError) -> str:
    """The driver's own words, on one line, without the statement and its values."""
    return " ".join(str(exc.orig).split()) or type(exc.orig).__name__


def _is_refusal(exc: DBAPIError) -> bool:
    """Whether the database as a whole refuses (locked, read-only, full, broken), not this one statement."""
    if isinstance(exc, IntegrityError):
        return False
    words = reason(exc).casefold()
    return any(w in words for w in ("locked", "readonly", "read-only", "disk", "full", "malformed", "unable to open"))
