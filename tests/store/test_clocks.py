"""The database's clock as a replica knows it: corrected by what it hears, never ahead, whatever its own clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tocsin.store.clocks import DatabaseClock, HostClock, elapsed
from tocsin.store.times import to_db

FAR = to_db(datetime(2031, 5, 1, tzinfo=UTC))


def told(clock: DatabaseClock, instant: int, *, took: timedelta = timedelta(0)) -> None:
    clock.heard(instant, asked=elapsed() - took // timedelta(microseconds=1))


def test_before_it_hears_anything_it_is_the_machines() -> None:
    assert abs(DatabaseClock().now() - HostClock().now()) < timedelta(seconds=5)


def test_it_says_what_the_database_said_and_goes_on_from_there() -> None:
    clock = DatabaseClock()
    told(clock, FAR)
    assert FAR <= to_db(clock.now()) < FAR + 5_000_000


def test_a_slow_answer_does_not_set_it_back() -> None:
    clock = DatabaseClock()
    told(clock, FAR)
    told(clock, FAR - 1_000_000, took=timedelta(seconds=10))
    assert to_db(clock.now()) >= FAR


def test_a_database_that_was_set_back_is_followed() -> None:
    clock = DatabaseClock()
    told(clock, FAR)
    told(clock, FAR - 3_600_000_000)
    assert to_db(clock.now()) < FAR - 3_500_000_000


def test_a_database_that_was_set_forward_is_followed() -> None:
    clock = DatabaseClock()
    told(clock, FAR)
    told(clock, FAR + 3_600_000_000)
    assert to_db(clock.now()) >= FAR + 3_600_000_000
