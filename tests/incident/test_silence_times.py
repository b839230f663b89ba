"""When silences and maintenance windows hold, to the second and over changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from tocsin.incident.errors import CommandError
from tocsin.incident.matchers import parse_all
from tocsin.incident.silences import LONGEST, Window, ends, silence

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
MATCHERS = parse_all(['service="backend"'])


def test_a_silence_holds_from_its_beginning_until_before_its_end() -> None:
    made = silence("1", ['a="b"'], starts_at=NOW, ends_at=NOW + HOUR, author="Ana", comment="deploy", now=NOW)
    assert [made.active(at) for at in (NOW - SECOND, NOW, NOW + HOUR - SECOND, NOW + HOUR)] == [
        False,
        True,
        True,
        False,
    ]
    assert [made.status(at) for at in (NOW - SECOND, NOW, NOW + HOUR)] == ["pending", "active", "expired"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"matchers": []}, {"matchers": ["nothing"]}, {"ends_at": NOW}, {"ends_at": NOW + LONGEST + SECOND},
        {"comment": " "},
        {"starts_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR},
    ],
)  # fmt: skip
def test_a_silence_that_says_too_little_or_too_much_is_refused_by_name(wrong: dict[str, object]) -> None:
    said = {"matchers": ['a="b"'], "starts_at": NOW, "ends_at": NOW + LONGEST, "comment": "deploy"}
    assert silence("1", **said, author="Ana", now=NOW)  # type: ignore[arg-type]
    with pytest.raises(CommandError) as refused:
        silence("1", **(said | wrong), author="Ana", now=NOW)  # type: ignore[arg-type]
    assert set(refused.value.fields) <= {"matchers", "ends_at", "comment"}


def test_a_weekly_window_opens_on_its_days_at_its_local_time() -> None:
    window = Window("sunday", MATCHERS, days=(6,), at=time(2), length=2 * HOUR, timezone="Europe/Prague")
    opens = datetime(2026, 1, 4, 1, tzinfo=UTC)  # a Sunday, 02:00 in Prague
    assert ends(window, opens) == opens + 2 * HOUR == ends(window, opens + 2 * HOUR - SECOND)
    assert [ends(window, at) for at in (opens - SECOND, opens + 2 * HOUR, opens + timedelta(days=1))] == [None] * 3
    assert window.active(opens + timedelta(days=7))


def test_a_window_in_the_hour_that_the_clock_leaves_out_opens_all_the_same() -> None:
    window = Window("night", MATCHERS, days=(6,), at=time(2, 30), length=HOUR, timezone="Europe/Prague")
    spring, autumn = datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    for opens in (spring, autumn):
        assert [window.active(at) for at in (opens - SECOND, opens, opens + HOUR - SECOND)] == [False, True, True]
        assert not window.active(opens + HOUR)


def test_a_window_over_midnight_and_one_that_happens_once() -> None:
    over = Window("late", MATCHERS, days=(0,), at=time(23), length=3 * HOUR)
    assert over.active(datetime(2026, 1, 6, 1, 59, tzinfo=UTC))
    assert not over.active(datetime(2026, 1, 6, 2, tzinfo=UTC))
    once = Window("once", MATCHERS, starts_at=NOW, ends_at=NOW + HOUR)
    assert [once.active(at) for at in (NOW - SECOND, NOW, NOW + HOUR)] == [False, True, False]
