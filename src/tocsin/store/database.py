"""A database opened: one writer, any number of readers, migrated. SQLite in WAL mode with full synchronisation."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from tocsin.engine.meters import Meters
from tocsin.store.errors import StoreError, StoreUnavailable
from tocsin.store.lock import Lock
from tocsin.store.migrate import upgrade
from tocsin.store.tx import Tx
from tocsin.store.writer import Writer, reason

T = TypeVar("T")
BUSY_SECONDS = 2.0


class Store:
    """Where timelines live. `write` is ordered and durable; `read` sees the last commit."""

    def __init__(self, url: str, *, serving: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        """Opens and migrates. Raises StoreError with the remedy when the database cannot be used.

        `serving` claims the file: two servers on one embedded database would page everybody twice. `busy_seconds` is
        how long to wait for another process's transaction.
        """
        self.url = url
        self.path = _sqlite_path(url)
        self.meters = Meters()
        self._lock = Lock(self.path) if serving else None
        self._write_engine = _sqlite(url, writing=True, busy_seconds=busy_seconds)
        self._read_engine = _sqlite(url, writing=False, busy_seconds=busy_seconds)
        try:
            upgrade(self._write_engine)
        except DBAPIError as exc:
            self._let_go()
            raise StoreError(f"database {self.path}: {_remedy(reason(exc))}") from exc
        self._writer = Writer(self._write_engine, self.meters)

    def write(self, job: Callable[[Tx], T]) -> Future[T]:
        """Runs `job` in a transaction; the future gives its result once it is durable."""
        return self._writer.submit(lambda connection: job(Tx(connection)))

    def read(self, job: Callable[[Tx], T]) -> T:
        """Runs `job` on a reading connection. Raises StoreUnavailable when the database refuses."""
        try:
            with self._read_engine.connect() as connection:
                return job(Tx(connection))
        except DBAPIError as exc:
            self.meters.refused("read")
            raise StoreUnavailable(f"the database refuses to read: {reason(exc)}") from exc

    def close(self) -> None:
        """Finishes what was submitted, then lets go of the file."""
        self._writer.close()
        self._let_go()

    def _let_go(self) -> None:
        self._write_engine.dispose()
        self._read_engine.dispose()
        if self._lock is not None:
            self._lock.release()


def _sqlite_path(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"database {url!r} is not a database URL: write sqlite:///tocsin.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"database {parsed.render_as_string(hide_password=True)}: this version keeps its timeline in SQLite, "
            "write sqlite:///tocsin.db"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("database sqlite:// names no file: write sqlite:///tocsin.db")
    path = Path(parsed.database)
    if path.is_dir():
        raise StoreError(f"database {path} is a directory: name a file in it, e.g. sqlite:///{path}/tocsin.db")
    if not path.parent.is_dir():
        raise StoreError(f"database {path}: its directory does not exist: mkdir -p {path.parent}")
    return path


def _sqlite(url: str, *, writing: bool, busy_seconds: float) -> Engine:
    try:
        # One writing connection, kept; readers are pooled. WAL lets them read while it writes.
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=1 if writing else 4,
            max_overflow=0 if writing else 8,
            connect_args={"timeout": busy_seconds, "check_same_thread": False, "autocommit": True}
            if hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL")
            else {"timeout": busy_seconds, "check_same_thread": False, "isolation_level": None},
        )
    except NoSuchModuleError as exc:
        raise StoreError(f"database: {exc}") from exc

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        if writing:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
        else:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE: take the write lock at once, so that a transaction never has to be undone half-way for it
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _remedy(words: str) -> str:
    """The driver's words and what to do about them."""
    remedies = {
        "locked": "another process holds it: stop the other tocsin, or name another file with --database",
        "readonly": "the file or its directory cannot be written: chmod u+w, or name another file with --database",
        "read-only": "the file or its directory cannot be written: chmod u+w, or name another file with --database",
        "unable to open": "it cannot be opened: check that the path exists and may be read and written",
        "not a database": "the file is not a SQLite database: name another file with --database",
        "malformed": "the file is damaged: restore it from a backup",
        "full": "the disk is full: free some space",
    }
    found = next((remedy for word, remedy in remedies.items() if word in words), "check the file")
    return f"{words}: {found}"
