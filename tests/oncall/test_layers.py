from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.oncall.layers import DAY, WEEK, Layer, Layered, Window, first_turn, window
from tocsin.oncall.overrides import Override
from tocsin.oncall.rotation import RotationError

SECOND = timedelta(seconds=1)
PRAGUE, CHICAGO = ZoneInfo("Europe/Prague"), ZoneInfo("America/Chicago")
ANA_BEN = (("ana",), ("ben",))
MONDAY = datetime(2026, 1, 5, 9)


def prague(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=PRAGUE)  # type: ignore[misc, arg-type]


def weekly(*hours: str, **more: object) -> Layer:
    return Layer(PRAGUE, ANA_BEN, WEEK, MONDAY, during=tuple(window(h) for h in hours), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "begin", "length", "day"),
    [
        ("09:00-17:00", timedelta(hours=9), timedelta(hours=8), None),
        ("21:30 – 09:00", timedelta(hours=21, minutes=30), timedelta(hours=11, minutes=30), None),
        ("00:00-24:00", timedelta(0), DAY, None),
        ("09:00-09:00", timedelta(hours=9), DAY, None),
        ("Fri 18:00 - Mon 08:00", timedelta(hours=18), timedelta(days=2, hours=14), 4),
        ("monday 00:00 - mon 00:00", timedelta(0), WEEK, 0),
        ("08:00:30-08:01", timedelta(hours=8, seconds=30), SECOND * 30, None),
    ],
)
def test_hours_are_read_as_they_are_written(text: str, begin: timedelta, length: timedelta, day: int | None) -> None:
    assert window(text) == Window(begin, length, day)


@pytest.mark.parametrize("text", ["", "9-17", "Mon 09:00-17:00", "25:00-26:00", "09:60-10:00", "Foo 09:00 - Bar 10:00",
                                  "24:00-09:00"])  # fmt: skip
def test_what_states_no_hours_is_refused(text: str) -> None:
    with pytest.raises(RotationError):
        window(text)


def test_office_hours_begin_inclusive_and_end_exclusive() -> None:
    office = weekly("09:00-17:00")
    assert office.at(prague(2026, 1, 6, 9) - SECOND) == ()
    assert office.at(prague(2026, 1, 6, 9)) == ("ana",)
    assert office.at(prague(2026, 1, 6, 17) - SECOND) == ("ana",)
    assert office.at(prague(2026, 1, 6, 17)) == ()
    assert office.next_handoff(prague(2026, 1, 6, 17)) == prague(2026, 1, 7, 9)


def test_a_weekend_reaches_over_the_end_of_the_week() -> None:
    weekend = weekly("Fri 18:00 - Mon 08:00")
    assert weekend.at(prague(2026, 1, 9, 18) - SECOND) == ()
    assert weekend.at(prague(2026, 1, 9, 18)) == ("ana",)
    assert weekend.at(prague(2026, 1, 12, 8) - SECOND) == ("ana",)
    assert weekend.at(prague(2026, 1, 12, 8)) == ()


def test_an_empty_group_is_a_turn_of_nobody() -> None:
    layer = Layer(PRAGUE, (("ana", "cyd"), ()), DAY, MONDAY)
    assert layer.at(prague(2026, 1, 5, 10)) == ("ana", "cyd")
    assert layer.at(prague(2026, 1, 6, 10)) == ()


def test_a_turn_that_lasts_shorter_leaves_nobody_and_a_longer_one_overlaps() -> None:
    short = Layer(PRAGUE, ANA_BEN, DAY, MONDAY, lasts=timedelta(hours=8))
    assert (short.at(prague(2026, 1, 5, 17) - SECOND), short.at(prague(2026, 1, 5, 17))) == (("ana",), ())
    assert short.next_handoff(prague(2026, 1, 5, 12)) == prague(2026, 1, 5, 17)
    long = Layer(PRAGUE, ANA_BEN, DAY, MONDAY, lasts=timedelta(hours=25))
    assert long.at(prague(2026, 1, 6, 9)) == ("ana", "ben")
    assert long.at(prague(2026, 1, 6, 10)) == ("ben",)


def test_a_layer_counts_only_between_its_bounds() -> None:
    layer = weekly(since=prague(2026, 1, 6), until=prague(2026, 1, 7))
    assert layer.at(prague(2026, 1, 6) - SECOND) == ()
    assert layer.at(prague(2026, 1, 6)) == ("ana",)
    assert layer.at(prague(2026, 1, 7) - SECOND) == ("ana",)
    assert layer.at(prague(2026, 1, 7)) == ()


def test_the_higher_level_counts_where_it_has_somebody() -> None:
    base = Layer(PRAGUE, (("cyd",),), WEEK, MONDAY)
    both = Layered((base, weekly("09:00-17:00", level=1)))
    assert both.at(prague(2026, 1, 6, 8)) == ("cyd",)
    assert both.at(prague(2026, 1, 6, 9)) == ("ana",)
    assert both.next_handoff(prague(2026, 1, 6, 8)) == prague(2026, 1, 6, 9)
    assert both.next_handoff(prague(2026, 1, 6, 10)) == prague(2026, 1, 6, 17)


def test_layers_of_one_level_are_on_together_each_person_once() -> None:
    both = Layered((weekly(), Layer(PRAGUE, (("ben", "ana"),), WEEK, MONDAY)))
    assert both.at(prague(2026, 1, 6)) == ("ana", "ben")


def test_a_stand_in_of_one_layer_is_on_outside_its_hours_too_and_leaves_the_others() -> None:
    override = Override(prague(2026, 1, 6), prague(2026, 1, 7), "dan")
    both = Layered((weekly("09:00-17:00", overrides=(override,)), Layer(PRAGUE, (("cyd",),), WEEK, MONDAY)))
    assert both.at(prague(2026, 1, 6, 3)) == ("dan", "cyd")
    assert both.at(prague(2026, 1, 7, 3)) == ("cyd",)


def test_one_person_for_ever_never_hands_over() -> None:
    alone = Layered((Layer(PRAGUE, (("ana",),), DAY, MONDAY),))
    assert alone.next_handoff(prague(2026, 1, 6)) is None


def test_the_first_turn_begins_on_the_wall_of_the_zone() -> None:
    assert first_turn(date(2026, 1, 5), time(9), PRAGUE) == MONDAY
    assert first_turn(datetime(2026, 1, 5, 8, tzinfo=UTC), time(9), PRAGUE) == MONDAY
    assert first_turn(MONDAY, time(3), PRAGUE) == MONDAY


# Instants around the nights of both changes of the clock, in both zones.
NIGHTS = [datetime(2026, 3, 28), datetime(2026, 10, 24), datetime(2024, 11, 2), datetime(2025, 3, 8)]


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(NIGHTS), st.integers(0, 3 * 24 * 60), st.integers(0, 47), st.integers(1, 47),
    st.sampled_from([PRAGUE, CHICAGO]),
)  # fmt: skip
def test_hours_that_touch_on_the_wall_leave_no_gap_and_no_overlap_through_a_clock_change(
    night: datetime, minutes: int, begin: int, length: int, zone: ZoneInfo
) -> None:
    half = timedelta(minutes=30)
    end = (begin + length) % 48
    day = Window(begin * half, length * half)
    rest = Window(end * half, DAY - length * half)
    starts = datetime(2024, 1, 1)
    two = [Layer(zone, ((name,),), WEEK, starts, during=(w,)) for name, w in (("day", day), ("rest", rest))]
    instant = (night + timedelta(minutes=minutes)).replace(tzinfo=UTC)
    assert sum(bool(layer.at(instant)) for layer in two) == 1


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NIGHTS), st.integers(0, 3 * 24 * 60), st.integers(1, 47), st.sampled_from([PRAGUE, CHICAGO]))
def test_nobody_changes_between_an_instant_and_the_next_handoff(
    night: datetime, minutes: int, length: int, zone: ZoneInfo
) -> None:
    during = (Window(timedelta(hours=1, minutes=30), length * timedelta(minutes=30)),)
    base = Layer(zone, (("cyd",),), WEEK, datetime(2024, 1, 1))
    both = Layered((base, Layer(zone, ANA_BEN, timedelta(hours=12), datetime(2024, 1, 1, 6), during=during, level=1)))
    instant = (night + timedelta(minutes=minutes)).replace(tzinfo=UTC)
    follows = both.next_handoff(instant)
    assert follows is not None
    assert follows > instant
    assert both.at(follows) != both.at(instant)
    between = [instant + (follows - instant) * k / 7 for k in range(7)]
    assert {both.at(m) for m in between} == {both.at(instant)}
