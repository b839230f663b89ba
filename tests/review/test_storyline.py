"""The timeline folded for a reader: fewer rows, every entry on exactly one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.incident import events as e
from tocsin.incident.fold import fold
from tocsin.review.storyline import storyline

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
Tell = Callable[..., tuple[e.Entry, ...]]


def rows(timeline: Sequence[e.Entry]) -> list[str]:
    return [row.text for row in storyline(fold("i", 1, timeline), timeline)]


def test_deliveries_stand_with_their_page(story: tuple[e.Entry, ...]) -> None:
    page = "Tocsin paged ana (On-call): the incident opened; delivered by e-mail; not delivered by webhook: refused"
    assert page in rows(story)
    assert not any(text.startswith("The page") for text in rows(story))


def test_a_further_try_stands_with_its_page_too(tell: Tell) -> None:
    told = tell(
        (0, "tocsin", e.Paged("opened", "On-call", "ana", "the incident opened")), (1, "ana", e.Noted("looking")),
        (2, "tocsin", e.ContactTried("opened", "ana", "sms")),
        (2, "tocsin", e.MessageDelivered("page", "sms", "ana", "opened|1")),
    )  # fmt: skip
    assert rows(told)[1].endswith("the incident opened; tried again by text message; delivered by text message")


def test_steps_stand_with_the_end_of_their_procedure(story: tuple[e.Entry, ...]) -> None:
    assert 'First look finished: 1 of 2 steps without a problem; "Health" found a problem: HTTP 500' in rows(story)


def test_a_step_of_an_unfinished_procedure_keeps_its_own_row(story: tuple[e.Entry, ...]) -> None:
    assert 'The step "Pods" succeeded' in rows(story[:8])


def test_a_storm_of_alerts_is_one_row(tell: Tell) -> None:
    fired = [(n, "alertmanager", e.AlertFired(str(n), f"Alert{n % 7}", "", T0)) for n in range(60)]
    assert rows(tell(*fired))[1:] == [
        "60 alerts began to fire within 59 min: Alert0, Alert1, Alert2, Alert3, Alert4 and 2 more"
    ]


def test_repeated_reminders_are_counted(tell: Tell) -> None:
    told = [(n, "tocsin", e.UpdateReminded(T0, ("ana",))) for n in (30, 60, 90)]
    reminded = "Tocsin reminded ana of the update due at 10:00 UTC (3 times, last at 11:30 UTC)"
    assert rows(tell((1, "ana", e.Acknowledged(None, "cli")), *told))[2:] == [reminded]


def test_ticks_without_a_note_are_one_row_and_a_note_keeps_its_own(tell: Tell) -> None:
    ticks = [(n, "ana", e.ChecklistTicked(f"v/{n}", text, True)) for n, text in enumerate(("Health", "Logs", "Users"))]
    noted = (5, "ana", e.ChecklistTicked("v/9", "Metrics", True, "by hand"))
    assert rows(tell(*ticks, noted))[1:] == [
        'Ana ticked "Health", and 2 more: Logs and Users',
        'Ana ticked "Metrics": by hand',
    ]


def test_a_failed_delivery_of_no_page_is_told(tell: Tell) -> None:
    failed = e.MessageFailed("post", "slack", "", "post:1", "timed out")
    told = rows(tell((1, "tocsin", failed), (2, "tocsin", failed)))
    assert told[1:] == ["The message could not be delivered in Slack: timed out (2 times, last at 10:02 UTC)"]


KINDS: list[e.Event] = [
    e.AlertFired("f", "Down", "", T0),
    e.AlertResolved("f", "Down"),
    e.Paged("opened", "On-call", "ana", "opened"),
    e.MessageDelivered("page", "email", "ana", "opened"),
    e.MessageFailed("post", "slack", "", "p", "no"),
    e.StepFinished("r1", 1, "Pods", "failed", "no"),
    e.RunFinished("r1", "done"),
    e.UpdateReminded(T0, ("ana",)),
    e.ChecklistTicked("v/1", "Health", True),
    e.Noted("hm"),
    e.ContactTried("opened", "ana", "sms"),
]


@given(st.lists(st.sampled_from(KINDS), max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_entry_is_told_on_exactly_one_row_in_order(events: list[e.Event]) -> None:
    opened = e.Opened("t", "SEV1", "", "s", "api", "digest")
    timeline = [e.Entry(n, T0 + timedelta(minutes=n), "tocsin", ev) for n, ev in enumerate([opened, *events], 1)]
    told = storyline(fold("i", 1, timeline), timeline)
    assert sorted(seq for row in told for seq in row.seqs) == [entry.seq for entry in timeline]
    assert [row.at for row in told] == sorted(row.at for row in told)
