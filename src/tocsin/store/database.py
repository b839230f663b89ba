"""A database opened: migrated, one writer, any number of readers. SQLite for one process, PostgreSQL for many."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from tocsin import __version__
from tocsin.engine.meters import Meters
from tocsin.engine.ports import Clock
from tocsin.store.errors import StoreError, StoreUnavailable, reason
from tocsin.store.lock import Lock
from tocsin.store.migrate import upgrade
from tocsin.store.postgres import Postgres
from tocsin.store.presence import Presence
from tocsin.store.sqlite import Sqlite
from tocsin.store.tx import Tx
from tocsin.store.writer import Writer

T = TypeVar("T")
BUSY_SECONDS = 5.0
GOODBYE_SECONDS = 5.0
_POSTGRES = ("postgresql", "postgres")


class Store:
    """Where timelines live. `write` is ordered and durable; `read` sees the last commit.

    `name` is for people and holds no password. `clock` is the one that counts: the database's, where replicas share it.
    `replica` is who we are among them, and the owner of what we have in hand.
    """

    def __init__(self, url: str, *, serving: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        """Opens and migrates. Raises StoreError with the remedy when the database cannot be used.

        `serving` claims an embedded file: two servers on one would page everybody twice. A shared database it tells
        that one more replica lives. `busy_seconds` is how long to wait for another process's transaction.
        """
        self.url = url
        self.meters = Meters()
        parsed = parse(url)
        self._lock: Lock | None = None
        self._database = opened(parsed, busy_seconds=busy_seconds)
        if isinstance(self._database, Sqlite) and serving:
            self._lock = Lock(self._database.path)
        self.name = self._database.name
        self.clock: Clock = self._database.clock
        try:
            upgrade(self._database.writing)
        except DBAPIError as exc:
            self._let_go()
            raise self._database.unopened(exc) from exc
        self.replica = secrets.token_hex(8)
        self._presence: Presence | None = None
        if serving and isinstance(self._database, Postgres):
            self._presence = Presence(
                self._database.connect, id_=self.replica, version=__version__, clock=self._database.clock,
                died=self._bury,
            )  # fmt: skip
        committed = self._presence.committed if self._presence else None
        self._writer = Writer(self._database, self.meters, committed=committed)
        if self._presence:
            self._presence.start()

    @property
    def path(self) -> Path:
        """The embedded database's file. Raises StoreError for one that is on a server."""
        if not isinstance(self._database, Sqlite):
            raise StoreError(f"database {self.name} is on a server, not in a file: use PostgreSQL's own tools")
        return self._database.path

    def write(self, job: Callable[[Tx], T]) -> Future[T]:
        """Runs `job` in a transaction; the future gives its result once it is durable. A job may be run again."""
        return self._writer.submit(job)

    def read(self, job: Callable[[Tx], T]) -> T:
        """Runs `job` on a reading connection. Raises StoreUnavailable when the database refuses."""
        try:
            return self._look(job)
        except DBAPIError as exc:
            self.meters.refused("read")
            raise StoreUnavailable(f"the database refuses to read: {reason(exc)}") from exc

    def listen(self, heard: Callable[[], None]) -> bool:
        """Has `heard` called, from a thread, when another replica committed something; False where nobody else can."""
        if self._presence is None:
            return False
        self._presence.heard = heard
        return True

    def close(self) -> None:
        """Finishes what was submitted, gives what is still in hand to the other replicas, lets go of the database."""
        try:
            if self._presence is not None:
                self._presence.leave()
                with suppress(StoreUnavailable, TimeoutError, CancelledError):
                    self._bury(self.replica).result(timeout=GOODBYE_SECONDS)
                self._presence.stop()
        finally:
            self._writer.close()
            self._let_go()

    def _bury(self, replica: str) -> Future[int]:
        return self.write(lambda tx: tx.bury(replica, self.clock.now()))

    def _look(self, job: Callable[[Tx], T]) -> T:
        try:
            with self._database.reading.connect() as connection:
                return job(Tx(connection))
        except DBAPIError as exc:
            if not exc.connection_invalidated:
                raise
        # the connection had died while it lay idle, and with it the pool was emptied: once more on a new one
        with self._database.reading.connect() as connection:
            return job(Tx(connection))

    def _let_go(self) -> None:
        self._database.dispose()
        if self._lock is not None:
            self._lock.release()


def opened(url: URL, *, busy_seconds: float) -> Sqlite | Postgres:
    """What keeps the database of that URL. Nothing has been asked of it yet. Raises StoreError."""
    kind = Postgres if url.get_backend_name() in _POSTGRES else Sqlite
    return kind(url, busy_seconds=busy_seconds)


def parse(url: str) -> URL:
    """The URL taken apart. Raises StoreError for one of no database that we keep anything in."""
    example = "write sqlite:///tocsin.db or postgresql://user@host/name"
    try:
        # the scheme that others print for the same; SQLAlchemy knows the long one only
        parsed = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
        known = parsed.get_backend_name() in ("sqlite", *_POSTGRES)
    except (ArgumentError, ValueError):
        said = "" if "@" in url else f" {url!r}"  # what stands before an @ may be a password
        raise StoreError(f"database{said} is not a database URL: {example}") from None
    except NoSuchModuleError as exc:
        raise StoreError(f"database: {exc}: {example}") from exc
    if not known:
        raise StoreError(f"database {parsed.get_backend_name()}: Tocsin keeps its timeline elsewhere: {example}")
    return parsed
