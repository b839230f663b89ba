"""What the public sees of an incident, and above all what it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tocsin.incident import events as e
from tocsin.incident.fold import fold
from tocsin.incident.state import Incident
from tocsin.runbook.model import Runbook, Severity
from tocsin.statuspage.feed import atom
from tocsin.statuspage.summary import documents
from tocsin.statuspage.view import UNTITLED, Component, Impact, PageInfo, impact, public_view

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
LEVELS = tuple(Severity(f"SEV{n}", "", None, "", "", n) for n in (1, 2, 3, 4))
RUNBOOK = Runbook(title="", file="", digest="", severities=LEVELS)


def incident(*happened: e.Event) -> Incident:
    opened = e.Opened("SECRET title", "SEV2", "SECRET reason", "SECRET-service", "SECRET-source", "SECRET", "SECRET")
    told = (opened, e.Acknowledged(None, "cli"), *happened)
    return fold("i-1", 7, [e.Entry(n, T0 + timedelta(minutes=n), "SECRET-ana", ev) for n, ev in enumerate(told)])


def test_nothing_published_is_nothing_to_see() -> None:
    assert public_view(incident(e.Noted("SECRET")), RUNBOOK) is None


def test_only_published_words_leave() -> None:
    happened = (
        e.StatusPublished("investigating", "We are looking", "Checkout is slow"),
        e.Noted("SECRET"), e.FactRecorded("root_cause", "SECRET"), e.Posted("Update", "SECRET"),
        e.StatusPublished("resolved", "It is over"),
    )  # fmt: skip
    view = public_view(incident(*happened), RUNBOOK)
    assert view is not None
    page, parts = PageInfo("p", "Example", "https://status.example.com"), [Component("c", "Shop", "shop")]
    out = msgspec.json.encode(documents(page, [view], parts, T0)) + atom(page, [view], T0)
    assert b"Checkout is slow" in out
    assert b"SECRET" not in out


def test_an_incident_published_without_a_title_does_not_borrow_the_internal_one() -> None:
    view = public_view(incident(e.StatusPublished("investigating", "x")), RUNBOOK)
    assert view is not None
    assert view.title == UNTITLED


def test_the_last_published_word_is_the_status_whatever_the_team_thinks() -> None:
    view = public_view(incident(e.StatusPublished("monitoring", "x"), e.Resolved()), RUNBOOK)
    assert view is not None
    assert (view.status, view.unresolved, view.resolved_at) == ("monitoring", True, None)


def test_a_reopened_page_is_unresolved_again_and_keeps_its_updates() -> None:
    words = ("investigating", "monitoring", "resolved", "investigating")
    events = [e.StatusPublished(word, word) for word in words]
    view = public_view(incident(*events[:3], e.Resolved(), e.Reopened("again"), events[3]), RUNBOOK)
    assert view is not None
    assert [u.id for u in view.updates] == ["i-1-1", "i-1-2", "i-1-3", "i-1-4"]
    assert (view.resolved_at, view.monitoring_at) == (None, T0 + timedelta(minutes=3))
    assert (view.created_at, view.updated_at) == (T0 + timedelta(minutes=2), T0 + timedelta(minutes=7))


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("SEV1", Impact.CRITICAL),
        ("SEV2", Impact.MAJOR),
        ("SEV3", Impact.MINOR),
        ("SEV4", Impact.MINOR),
        ("?", Impact.NONE),
    ],
)
def test_the_impact_is_the_severitys_rank(severity: str, expected: Impact) -> None:
    assert impact(severity, RUNBOOK) is expected
