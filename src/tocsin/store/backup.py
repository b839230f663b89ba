"""The embedded database copied as it is at one instant, also while a server writes to it, and put back.

A copy is one file, complete and checked before it has its name. What a restore replaces is kept beside it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from sqlalchemy import URL

from tocsin.store.database import parse
from tocsin.store.errors import StoreError
from tocsin.store.lock import Lock

BUSY_SECONDS = 10.0
_BESIDE = ("-wal", "-shm")
PATTERN = "tocsin-*.db"
"""Names of scheduled copies; they sort by age."""


class BackupError(StoreError):
    """No copy was made, or nothing put back: one sentence with the remedy. What was there before still is."""


class Copied(Struct, frozen=True):
    """A copy that was checked: its size in bytes, and how many incidents it holds."""

    size: int
    incidents: int


def embedded(url: str, *, file: Path, restoring: bool = False) -> Path:
    """The embedded database's file. Raises BackupError with the command to use for one on a server."""
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return Path(parsed.database)
    shown = URL.create(
        "postgresql", parsed.username, host=parsed.host, port=parsed.port, database=parsed.database
    ).render_as_string()
    if restoring:
        command = f"pg_restore --clean --if-exists --dbname '{shown}' {file}"
        raise BackupError(f"the database is on PostgreSQL: stop every server, then put it back with {command}")
    command = f"pg_dump --format=custom --file {file} '{shown}'"
    raise BackupError(f"the database is on PostgreSQL: copy it with {command}")


def back_up(database: Path, file: Path, *, overwrite: bool = False) -> Copied:
    """Copies the database into `file`; others may read and write it meanwhile. Raises BackupError."""
    if not database.is_file():
        raise BackupError(f"{database}: there is no such database: name it with --database")
    if file.exists() and not overwrite:
        raise BackupError(f"{file} is there already: name another file, or overwrite it with --force")
    if file.exists() and file.samefile(database):
        raise BackupError(f"{file} is the database itself: name another file")
    with _part(file) as part:
        copied = _copy(database, part)
        os.replace(part, file)
        _sync(file.parent)
    return copied


def restore(file: Path, database: Path, *, now: datetime) -> tuple[Copied, Path | None]:
    """Puts a copy in the place of the database, which is kept under the second name, None when there was none.

    Raises BackupError; StoreError naming who serves the database while somebody does.
    """
    if not file.is_file():
        raise BackupError(f"{file}: there is no such file")
    if database.exists() and file.samefile(database):
        raise BackupError(f"{file} is the database itself: name a copy of it")
    lock = Lock(database)
    try:
        with _part(database) as part:
            copied = _copy(file, part)
            kept = _set_aside(database, now) if database.exists() else None
            os.replace(part, database)
            _sync(database.parent)
        return copied, kept
    finally:
        lock.release()


def scheduled(folder: Path, database: Path, *, now: datetime, keep: int) -> Copied:
    """One more copy in the folder, named after `now`; of the earlier ones the newest are left. Raises BackupError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        copied = back_up(database, folder / f"tocsin-{now:%Y%m%dT%H%M%SZ}.db", overwrite=True)
        for old in sorted(folder.glob(PATTERN))[:-keep]:
            old.unlink(missing_ok=True)
    except OSError as exc:
        raise BackupError(f"{folder}: {exc.strerror}: let Tocsin's user write there") from exc
    return copied


def newest(folder: Path) -> float | None:
    """When the newest copy of the folder was made, Unix time; None when there is none."""
    try:
        return max((path.stat().st_mtime for path in folder.glob(PATTERN)), default=None)
    except OSError:
        return None


def _copy(source: Path, part: Path) -> Copied:
    """A checked copy, on the disk. One look at the source, so that writers neither wait for it nor begin it anew."""
    try:
        with closing(_opened(source)) as read, closing(sqlite3.connect(part, isolation_level=None)) as written:
            _refuse_a_stranger(read, source)
            read.backup(written)
            written.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
            wrong = written.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if wrong != "ok":
                raise BackupError(f"{source} is damaged ({wrong}): it was not copied")
            incidents = written.execute("SELECT count(*) FROM incident").fetchone()[0]
        with part.open("rb") as file:
            os.fsync(file.fileno())
        return Copied(part.stat().st_size, incidents)
    except sqlite3.Error as exc:
        raise BackupError(f"{source} cannot be copied: {exc}") from exc


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _refuse_a_stranger(connection: sqlite3.Connection, path: Path) -> None:
    ours = connection.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('incident', 'event')").fetchone()[0]
    if ours != 2:
        raise BackupError(f"{path} is no database of Tocsin's")


def _set_aside(database: Path, now: datetime) -> Path:
    """The replaced database under a dated name, whole: what its log still holds goes with it."""
    kept = database.with_name(f"{database.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    try:
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        pass  # it is damaged, perhaps the very reason to restore: it is kept with whatever log it has
    for suffix in _BESIDE:  # first: a log left behind would be played into the restored one
        beside = Path(f"{database}{suffix}")
        if beside.exists():
            beside.rename(f"{kept}{suffix}")
    os.link(database, kept)  # there is never a moment without a database
    return kept


@contextmanager
def _part(file: Path) -> Iterator[Path]:
    """A name beside `file` for what is not whole yet; gone at the end, however it ends."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
    except OSError as exc:
        raise BackupError(f"{file} cannot be written: {exc.strerror}: choose a folder that can") from exc
    finally:
        for suffix in ("", "-journal", *_BESIDE):
            Path(f"{part}{suffix}").unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
