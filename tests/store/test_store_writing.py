"""Writing: in order, together, each job undone alone, told only once durable; and back again after trouble."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import CancelledError, Future
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from databases import elsewhere
from sqlalchemy.exc import IntegrityError

from tocsin.store.database import Store
from tocsin.store.errors import StoreUnavailable
from tocsin.store.postgres import PEN
from tocsin.store.tx import Tx


class Gate:
    """Keeps the writing thread busy, so that what is submitted meanwhile becomes one batch."""

    def __init__(self, store: Store) -> None:
        self._open, entered = threading.Event(), threading.Event()

        def wait(tx: Tx) -> None:
            entered.set()
            self._open.wait(10)

        self._future = store.write(wait)
        entered.wait(10)

    def open(self) -> None:
        self._open.set()
        self._future.result(10)


def settings(store: Store) -> list[str]:
    """The names in the order they were written, as another process sees them."""
    written = "rowid" if store.url.startswith("sqlite") else "ctid"
    return [row[0] for row in elsewhere(store.url, f"SELECT name FROM setting ORDER BY {written}")]


def put(store: Store, name: str) -> Future[None]:
    return store.write(lambda tx: tx.put_setting(name, "x"))


def test_jobs_run_in_the_order_they_came(store: Store) -> None:
    gate = Gate(store)
    done = [put(store, f"{n:03}") for n in range(600)]
    gate.open()
    for future in done:
        future.result(10)
    assert settings(store) == [f"{n:03}" for n in range(600)]


def test_a_job_sees_what_the_one_before_it_in_the_batch_wrote(store: Store) -> None:
    gate = Gate(store)
    put(store, "a")
    seen = store.write(lambda tx: tx.setting("a"))
    gate.open()
    assert seen.result(10) == "x"


def test_a_job_that_raises_is_undone_alone(store: Store) -> None:
    def half(tx: Tx) -> None:
        tx.put_setting("half", "x")
        raise ValueError("no")

    gate = Gate(store)
    before, failed, behind = put(store, "before"), store.write(half), put(store, "behind")
    gate.open()
    before.result(10), behind.result(10)
    with pytest.raises(ValueError, match="no"):
        failed.result(10)
    assert settings(store) == ["before", "behind"]


def test_a_statement_the_database_refuses_is_its_jobs_own_trouble(store: Store) -> None:
    def twice(tx: Tx) -> None:
        tx.put_setting("first", "x")
        tx._c.exec_driver_sql("INSERT INTO setting (name, value) VALUES ('first', 'y')")

    gate = Gate(store)
    failed, behind = store.write(twice), put(store, "behind")
    gate.open()
    behind.result(10)
    with pytest.raises(IntegrityError):
        failed.result(10)
    assert settings(store) == ["behind"]


def test_a_result_is_told_only_after_the_commit(store: Store) -> None:
    """Whoever was told finds it in the file, every time."""
    for n in range(50):
        put(store, str(n)).result(10)
        assert settings(store)[-1] == str(n)


def test_what_the_batch_has_not_committed_nobody_is_told(store: Store) -> None:
    gate = Gate(store)
    first, release, entered = put(store, "first"), threading.Event(), threading.Event()

    def wait(tx: Tx) -> None:
        entered.set()
        release.wait(10)

    last = store.write(wait)
    threading.Timer(0, gate.open).start()
    entered.wait(10)
    assert not first.done()
    assert settings(store) == []
    release.set()
    last.result(10), first.result(10)
    assert settings(store) == ["first"]


def test_a_write_while_another_process_holds_the_file_is_unavailable_and_works_afterwards(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/tocsin.db", busy_seconds=0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        refused = [put(store, "a"), put(store, "b")]
        for future in refused:
            with pytest.raises(StoreUnavailable, match="the database refuses to write: database is locked"):
                future.result(10)
        connection.execute("ROLLBACK")
    put(store, "c").result(10)
    assert settings(store) == ["c"]
    store.close()


def test_a_write_while_another_replica_holds_the_pen_is_unavailable_and_works_afterwards(postgres_url: str) -> None:
    store = Store(postgres_url, busy_seconds=0.05)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PEN,))
        refused = [put(store, "a"), put(store, "b")]
        for future in refused:
            with pytest.raises(
                StoreUnavailable, match="the database refuses to write: canceling statement due to lock"
            ):
                future.result(10)
    put(store, "c").result(10)
    assert settings(store) == ["c"]
    store.close()


def test_reading_goes_on_while_somebody_writes(store: Store) -> None:
    put(store, "a").result(10)
    gate = Gate(store)
    assert store.read(lambda tx: tx.setting("a")) == "x"
    gate.open()


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match=r"the database refuses to read: .* read-?only"):
        store.read(lambda tx: tx.put_setting("a", "x"))


def test_a_job_nobody_waits_for_any_more_is_left_out_and_the_writing_goes_on(store: Store) -> None:
    gate = Gate(store)
    left, kept = put(store, "left"), put(store, "kept")
    assert left.cancel()
    gate.open()
    kept.result(10)
    with pytest.raises(CancelledError):
        left.result(10)
    put(store, "later").result(10)
    assert settings(store) == ["kept", "later"]


def test_closing_finishes_what_was_submitted_and_refuses_the_rest(url: str) -> None:
    store = Store(url)
    gate = Gate(store)
    submitted = [put(store, str(n)) for n in range(300)]
    threading.Timer(0, gate.open).start()
    store.close()
    assert all(f.result(0) is None for f in submitted)
    assert len(settings(store)) == 300
    with pytest.raises(StoreUnavailable, match="the server is stopping"):
        put(store, "late").result(0)


def test_many_threads_write_at_once_and_every_write_stands(store: Store) -> None:
    def some(thread: int) -> None:
        for n in range(25):
            put(store, f"{thread}-{n}").result(10)

    threads = [threading.Thread(target=some, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(settings(store)) == 200
