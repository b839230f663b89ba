"""What a check comes to, and the check of the database, which is looked at without changing it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tocsin.store.errors import StoreError
from tocsin.store.migrate import HEAD
from tocsin.store.status import status

BUSY_SECONDS = 2.0
_WAL_RESET_MENDED = (3, 51, 3)


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Check(Struct, frozen=True):
    """One line of the doctor: `what` was looked at, what was found and how to mend it."""

    verdict: Verdict
    what: str
    said: str


def ok(what: str, said: str) -> Check:
    return Check(Verdict.OK, what, said)


def warn(what: str, said: str) -> Check:
    return Check(Verdict.WARN, what, said)


def fail(what: str, said: str) -> Check:
    return Check(Verdict.FAIL, what, said)


def database_check(url: str) -> Check:
    """Whether the database can be opened and written; a file that is not there yet is not created."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return fail("database", "is not a database URL: write sqlite:///tocsin.db or postgresql://user@host/name")
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return _on_a_server(url)
    path = Path(parsed.database)
    if os.path.exists(path):
        return _opened(path)
    if not os.path.isdir(path.parent):
        return fail("database", f"{path}: its directory does not exist: mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return fail("database", f"{path}: its directory cannot be written: chmod u+w {path.parent}")
    return ok("database", f"{path} is not there yet: `tocsin serve` makes it; {_version()}")


def _on_a_server(url: str) -> Check:
    try:
        found = status(url)
    except StoreError as exc:
        return fail("database", str(exc).removeprefix("database "))
    alive = f", {len(found.replicas)} replicas alive" if found.replicas else ""
    said = f"{found.name}: {found.server}{alive}"
    if found.schema is not None and found.schema >= found.head:
        return ok("database", said)
    return warn("database", f"{said}; schema {found.schema or 'none'}, this version's is {HEAD}: `tocsin db upgrade`")


def _opened(path: Path) -> Check:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # takes the lock to write, which a read-only file refuses
            schema = _schema(connection)
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as exc:
        return fail("database", f"{path}: {exc}: {_remedy(str(exc))}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return fail("database", f"{path}: its directory cannot be written: chmod u+w {path.parent}")
    said = f"{path}: {_size(path)}, can be written; {_version()}"
    if schema != HEAD:
        return warn("database", f"{said}; schema {schema or 'none'}, this version's is {HEAD}: `tocsin db upgrade`")
    return ok("database", said)


def _schema(connection: sqlite3.Connection) -> str | None:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _remedy(words: str) -> str:
    if "locked" in words:
        return "another process holds it: stop it, or look again in a moment"
    if "not a database" in words or "malformed" in words:
        return "restore it from a backup, or name another file with --database"
    return "let Tocsin's user read and write it, or name another file with --database"


def _size(path: Path) -> str:
    """The file's and its log's together."""
    size = sum(os.path.getsize(f"{path}{suffix}") for suffix in ("", "-wal") if os.path.exists(f"{path}{suffix}"))
    return f"{size / 1_000_000:.1f} MB" if size >= 100_000 else f"{size / 1_000:.1f} kB"


def _version() -> str:
    said = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info >= _WAL_RESET_MENDED:
        return said
    mended = ".".join(map(str, _WAL_RESET_MENDED))
    return f"{said} (its WAL-reset bug, mended in {mended}, takes several writers: Tocsin has one)"
