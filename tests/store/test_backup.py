"""The database copied while it is written, and put back: whole or not at all, nothing overwritten unasked."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.store.backup import BackupError, back_up, embedded, newest, restore, scheduled
from tocsin.store.database import Store
from tocsin.store.errors import StoreError

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path, empty_store: Path) -> Path:
    path = tmp_path / "tocsin.db"
    path.write_bytes(empty_store.read_bytes())
    return path


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "tocsin.db"
    Store(f"sqlite:///{path}").close()
    return path


def put(path: Path, **settings: str) -> None:
    with closing(Store(f"sqlite:///{path}")) as store:
        for name, value in settings.items():
            store.write(lambda tx, n=name, v=value: tx.put_setting(n, v)).result()  # type: ignore[misc]


def setting(path: Path, name: str) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row and str(row[0])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_copy_holds_what_was_there_and_is_one_file(tmp_path: Path, database: Path) -> None:
    put(database, kept="yes")
    (tmp_path / "copies").mkdir()
    copied = back_up(database, tmp_path / "copies" / "copy.db")
    assert setting(tmp_path / "copies" / "copy.db", "kept") == "yes"
    assert files(tmp_path / "copies") == ["copy.db"]
    assert copied.size == (tmp_path / "copies" / "copy.db").stat().st_size
    assert (tmp_path / "copies" / "copy.db").stat().st_mode & 0o777 == 0o600


def test_it_is_copied_while_a_server_writes(tmp_path: Path, database: Path) -> None:
    stop = threading.Event()
    with closing(Store(f"sqlite:///{database}", serving=True)) as store:

        def write() -> None:
            n = 0
            while not stop.is_set():
                n += 1
                store.write(lambda tx, n=n: (tx.put_setting("a", str(n)), tx.put_setting("b", str(n)))).result()  # type: ignore[misc]

        writing = threading.Thread(target=write)
        writing.start()
        try:
            for n in range(5):
                back_up(database, tmp_path / f"{n}.db")
        finally:
            stop.set()
            writing.join()
    for n in range(5):
        assert setting(tmp_path / f"{n}.db", "a") == setting(tmp_path / f"{n}.db", "b")


def test_a_file_that_is_there_is_overwritten_only_when_asked(tmp_path: Path, database: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("dear to somebody")
    with pytest.raises(BackupError, match="--force"):
        back_up(database, copy)
    assert copy.read_text() == "dear to somebody"
    back_up(database, copy, overwrite=True)
    assert setting(copy, "nothing") is None


def test_a_damaged_database_is_not_copied(tmp_path: Path, database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(20_000)
        file.write(os.urandom(30_000))
    with pytest.raises(BackupError, match=r"damaged|cannot be copied"):
        back_up(database, tmp_path / "copy.db")
    assert files(tmp_path) == ["tocsin.db"]


@pytest.mark.parametrize("text", [b"", b"not a database" * 100])
def test_what_is_no_database_of_ours_is_neither_copied_nor_put_back(
    tmp_path: Path, database: Path, text: bytes
) -> None:
    (tmp_path / "strange").write_bytes(text)
    for attempt in (
        lambda: back_up(tmp_path / "strange", tmp_path / "copy.db"),
        lambda: restore(tmp_path / "strange", database, now=NOW),
    ):
        with pytest.raises(BackupError):
            attempt()
    assert files(tmp_path) == ["strange", "tocsin.db", "tocsin.db.lock"]


def test_a_restore_brings_back_the_copy_and_keeps_what_it_replaced(tmp_path: Path, database: Path) -> None:
    put(database, era="before")
    back_up(database, tmp_path / "copy.db")
    put(database, era="after")
    _, kept = restore(tmp_path / "copy.db", database, now=NOW)
    assert kept == tmp_path / "tocsin.db.replaced-20260301T080000Z"
    assert (setting(database, "era"), setting(kept, "era")) == ("before", "after")
    put(database, era="again")
    assert setting(kept, "era") == "after"


def test_what_only_the_log_still_held_is_kept_too_and_not_played_into_the_restored(
    tmp_path: Path, database: Path
) -> None:
    put(database, era="before")
    back_up(database, tmp_path / "copy.db")
    reader = sqlite3.connect(database)
    reader.execute("SELECT * FROM setting").fetchall()  # whoever has it open keeps its log from being put away
    writer = sqlite3.connect(database)
    with writer:
        writer.execute("UPDATE setting SET value = 'in the log' WHERE name = 'era'")
    _, kept = restore(tmp_path / "copy.db", database, now=NOW)
    writer.close()
    reader.close()
    assert kept is not None
    assert (setting(database, "era"), setting(kept, "era")) == ("before", "in the log")


def test_a_damaged_database_is_replaced_and_kept(tmp_path: Path, database: Path) -> None:
    put(database, era="good")
    back_up(database, tmp_path / "copy.db")
    database.write_bytes(b"scrambled")
    _, kept = restore(tmp_path / "copy.db", database, now=NOW)
    assert setting(database, "era") == "good"
    assert kept is not None
    assert kept.read_bytes() == b"scrambled"


def test_nothing_is_put_back_while_a_server_runs(tmp_path: Path, database: Path) -> None:
    back_up(database, tmp_path / "copy.db")
    with (
        closing(Store(f"sqlite:///{database}", serving=True)),
        pytest.raises(StoreError, match=f"process {os.getpid()}"),
    ):
        restore(tmp_path / "copy.db", database, now=NOW)


def test_a_restore_where_there_was_nothing(tmp_path: Path, database: Path) -> None:
    back_up(database, tmp_path / "copy.db")
    (tmp_path / "new").mkdir()
    _, kept = restore(tmp_path / "copy.db", tmp_path / "new" / "tocsin.db", now=NOW)
    assert kept is None
    put(tmp_path / "new" / "tocsin.db", works="yes")


def test_of_scheduled_copies_the_newest_are_left(tmp_path: Path, database: Path) -> None:
    folder = tmp_path / "copies"
    assert newest(folder) is None
    for day in range(4):
        scheduled(folder, database, now=NOW + timedelta(days=day), keep=2)
    assert files(folder) == ["tocsin-20260303T080000Z.db", "tocsin-20260304T080000Z.db"]
    assert newest(folder) == (folder / "tocsin-20260304T080000Z.db").stat().st_mtime


def test_a_database_on_a_server_names_the_command_without_its_password() -> None:
    with pytest.raises(BackupError, match=r"pg_dump --format=custom --file x 'postgresql://ana@db/tocsin'") as caught:
        embedded("postgresql+psycopg://ana:secret@db/tocsin", file=Path("x"))
    assert "secret" not in str(caught.value)
    with pytest.raises(BackupError, match=r"stop every server, then .* pg_restore"):
        embedded("postgresql://ana:secret@db/tocsin", file=Path("x"), restoring=True)
