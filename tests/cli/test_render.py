from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.cli import answers as a
from tocsin.cli import render

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def incident(**more: object) -> a.Incident:
    said = {"number": 1, "title": "t", "severity": "SEV1", "status": "open", "opened_at": NOW, **more}
    return a.Incident(**said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h 00m"),
        (172_799, "47h 59m"),
        (172_800, "2d 0h"),
    ],
)
def test_lengths_read_at_a_glance(seconds: int, text: str) -> None:
    assert render.span(timedelta(seconds=seconds)) == text


def test_a_deadline_is_overdue_after_its_instant_and_not_at_it() -> None:
    due = a.Deadline(NOW, "update")
    assert render.owed([due], NOW)[0].startswith("in 0s")
    assert render.owed([due], NOW + timedelta(seconds=1))[0].startswith("OVERDUE 1s")


def test_the_date_is_left_out_on_the_same_day_only() -> None:
    assert render.stamp(NOW, NOW) == "12:00"
    assert render.stamp(NOW, NOW + timedelta(days=1)) == "2026-01-05 12:00"


def test_what_is_missing_is_of_no_interest_before_anybody_owns_it() -> None:
    assert "Missing" not in "\n".join(render.shown(incident(missing=("open: x",)), NOW))
    assert "open: x" in "\n".join(render.shown(incident(missing=("open: x",), status="mitigating"), NOW))


def test_a_steps_reason_is_shown_when_it_is_not_well() -> None:
    steps = (a.Step("A", 1, outcome="ok", reason="fine"), a.Step("B", 2, outcome="failed", reason="refused"))
    assert render.outcomes(a.Run("r", "done", steps=steps)) == ["ok      1.  A", "failed  2.  B - refused"]


def test_a_command_is_never_wrapped() -> None:
    command = "kubectl " + "very-long-word " * 20 + "end"
    shown = render.approval(a.Approval("1", "pending", NOW, command=command), 1, NOW)
    assert f"   $ {command}" in shown


def test_two_peoples_yes_is_said() -> None:
    approval = a.Approval("1", "pending", NOW, step_class="destructive", needs=2, approved_by=("Ana",))
    assert "2 different people must approve (approved by Ana)" in render.needed(approval)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_no_text_of_the_server_steers_the_terminal_or_breaks_a_line(text: str) -> None:
    step = a.Step(text, 1, outcome="failed", reason=text)
    lines = [*render.shown(incident(title=text, runs=(a.Run("r", "done", steps=(step,)),)), NOW), *render.output(text)]
    assert not [c for line in lines for c in line if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066"]


def test_what_is_reminded_again_is_overdue_since_it_was_owed_and_not_until_the_next_reminder() -> None:
    again = a.Deadline(NOW + timedelta(days=1), "a ticket", overdue=True, owed_at=NOW)
    shown = render.owed([again], NOW + timedelta(minutes=5))[0]
    assert shown.split() == ["OVERDUE", "5m", "12:00", "a", "ticket"]


def test_a_mitigation_that_was_cut_off_has_an_unknown_outcome() -> None:
    cut_off = a.Approval("1", "unknown", action="Restart", command="restart", expires_at=NOW)
    assert render.approval(cut_off, 1, NOW)[0] == "1. Restart: outcome unknown"


def test_nothing_is_watched_any_more_once_it_is_over() -> None:
    watching = a.Verification("watching", NOW, NOW)
    assert "Verification" in render.shown(incident(status="monitoring", verification=watching), NOW)
    assert "Verification" not in render.shown(incident(status="resolved", verification=watching), NOW)


def test_levels_without_indicators_are_listed_too() -> None:
    book = a.Book(
        severities=(a.BookSeverity("P1", "All is down"), a.BookSeverity("P2")),
        indicators=(a.Indicator("P1", "No answer"),),
    )
    assert render.indicators(book, 7) == [
        "P1: All is down",
        "  - No answer",
        "P2",
        "Change it: tocsin severity 7 LEVEL",
    ]
