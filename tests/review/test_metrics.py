"""The numbers: each from the first of its kind, valid or marked, never negative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.incident import events as e
from tocsin.incident.fold import fold
from tocsin.review.metrics import Metric, Sla, acknowledge_sla, metrics, update_cadence

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
Tell = Callable[..., tuple[e.Entry, ...]]


def measured(timeline: Sequence[e.Entry], now: datetime | None = None) -> dict[str, Metric]:
    return {m.name: m for m in metrics(fold("i", 1, timeline), timeline, now=now)}


def test_the_four_times_are_counted_from_impact_and_opening(story: tuple[e.Entry, ...]) -> None:
    found = {name: m.value for name, m in measured(story).items()}
    minutes = {name: value.total_seconds() / 60 for name, value in found.items() if value is not None}
    assert minutes == {"MTTD": 4, "MTTA": 3, "MTTM": 20, "MTTR": 65}


def test_each_number_carries_its_formula(story: tuple[e.Entry, ...]) -> None:
    assert measured(story)["MTTR"].formula == "first resolved - opened"


def test_a_reopening_changes_no_number(story: tuple[e.Entry, ...]) -> None:
    later: list[e.Event] = [e.Reopened("back again"), e.Acknowledged(None, "cli"), e.Mitigated(), e.Resolved()]
    more = [e.Entry(len(story) + n, T0 + timedelta(hours=2 + n), "ana", event) for n, event in enumerate(later, 1)]
    assert measured((*story, *more)) == measured(story)


def test_a_resolve_without_a_mitigation_counts_as_one(tell: Tell) -> None:
    timeline = tell((3, "ana", e.Acknowledged(None, "cli")), (9, "ana", e.Resolved("false alarm")))
    assert measured(timeline)["MTTM"].value == timedelta(minutes=9)


def test_a_mitigation_that_failed_its_verification_does_not_count(tell: Tell) -> None:
    told = tell(
        (3, "ana", e.Acknowledged(None, "cli")), (10, "ana", e.Mitigated()),
        (20, "tocsin", e.VerificationStarted("x", T0, T0)),
        (25, "tocsin", e.VerificationFailed("5xx is back")), (30, "ana", e.Mitigated()), (40, "ana", e.Resolved()),
    )  # fmt: skip
    found = {n: measured(told[:n])["MTTM"].value for n in (3, 5, 7)}
    assert found == {3: timedelta(minutes=10), 5: None, 7: timedelta(minutes=30)}


def test_what_has_not_happened_has_no_value_and_is_not_invalid(tell: Tell) -> None:
    assert all(m.value is None and m.invalid is None for m in measured(tell()).values())


@pytest.mark.parametrize(("minutes", "valid"), [(0, True), (1, False)])
def test_an_impact_after_the_opening_is_invalid(tell: Tell, minutes: int, valid: bool) -> None:
    starts_at = T0 + timedelta(minutes=minutes)
    found = measured(tell((5, "alertmanager", e.AlertFired("f", "Down", "", starts_at))))["MTTD"]
    assert (found.value == timedelta(0), found.invalid is None) == (valid, valid)
    assert valid or found.invalid == "the impact start is recorded 1 min after the opening"


def test_an_end_before_the_opening_is_invalid_not_negative(tell: Tell) -> None:
    found = measured(tell((-2, "ana", e.Acknowledged(None, "cli"))))["MTTA"]
    assert found.value is None
    assert found.invalid == "the opening is recorded 2 min after the acknowledge"


@pytest.mark.parametrize(("now", "valid"), [(65, True), (64, False)])
def test_an_end_in_the_future_is_invalid(story: tuple[e.Entry, ...], now: int, valid: bool) -> None:
    found = measured(story, T0 + timedelta(minutes=now))["MTTR"]
    assert (found.invalid is None) == valid
    assert (found.value is not None) == valid


@pytest.mark.parametrize(("minutes", "outcome"), [(5, Sla.MET), (5.1, Sla.MISSED)])
def test_the_acknowledge_sla_includes_its_last_instant(tell: Tell, minutes: float, outcome: Sla) -> None:
    timeline = tell((minutes, "ana", e.Acknowledged(T0 + timedelta(minutes=5), "cli")))
    sla = acknowledge_sla(fold("i", 1, timeline), timeline)
    assert (sla.outcome, sla.target) == (outcome, timedelta(minutes=5))


def test_without_an_acknowledge_the_sla_is_missed_once_its_time_is_recorded_as_passed(tell: Tell) -> None:
    timeline = tell((5, "tocsin", e.AcknowledgeMissed(T0 + timedelta(minutes=5))))
    incident = fold("i", 1, timeline)
    assert acknowledge_sla(incident, timeline).outcome is Sla.MISSED
    assert acknowledge_sla(incident, timeline[:1]).outcome is Sla.NONE


def test_a_runbook_without_a_response_time_promises_nothing(tell: Tell) -> None:
    timeline = tell((300, "ana", e.Acknowledged(None, "cli")))
    assert acknowledge_sla(fold("i", 1, timeline), timeline).outcome is Sla.NONE


def test_the_cadence_is_the_longest_silence_between_posts(story: tuple[e.Entry, ...]) -> None:
    kept = update_cadence(story)
    assert (kept.posts, kept.reminders, kept.longest_gap) == (2, 1, timedelta(minutes=35))
    assert update_cadence(story[:13]).longest_gap is None


MINUTES = st.integers(-100, 100)


@given(MINUTES, MINUTES, MINUTES, MINUTES, MINUTES)
@settings(max_examples=60, deadline=None)
def test_no_clock_however_wrong_makes_a_number_negative(a: int, b: int, c: int, d: int, now: int) -> None:
    events: list[tuple[int, e.Event]] = [
        (0, e.Opened("t", "SEV1", "", "s", "api", "digest")),
        (0, e.AlertFired("f", "Down", "", T0 + timedelta(minutes=a))),
        (b, e.Acknowledged(T0 + timedelta(minutes=now), "cli")),
        (c, e.Mitigated()),
        (d, e.Resolved()),
    ]
    timeline = [e.Entry(n, T0 + timedelta(minutes=m), "ana", event) for n, (m, event) in enumerate(events, 1)]
    for metric in measured(timeline, T0 + timedelta(minutes=now)).values():
        assert (metric.value is None) == (metric.invalid is not None)
        assert metric.value is None or metric.value >= timedelta(0)
    target = acknowledge_sla(fold("i", 1, timeline), timeline).target
    assert target is not None
    assert target >= timedelta(0)
