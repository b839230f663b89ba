from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.signals.thresholds import Changes, MatchWindow, Pending, Threshold, Transition

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
FIRED, RESOLVED = Transition.FIRED, Transition.RESOLVED


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def play(threshold: Threshold, observations: str) -> list[Transition | None]:
    """One observation a second: `x` failed, `.` passed."""
    return [threshold.observe(mark == ".", at(second)) for second, mark in enumerate(observations)]


def test_the_third_failure_in_a_row_fires_and_not_the_second() -> None:
    assert play(Threshold(fails=3, passes=2), "xxx") == [None, None, FIRED]


def test_a_success_between_failures_starts_the_count_again() -> None:
    assert play(Threshold(fails=3, passes=2), "xx.xx") == [None] * 5


def test_more_failures_fire_no_second_time() -> None:
    assert play(Threshold(fails=1, passes=1), "xxxx") == [FIRED, None, None, None]


def test_the_second_success_in_a_row_resolves_and_not_the_first() -> None:
    assert play(Threshold(fails=1, passes=2), "x.x..") == [FIRED, None, None, None, RESOLVED]


def test_an_alert_begins_with_the_first_failure_of_its_streak() -> None:
    threshold = Threshold(fails=2, passes=1)
    play(threshold, "x.xx")
    assert threshold.firing_since == at(2)


def test_what_an_earlier_run_left_firing_is_resolved_and_not_fired_again() -> None:
    threshold = Threshold(fails=1, passes=1, firing_since=at(-60))
    assert play(threshold, "xx.") == [None, None, RESOLVED]


def test_so_many_of_the_last_few_fire_though_others_passed() -> None:
    threshold = Threshold(fails=2, of=4, passes=2)
    assert play(threshold, "x..x") == [None, None, None, FIRED]
    assert threshold.firing_since == at(0)
    assert play(Threshold(fails=2, of=4, passes=2), "x...x") == [None] * 5


@pytest.mark.parametrize("numbers", [(0, 1, None), (1, 0, None), (3, 1, 2)])
def test_numbers_that_cannot_be_met_are_refused(numbers: tuple[int, int, int | None]) -> None:
    fails, passes, of = numbers
    with pytest.raises(ValueError, match="at least 1"):
        Threshold(fails=fails, passes=passes, of=of)


@given(st.text("x.", max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_firing_and_resolving_take_turns(observations: str, fails: int, passes: int) -> None:
    changes = [c for c in play(Threshold(fails=fails, passes=passes), observations) if c]
    assert changes == [(FIRED, RESOLVED)[n % 2] for n in range(len(changes))]


def window() -> MatchWindow:
    return MatchWindow(threshold=3, window=timedelta(seconds=10), resolve_after=timedelta(seconds=30))


def test_three_matches_within_the_window_fire_at_its_very_end() -> None:
    watch = window()
    assert [watch.matched(at(s)) for s in (0, 5, 10)] == [None, None, FIRED]
    assert watch.firing_since == at(0)


def test_matches_further_apart_than_the_window_do_not_fire() -> None:
    watch = window()
    assert [watch.matched(at(s)) for s in (0, 5, 10.1)] == [None, None, None]


def test_silence_resolves_exactly_after_its_time() -> None:
    watch = window()
    for _ in range(3):
        watch.matched(at(0))
    assert [watch.passed(at(s)) for s in (29.9, 30, 60)] == [None, RESOLVED, None]


def test_a_match_while_firing_puts_off_the_end() -> None:
    watch = window()
    for _ in range(3):
        watch.matched(at(0))
    watch.matched(at(20))
    assert [watch.passed(at(s)) for s in (30, 49.9, 50)] == [None, None, RESOLVED]


def test_after_the_end_the_full_number_is_needed_again() -> None:
    watch = window()
    for _ in range(3):
        watch.matched(at(0))
    watch.passed(at(30))
    assert [watch.matched(at(31)) for _ in range(3)] == [None, None, FIRED]


def test_a_series_fires_once_it_has_held_exactly_so_long() -> None:
    pending = Pending(timedelta(seconds=30))
    assert [pending.observe(["a"], at(s)).fired for s in (0, 29.9, 30, 31)] == [(), (), ("a",), ()]
    assert pending.since("a") == at(0)


def test_a_series_that_blinks_starts_its_wait_again() -> None:
    pending = Pending(timedelta(seconds=30))
    pending.observe(["a"], at(0))
    assert pending.observe([], at(20)) == Changes()
    assert pending.observe(["a"], at(30)) == Changes()


def test_an_absent_series_resolves_alone() -> None:
    pending = Pending(timedelta(0))
    assert pending.observe(["a", "b"], at(0)).fired == ("a", "b")
    assert pending.observe(["b"], at(1)) == Changes(resolved=("a",))


def test_a_series_left_firing_by_an_earlier_run_is_resolved_when_absent() -> None:
    pending = Pending(timedelta(seconds=30), {"a": at(-60)})
    assert pending.observe([], at(0)) == Changes(resolved=("a",))
