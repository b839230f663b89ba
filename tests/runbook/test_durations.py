from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.runbook import durations

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Immediate", timedelta(0)),
        ("Immediately", timedelta(0)),
        ("Immediate (all hands)", timedelta(0)),
        ("Immediate (< 5 minutes)", 5 * MINUTE),
        ("Immediate (within 1 hour)", HOUR),
        ("15 min", 15 * MINUTE),
        ("15min response", 15 * MINUTE),
        ("5 min ack", 5 * MINUTE),
        ("**5 minutes**", 5 * MINUTE),
        ("< 15 min", 15 * MINUTE),
        ("<= 30m", 30 * MINUTE),
        ("≤ 30m", 30 * MINUTE),
        ("15-30 min", 30 * MINUTE),
        ("15–30 minutes", 30 * MINUTE),
        ("30 min to 1 hour", HOUR),
        ("0-15 minutes", 15 * MINUTE),
        ("within 1 hour", HOUR),
        ("Respond within 15 minutes", 15 * MINUTE),
        ("T+15", 15 * MINUTE),
        ("T+2h", 2 * HOUR),
        ("1h30m", 90 * MINUTE),
        ("1 hour 30 min", 90 * MINUTE),
        ("24h", 24 * HOUR),
        ("4 hrs", 4 * HOUR),
        ("90 seconds", timedelta(seconds=90)),
        ("one week", timedelta(weeks=1)),
        ("1 week", timedelta(weeks=1)),
        ("hourly", HOUR),
        ("15 min (24/7)", 15 * MINUTE),
        ("< 2 horas", 2 * HOUR),
        ("2 semanas", timedelta(weeks=2)),
        ("30 segundos", timedelta(seconds=30)),
        ("15 минут", 15 * MINUTE),
        ("Imediato", timedelta(0)),
    ],
)
def test_a_length_of_time_is_read(text: str, expected: timedelta) -> None:
    assert durations.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "next business day",
        "1 business day",
        "within business hours",
        "Next sprint",
        "Same day",
        "Best effort",
        "As needed",
        "15",
        "SEV1",
        "Response time >5s p95",
        "99999999999999999999 weeks",
        "Próximo sprint",
        "1 dia útil",
        "3 м",
    ],
)
def test_what_is_no_measure_is_not_turned_into_one(text: str) -> None:
    assert durations.parse(text) is None


def test_a_range_keeps_both_ends_even_inside_a_title() -> None:
    assert durations.parse_range("4. Monitor for 15-30 minutes") == (15 * MINUTE, 30 * MINUTE)


def test_an_upper_bound_has_no_lower_end() -> None:
    assert durations.parse_range("< 15 min") == (timedelta(0), 15 * MINUTE)


def test_a_single_time_is_both_ends() -> None:
    assert durations.parse_range("Watch for 10 minutes") == (10 * MINUTE, 10 * MINUTE)


def test_two_times_in_one_text_are_not_guessed_between() -> None:
    assert durations.parse_range("after 5 minutes, then 1 hour") is None


def test_calendar_words_make_no_range() -> None:
    assert durations.parse_range("within 5 business days") is None


@given(st.integers(min_value=0, max_value=60 * 60 * 24 * 400))
@settings(max_examples=200)
def test_words_of_a_duration_read_back_to_it(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert durations.parse(durations.words(duration)) == duration


@given(st.text(max_size=80))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    least_most = durations.parse_range(text)
    assert durations.parse(text) is None or isinstance(durations.parse(text), timedelta)
    assert least_most is None or len(least_most) == 2
