"""A database opened: migrated, held by one server, and refused in one line that says how to mend it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from tocsin.store.database import Store
from tocsin.store.errors import StoreError
from tocsin.store.migrate import HEAD, current, upgrade, walk
from tocsin.store.schema import metadata

NOBODY = 65534


@contextmanager
def folder() -> Iterator[Path]:
    """A directory that an ordinary person may enter, even when the tests are run by root."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@contextmanager
def ordinary_person() -> Iterator[None]:
    """Rights as everybody has them: root ignores modes."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def refused(url: str, **how: float) -> str:
    with pytest.raises(StoreError) as caught:
        Store(url, **how)  # type: ignore[arg-type]
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_an_empty_path_becomes_a_database_of_this_version(tmp_path: Path) -> None:
    Store(f"sqlite:///{tmp_path}/tocsin.db").close()
    engine = create_engine(f"sqlite:///{tmp_path}/tocsin.db")
    assert current(engine) == HEAD
    assert upgrade(engine) is False
    engine.dispose()


@pytest.mark.parametrize("bring", [walk, upgrade], ids=["through history", "at once"])
def test_the_schema_is_the_one_the_statements_are_written_for(
    tmp_path: Path, bring: Callable[[Engine], object]
) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = create_engine(f"sqlite:///{tmp_path}/tocsin.db")
    bring(engine)
    assert current(engine) == HEAD
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    with closing(Store(url)) as store:
        store.write(lambda tx: tx.put_setting("kept", "yes")).result()
    with closing(Store(url)) as store:
        assert store.read(lambda tx: tx.setting("kept")) == "yes"


def test_a_database_a_newer_version_brought_further_is_still_served(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    Store(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("ALTER TABLE incident ADD COLUMN region TEXT"))
    engine.dispose()
    with closing(Store(url)) as store:
        assert store.read(lambda tx: tx.next_number()) == 1


def test_a_half_done_migration_leaves_nothing_and_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE setting (name TEXT)")  # stands in the way of the last step
    assert "already exists" in refused(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE setting")
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    Store(f"sqlite:///{path}").close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tocsin.db", "database 'tocsin.db' is not a database URL: write sqlite:///tocsin.db"),
        ("sqlite://", "database sqlite:// names no file: write sqlite:///tocsin.db"),
        ("sqlite:///:memory:", "database sqlite:// names no file: write sqlite:///tocsin.db"),
        ("mysql://me:hunter2@db/tocsin", "write sqlite:///tocsin.db"),
        ("sqlite:////nowhere/at/all/tocsin.db", "its directory does not exist: mkdir -p /nowhere/at/all"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, said: str) -> None:
    found = refused(url)
    assert said in found
    assert "hunter2" not in found


def test_a_directory_is_refused_with_the_file_to_name(tmp_path: Path) -> None:
    assert refused(f"sqlite:///{tmp_path}") == (
        f"database {tmp_path} is a directory: name a file in it, e.g. sqlite:///{tmp_path}/tocsin.db"
    )


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Notes\n" * 200)
    assert refused(f"sqlite:///{path}") == (
        f"database {path}: file is not a database: the file is not a SQLite database: name another file with --database"
    )
    assert path.read_text() == "# Notes\n" * 200


def test_a_file_that_cannot_be_written_is_refused() -> None:
    with folder() as place:
        path = place / "tocsin.db"
        Store(f"sqlite:///{path}").close()
        path.chmod(0o444)
        place.chmod(0o555)
        with ordinary_person():
            said = refused(f"sqlite:///{path}")
        place.chmod(0o755)
    assert "chmod u+w" in said or "cannot be opened" in said


def test_a_directory_that_cannot_be_written_is_refused() -> None:
    with folder() as place:
        place.chmod(0o555)
        with ordinary_person():
            said = refused(f"sqlite:///{place}/tocsin.db")
            serving = refused(f"sqlite:///{place}/tocsin.db", serving=True)
        place.chmod(0o755)
    assert "unable to open database file: it cannot be opened" in said
    assert f"make its directory writable: {place}" in serving


def test_a_file_another_process_writes_in_for_longer_than_we_wait_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    Store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = refused(f"sqlite:///{path}", busy_seconds=0.05)
    assert said == (
        f"database {path}: database is locked: another process holds it: stop the other tocsin, "
        "or name another file with --database"
    )
    Store(f"sqlite:///{path}").close()


def test_a_second_server_on_the_same_file_is_refused_and_named_its_holder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    with closing(Store(url, serving=True)):
        assert f"another tocsin (process {os.getpid()}) serves it: stop that one" in refused(url, serving=True)
        Store(url).close()  # administration goes on beside a server
    Store(url, serving=True).close()


def test_a_refused_server_lets_go_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    path.write_text("no database " * 100)
    refused(f"sqlite:///{path}", serving=True)
    path.unlink()
    Store(f"sqlite:///{path}", serving=True).close()
