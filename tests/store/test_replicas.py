"""Replicas on one database: who lives, what a dead one leaves behind, what the others hear of a commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from databases import elsewhere
from structlog.testing import capture_logs

from tocsin.incident import events as e
from tocsin.incident.fold import begin
from tocsin.incident.work import Execute
from tocsin.store.database import Store
from tocsin.store.errors import NewerVersion
from tocsin.store.presence import ALIVE
from tocsin.store.tx import Tx

LONG = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def until(true: Callable[[], object]) -> None:
    """Comes back once it is true; gives up after seconds that no test should take."""
    for _ in range(2000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def give_work(store: Store) -> None:
    """One piece of work of one incident, which waits to be claimed."""
    now = store.clock.now()
    entry = e.Entry(1, now, "Ana", e.Opened("Checkout is down", "SEV1", "said", "shop", "declared", "d" * 64))

    def give(tx: Tx) -> None:
        tx.save(begin("id1", 1, entry), lambda: None, new=True)
        tx.append("id1", [entry])
        tx.enqueue("id1", [("a", "", Execute("1"))], now=now)

    store.write(give).result()


def claim(store: Store) -> list[tuple[int, bool]]:
    """(attempt, uncertain) of what could be taken, for an hour."""
    now = store.clock.now()
    return store.write(
        lambda tx: [
            (item.attempt, item.uncertain)
            for item in tx.claim(now=now, lease_until=now + LONG, owner=store.replica, kinds=("execute",), limit=9)
        ]
    ).result()


def known(store: Store) -> list[str]:
    return [replica.id for replica in store.read(lambda tx: tx.replicas())]


def strike_dead(store: Store) -> None:
    """Its connections end without a word, as after kill -9; the object is good for nothing but closing."""
    if store._presence is not None:
        store._presence.stop()


def test_servers_are_known_as_long_as_they_live_and_commands_are_not(postgres_url: str) -> None:
    with closing(Store(postgres_url, serving=True)) as one, closing(Store(postgres_url)) as command:
        with closing(Store(postgres_url, serving=True)) as two:
            assert known(command) == [one.replica, two.replica]
        assert known(command) == [one.replica]


def test_what_a_dead_replica_had_in_hand_is_taken_over_as_uncertain(postgres_url: str) -> None:
    with closing(Store(postgres_url, serving=True)) as one, closing(Store(postgres_url, serving=True)) as two:
        give_work(one)
        assert claim(one) == [(1, False)]
        assert claim(two) == []
        strike_dead(one)
        until(lambda: known(two) == [two.replica])
        assert claim(two) == [(2, True)]


def test_what_somebody_whom_nobody_knows_has_in_hand_is_taken_over(postgres_url: str) -> None:
    with closing(Store(postgres_url, serving=True)) as one, closing(Store(postgres_url)) as unknown:
        give_work(unknown)
        assert claim(unknown) == [(1, False)]
        until(lambda: claim(one) == [(2, True)])


def test_what_a_replica_has_in_hand_when_it_stops_politely_is_free_at_once(postgres_url: str) -> None:
    with closing(Store(postgres_url, serving=True)) as two:
        with closing(Store(postgres_url, serving=True)) as one:
            give_work(one)
            assert claim(one) == [(1, False)]
        assert claim(two) == [(2, True)]


def test_a_replica_that_says_nothing_for_seconds_is_dead_although_its_connection_stands(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as frozen:
        row = frozen.execute(
            "INSERT INTO replica (id, version, started_at, beat_at) VALUES ('frozen', '0', 0, 0) RETURNING number"
        ).fetchone()
        assert row is not None
        frozen.execute("SELECT pg_advisory_lock(%s::int, %s::int)", (ALIVE, row[0]))
        with closing(Store(postgres_url, serving=True)) as store:
            until(lambda: known(store) == [store.replica])


def test_one_that_was_taken_for_dead_is_known_again(postgres_url: str) -> None:
    with closing(Store(postgres_url, serving=True)) as store:
        elsewhere(postgres_url, "DELETE FROM replica")
        until(lambda: known(store) == [store.replica])


def test_a_living_replica_keeps_what_it_has_when_another_one_starts(postgres_url: str) -> None:
    with closing(Store(postgres_url, serving=True)) as one, closing(Store(postgres_url, serving=True)) as two:
        give_work(one)
        claim(one)
        assert two.write(lambda tx: tx.release_all(two.clock.now())).result() == 0
        assert claim(two) == []


def test_a_commit_is_heard_by_the_others_alone(postgres_url: str) -> None:
    with closing(Store(postgres_url, serving=True)) as one, closing(Store(postgres_url, serving=True)) as two:
        here, there = threading.Event(), threading.Event()
        assert one.listen(here.set)
        assert two.listen(there.set)
        one.write(lambda tx: tx.put_setting("a", "1")).result()
        assert there.wait(10)
        assert not here.is_set()


def test_where_nobody_else_can_write_there_is_nothing_to_hear(store: Store) -> None:
    assert store.listen(lambda: None) is False


def test_the_clock_that_counts_is_the_databases(postgres_url: str) -> None:
    with closing(Store(postgres_url)) as store:
        store.write(lambda tx: tx.put_setting("a", "1")).result()
        before = elsewhere(postgres_url, "SELECT clock_timestamp()")[0][0]
        now = store.clock.now()
        after = elsewhere(postgres_url, "SELECT clock_timestamp()")[0][0]
        assert before - timedelta(seconds=1) < now <= after


def test_what_was_committed_after_a_place_in_the_stream_comes_in_order(store: Store) -> None:
    give_work(store)
    place = store.read(lambda tx: tx.last_position())
    assert store.read(lambda tx: tx.news(place, 10)) == []
    now = store.clock.now()
    more = [e.Entry(n, now, "Ana", e.Noted(f"note {n}")) for n in (2, 3)]
    store.write(lambda tx: tx.append("id1", more)).result()
    assert [entry for _, _, entry in store.read(lambda tx: tx.news(place, 10))] == more
    assert len(store.read(lambda tx: tx.news(0, 2))) == 2


def written_by_a_newer_version(store: Store) -> None:
    elsewhere(store.url, "UPDATE incident SET rev = 99, next_due_at = 0")


def test_what_a_newer_version_has_written_is_left_to_it_and_can_be_looked_at(store: Store) -> None:
    give_work(store)
    now = store.clock.now()
    store.write(lambda tx: tx.postpone("id1", now)).result()
    assert store.read(lambda tx: tx.due(now, 9)) == ["id1"]
    written_by_a_newer_version(store)
    assert store.read(lambda tx: (tx.due(now, 9), tx.next_due_at())) == ([], None)
    assert claim(store) == []
    incident = store.read(lambda tx: tx.incident("id1"))
    assert incident is not None
    assert incident.title == "Checkout is down"


@pytest.mark.parametrize(
    "ask",
    [lambda tx: tx.incident("id1"), lambda tx: tx.incident_numbered(1), lambda tx: tx.open_incident_of("shop")],
    ids=["by id", "by number", "by service"],
)
def test_who_would_write_is_sent_to_a_newer_version(store: Store, ask: Callable[[Tx], object]) -> None:
    give_work(store)
    written_by_a_newer_version(store)
    with pytest.raises(NewerVersion, match="ask again, or upgrade this server"):
        store.write(ask).result()
    store.write(lambda tx: tx.put_setting("others", "go on")).result()
