"""What PostgreSQL is told ahead: when it fails, is lost or waits, nothing is half-kept and nobody is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from tocsin.incident import events as e
from tocsin.incident.fold import begin
from tocsin.store.database import Store
from tocsin.store.errors import StoreUnavailable
from tocsin.store.line import Line
from tocsin.store.tx import Tx

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
UNWANTED = "unwanted"


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    """One that refuses every incident of that title."""
    with closing(Store(postgres_url, busy_seconds=5)) as store:
        store.write(
            lambda tx: tx._c.exec_driver_sql(f"ALTER TABLE incident ADD CHECK (title <> '{UNWANTED}')")
        ).result()
        yield store


def opens(tx: Tx, number: int, title: str = "Trouble") -> None:
    opened = e.Opened(title, "SEV1", "said", "shop", "declared", "d" * 64)
    tx.save(begin(f"id{number}", number, e.Entry(1, NOW, "Ana", opened)), lambda: None, new=True)


def numbers(store: Store) -> list[int]:
    return [incident.number for incident in store.read(lambda tx: tx.incidents())]


def ahead(tx: Tx) -> None:
    opens(tx, 1)
    tx.ahead()
    opens(tx, 2, UNWANTED)
    tx.ahead()


def staged(tx: Tx) -> None:
    with tx.stage():
        ahead(tx)


def given_up(tx: Tx) -> None:
    ahead(tx)
    with suppress(IntegrityError), tx.stage():
        tx.last_position()


def gone_on(tx: Tx) -> None:
    with suppress(IntegrityError), tx.stage():
        ahead(tx)
        tx.last_position()
    opens(tx, 3)
    tx.ahead()


@pytest.mark.parametrize("job", [ahead, staged, given_up, gone_on])
def test_what_fails_ahead_is_said_and_keeps_nothing(store: Store, job: Callable[[Tx], None]) -> None:
    with pytest.raises(IntegrityError, match="violates check constraint"):
        store.write(job).result()
    assert numbers(store) == []
    store.write(lambda tx: opens(tx, 1)).result()
    assert numbers(store) == [1]


def test_what_fails_ahead_takes_no_other_job_with_it(store: Store) -> None:
    begun, go = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        begun.set()
        go.wait(5)

    first = store.write(hold)
    begun.wait(5)
    bad, good = store.write(ahead), store.write(lambda tx: opens(tx, 7))
    go.set()
    first.result()
    with pytest.raises(IntegrityError):
        bad.result()
    good.result()
    assert numbers(store) == [7]


def test_a_connection_that_is_lost_ahead_is_the_database_refusing(store: Store, postgres_url: str) -> None:
    def lost(tx: Tx) -> None:
        own = tx._c.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        opens(tx, 1)
        tx.ahead()
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (own,))
        tx.ahead()
        opens(tx, 2)
        tx.ahead()

    with pytest.raises(StoreUnavailable):
        store.write(lost).result()
    assert numbers(store) == []
    store.write(lambda tx: opens(tx, 1)).result()
    assert numbers(store) == [1]


def test_who_freezes_after_it_told_something_ahead_loses_the_pen(store: Store) -> None:
    def freezes(tx: Tx) -> None:
        tx._c.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '200ms'")
        opens(tx, 1)
        tx.ahead()
        time.sleep(1)

    with pytest.raises(StoreUnavailable):
        store.write(freezes).result()
    assert numbers(store) == []


def test_waiting_for_what_was_told_ahead_stops_no_other_thread(store: Store, postgres_url: str) -> None:
    def release(held: psycopg.Connection[tuple[object, ...]]) -> None:
        while not held.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            time.sleep(0.01)
        time.sleep(0.2)  # by now the other waits for its answer
        held.execute("SELECT pg_advisory_unlock(7)")

    def waits(tx: Tx) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as held:
            held.execute("SELECT pg_advisory_lock(7)")
            line = Line(tx._c)
            line.tell("SELECT pg_advisory_xact_lock($1::int)", "7")
            releasing = threading.Thread(target=release, args=(held,))
            releasing.start()
            line.wait()
            releasing.join()

    store.write(waits).result()


def test_what_is_told_ahead_may_be_larger_than_the_socket_takes_at_once(store: Store) -> None:
    def told(tx: Tx) -> None:
        for number in range(1, 41):
            opens(tx, number, "x" * 500_000)
            tx.ahead()

    store.write(told).result()
    assert len(numbers(store)) == 40
