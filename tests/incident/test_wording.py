"""The timeline's English: every event has words of its own, and they are one harmless line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from tocsin.incident import events as e
from tocsin.incident.facts import Fact, label
from tocsin.incident.fold import fold
from tocsin.incident.preflight import Check
from tocsin.incident.state import Page
from tocsin.incident.wording import _said, by_way, describe, duration, harmless, instant, listed, one_line
from tocsin.runbook.model import StepClass

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
EVENTS: tuple[type[e.Event], ...] = get_args(e.Event)
SAMPLES: dict[Any, Any] = {
    str: "sample",
    int: 2,
    bool: True,
    float: 1.5,
    datetime: T0 + timedelta(minutes=15),
    datetime | None: T0 + timedelta(minutes=15),
    int | None: 1,
    str | None: "evidence-1",
    tuple[str, ...]: ("one", "two"),
    tuple[int, ...]: (1, 2),
    dict[str, str]: {"pod-name": "backend-1"},
    StepClass: StepClass.CHANGE,
    Check: Check("rollout", "passed", "2 of 2 pods"),
    tuple[Check, ...]: (Check("differs", "failed", "the same template"),),
    timedelta | None: timedelta(minutes=10),
    tuple[Page, ...]: (Page("merged:2:opened", "On-call", "ana", T0, "the incident opened", of=2),),
}


def sample(kind: type[e.Event], *, text: str = "sample") -> e.Event:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {f.name: text if hints[f.name] is str else SAMPLES[hints[f.name]] for f in fields(kind)}
    event: e.Event = kind(**values)
    return event


def said(event: e.Event, actor: str = "ana", minutes: float = 0) -> str:
    return describe(e.Entry(2, T0 + timedelta(minutes=minutes), actor, event))


@pytest.mark.parametrize("kind", EVENTS, ids=lambda k: k.__name__)
def test_every_event_has_words_of_its_own(kind: type[e.Event]) -> None:
    assert _said.dispatch(kind) is not _said.dispatch(object)
    sentence = said(sample(kind))
    assert sentence
    assert not sentence.endswith(".")
    assert kind.__name__ not in sentence.split()


@pytest.mark.parametrize("kind", EVENTS, ids=lambda k: k.__name__)
def test_no_text_makes_more_than_one_line(kind: type[e.Event]) -> None:
    sentence = said(sample(kind, text="a\r\nb\u2028c\x00\u202ed"), actor="a\nb")
    assert sentence.splitlines() == [sentence]
    assert "\u202e" not in sentence


def test_an_acknowledge_says_how_far_from_its_due_time_it_came() -> None:
    event = e.Acknowledged(due_at=T0 + timedelta(minutes=5), via="web")
    assert said(event, minutes=3) == "Ana acknowledged in the incident room, 2 min before it was due"
    assert said(event, minutes=5) == "Ana acknowledged in the incident room, 0 s before it was due"
    assert said(event, minutes=6.5) == "Ana acknowledged in the incident room, 1 min 30 s after it was due"
    assert said(e.Acknowledged(None, "link")) == "Ana acknowledged by the link in the page"


def test_an_alert_older_than_a_minute_says_how_long_it_has_been_firing() -> None:
    event = e.AlertFired("f", "HighErrorRate", "5xx above 5 %", T0)
    assert said(event, minutes=0.98) == "Alert HighErrorRate began to fire: 5xx above 5 %"
    assert said(event, minutes=1) == "Alert HighErrorRate has been firing for 1 min: 5xx above 5 %"


def test_tocsin_is_not_made_a_person_who_judges() -> None:
    assert said(e.Mitigated("all alerts resolved"), actor="tocsin") == "The impact stopped: all alerts resolved"
    assert said(e.Mitigated(), actor="ben") == "Ben said that the impact had stopped"
    assert said(e.Resolved(), actor="tocsin") == "The incident was resolved"


def test_a_person_taking_a_role_is_told_apart_from_one_being_given_it() -> None:
    assert said(e.RoleAssigned("commander", "ana")) == "Ana became incident commander"
    assert said(e.RoleAssigned("Scribe", "ben")) == "Ana made ben Scribe"


def test_the_incident_names_what_an_event_only_points_to() -> None:
    opened = e.Entry(1, T0, "alertmanager", e.Opened("Down", "SEV1", "label", "backend", "alertmanager", "digest"))
    proposed = e.MitigationProposed(
        "a1", "rollback", "Rollback", "kubectl rollout undo", StepClass.CHANGE, 1, T0 + timedelta(minutes=30), "hash"
    )
    incident = fold("i", 1, [opened, e.Entry(2, T0, "ana", proposed)])
    approved = e.Entry(3, T0, "ben", e.MitigationApproved("a1"))
    assert describe(approved, incident) == "Ben approved Rollback"
    assert describe(approved) == "Ben approved the mitigation"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (0.4, "under 1 s"), (45, "45 s"), (59, "59 s"), (60, "1 min"), (90, "1 min 30 s"),
        (3599, "59 min 59 s"), (3600, "1 h"), (3605, "1 h"), (3900, "1 h 5 min"), (86_399, "23 h 59 min"),
        (86_400, "1 day"), (90_000, "1 day 1 h"), (604_800, "7 days"), (-45, "-45 s"),
    ],
)  # fmt: skip
def test_a_duration_has_at_most_two_units(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_an_instant_leaves_out_the_date_only_beside_the_same_day() -> None:
    assert instant(T0) == "2026-01-05 10:00 UTC"
    assert instant(T0, T0 + timedelta(hours=13)) == "10:00 UTC"
    assert instant(T0, T0 + timedelta(hours=14)) == "2026-01-05 10:00 UTC"


def test_a_list_is_cut_after_the_names_that_fit() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed("abcde") == "a, b, c, d and e"
    assert listed("abcdefg") == "a, b, c, d, e and 2 more"


def test_known_facts_have_words_and_a_templates_field_keeps_its_own() -> None:
    assert [label(f) for f in (Fact.ROOT_CAUSE, Fact.ETA)] == ["root cause", "ETA"]
    assert label("Who is affected") == "Who is affected"
    assert by_way("pigeon") == "by pigeon"


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_cleaning_keeps_words_and_is_done_once(text: str) -> None:
    assert harmless(harmless(text)) == harmless(text)
    assert one_line(one_line(text)) == one_line(text)
    assert "\n" not in one_line(text)
    harmless(text).encode("utf-8")
