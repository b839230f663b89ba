from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.oncall.rotation import RotationError, reached, rotation

SECOND = timedelta(seconds=1)


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone))  # type: ignore[misc, arg-type]


def test_the_first_person_begins_at_the_start_and_nobody_is_on_before() -> None:
    weekly = rotation(["ana", "ben"], timezone="Europe/Prague", handoff="Mon 09:00", starts=date(2026, 1, 5))
    start = local("Europe/Prague", 2026, 1, 5, 9)
    assert weekly.at(start - SECOND) == ()
    assert weekly.at(start) == ("ana",)
    assert weekly.next_handoff(start - timedelta(days=300)) == start


def test_a_week_later_the_next_person_takes_over_and_then_the_first_again() -> None:
    weekly = rotation(["ana", "ben"], timezone="Europe/Prague", handoff="Mon 09:00", starts=date(2026, 1, 5))
    second = local("Europe/Prague", 2026, 1, 12, 9)
    assert weekly.at(second - SECOND) == ("ana",)
    assert weekly.at(second) == ("ben",)
    assert weekly.at(second + timedelta(weeks=1)) == ("ana",)
    assert weekly.next_handoff(second - SECOND) == second
    assert weekly.next_handoff(second) == second + timedelta(weeks=1)


# The weeks in which the clocks change: the week's length in hours is 168 less or more the hour.
CHANGES = [
    ("Europe/Prague", date(2026, 3, 23), 167),
    ("Europe/Prague", date(2026, 10, 19), 169),
    ("America/Chicago", date(2025, 3, 3), 167),
    ("America/Chicago", date(2024, 10, 28), 169),
]


@pytest.mark.parametrize(("zone", "monday", "hours"), CHANGES)
def test_a_weekly_handoff_stays_at_half_past_eight_on_the_wall_through_a_clock_change(
    zone: str, monday: date, hours: int
) -> None:
    weekly = rotation(["ana", "ben"], timezone=zone, handoff="Mon 08:30", starts=monday)
    begin = weekly.next_handoff(datetime(2020, 1, 1, tzinfo=UTC))
    end = weekly.next_handoff(begin)
    assert (end - begin) == timedelta(hours=hours)
    assert f"{end.astimezone(ZoneInfo(zone)):%a %H:%M}" == "Mon 08:30"
    assert (weekly.at(end - SECOND), weekly.at(end)) == (("ana",), ("ben",))


@pytest.mark.parametrize(
    ("zone", "day", "before", "after"),
    [
        ("Europe/Prague", date(2026, 3, 29), "01:59:59", "03:00:00"),
        ("America/Chicago", date(2025, 3, 9), "01:59:59", "03:00:00"),
    ],
)
def test_a_handoff_at_a_time_the_clock_skips_is_at_the_skip(zone: str, day: date, before: str, after: str) -> None:
    daily = rotation(["ana", "ben"], timezone=zone, every="daily", handoff="02:30", starts=day - timedelta(days=1))
    handoff = daily.next_handoff(local(zone, day.year, day.month, day.day, 0))
    assert f"{(handoff - SECOND).astimezone(ZoneInfo(zone)):%H:%M:%S}" == before
    assert f"{handoff.astimezone(ZoneInfo(zone)):%H:%M:%S}" == after
    assert (daily.at(handoff - SECOND), daily.at(handoff)) == (("ana",), ("ben",))


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        ("Europe/Prague", date(2026, 10, 25), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("America/Chicago", date(2024, 11, 3), datetime(2024, 11, 3, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_handoff_at_a_time_that_comes_twice_is_at_the_first(zone: str, day: date, instant: datetime) -> None:
    hour = "02:30" if zone == "Europe/Prague" else "01:30"
    daily = rotation(["ana", "ben"], timezone=zone, every="daily", handoff=hour, starts=day - timedelta(days=1))
    assert (daily.at(instant - SECOND), daily.at(instant)) == (("ana",), ("ben",))
    assert daily.at(instant + timedelta(hours=1)) == ("ben",)


def test_a_twelve_hour_rotation_hands_off_at_the_same_two_hours_all_year() -> None:
    shifts = rotation(["ana", "ben"], timezone="Europe/Prague", every="12h", handoff="08:00", starts=date(2026, 1, 1))
    assert shifts.at(local("Europe/Prague", 2026, 7, 1, 19, 59)) == ("ana",)
    assert shifts.at(local("Europe/Prague", 2026, 7, 1, 20)) == ("ben",)
    assert shifts.at(local("Europe/Prague", 2026, 12, 1, 8)) == ("ana",)


ZONES = ["Europe/Prague", "America/Chicago", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "UTC"]


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    every=st.sampled_from(["daily", "weekly", "1h", "5h", "12h", "36h"]),
    minute=st.integers(0, 1439),
    seconds=st.integers(0, 3 * 366 * 86400),
    year=st.sampled_from([2011, 2024, 2026]),
)
def test_after_the_start_there_is_always_exactly_one_person_who_is_on_until_the_next_handoff(
    zone: str, every: str, minute: int, seconds: int, year: int
) -> None:
    turns = rotation(
        ["a", "b", "c"], timezone=zone, every=every, handoff=f"{minute // 60}:{minute % 60:02}", starts=date(year, 1, 5)
    )
    instant = turns.next_handoff(datetime(2000, 1, 1, tzinfo=UTC)) + timedelta(seconds=seconds)
    handoff = turns.next_handoff(instant)
    on = turns.at(instant)
    assert len(on) == 1
    assert instant < handoff
    assert turns.at(handoff - SECOND) == on
    assert len(turns.at(handoff)) == 1


@settings(max_examples=100, deadline=None)
@given(zone=st.sampled_from(ZONES), minutes=st.lists(st.integers(0, 366 * 1440), min_size=2, max_size=2))
def test_a_later_time_on_the_wall_is_never_reached_earlier(zone: str, minutes: list[int]) -> None:
    early, late = (datetime(2011, 1, 1) + timedelta(minutes=m) for m in sorted(minutes))
    assert reached(early, ZoneInfo(zone)) <= reached(late, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ({"every": "monthly"}, '"12h"'),
        ({"every": "0h"}, '"12h"'),
        ({"handoff": "24:00"}, "local time"),
        ({"handoff": "Noday 09:00"}, "local time"),
        ({"handoff": "Tue 09:00"}, "write starts = 2026-01-06"),
        ({"handoff": "Mon 09:00", "every": "daily"}, 'write handoff = "09:00"'),
    ],
)
def test_words_that_make_no_rotation_are_refused_with_the_remedy(words: dict[str, str], remedy: str) -> None:
    with pytest.raises(RotationError, match=remedy):
        rotation(["ana"], timezone="UTC", starts=date(2026, 1, 5), **words)


@pytest.mark.parametrize("year", [1, 1969, 2201, 9999])
def test_a_start_far_from_today_is_refused(year: int) -> None:
    with pytest.raises(RotationError, match="no day on which a rotation begins"):
        rotation(["ana"], timezone="UTC", starts=date(year, 1, 1))


def test_a_rotation_of_nobody_is_refused() -> None:
    with pytest.raises(RotationError, match="at least one person"):
        rotation([], timezone="UTC", starts=date(2026, 1, 5))
