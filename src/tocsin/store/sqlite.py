"""The embedded database: SQLite in WAL mode with full synchronisation, one connection that writes, others that read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import QueuePool

from tocsin.store.clocks import HostClock
from tocsin.store.errors import StoreError, reason

PREPARED = 512
"""Statements that a connection keeps prepared: a set of rows has one for each size (`tocsin.store.sending`)."""
REFUSALS = ("locked", "readonly", "read-only", "disk", "full", "malformed", "unable to open")


class Sqlite:
    """A file that one server serves."""

    server = "SQLite"

    def __init__(self, url: URL, *, busy_seconds: float) -> None:
        """`busy_seconds` is how long to wait for another process's transaction. Raises StoreError: no usable file."""
        self.path = _path(url)
        self.name = str(self.path)
        self.clock = HostClock()
        self.writing = _engine(url, writing=True, busy_seconds=busy_seconds)
        self.reading = _engine(url, writing=False, busy_seconds=busy_seconds)

    def refused(self, exc: DBAPIError) -> bool:
        """Whether the database as a whole refuses (locked, read-only, full, broken), not this one statement."""
        return not isinstance(exc, IntegrityError) and any(w in reason(exc).casefold() for w in REFUSALS)

    def unopened(self, exc: DBAPIError) -> StoreError:
        """Why it cannot be opened, with the remedy."""
        return StoreError(f"database {self.name}: {_remedy(reason(exc))}")

    def transaction(self, connection: Connection) -> str:
        return ""

    def was_committed(self, transaction: str) -> bool | None:
        """The answer to a commit is never lost on the way: when it failed, nothing was kept."""
        return False

    def dispose(self) -> None:
        self.writing.dispose()
        self.reading.dispose()


def _path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise StoreError("database sqlite:// names no file: write sqlite:///tocsin.db")
    path = Path(url.database)
    if path.is_dir():
        raise StoreError(f"database {path} is a directory: name a file in it, e.g. sqlite:///{path}/tocsin.db")
    if not path.parent.is_dir():
        raise StoreError(f"database {path}: its directory does not exist: mkdir -p {path.parent}")
    return path


def _engine(url: URL, *, writing: bool, busy_seconds: float) -> Engine:
    # One writing connection, kept; readers are pooled. WAL lets them read while it writes.
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1 if writing else 4,
        max_overflow=0 if writing else 8,
        connect_args={"timeout": busy_seconds, "check_same_thread": False, "cached_statements": PREPARED}
        | ({"autocommit": True} if hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL") else {"isolation_level": None}),
    )

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
