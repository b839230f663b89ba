"""A timeline to review: an error rate that a rollback mended, told in full."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.incident import events as e
from tocsin.runbook.model import (
    Checklist,
    Leaf,
    PostIncident,
    PostmortemOutline,
    Question,
    Runbook,
    Severity,
    StepClass,
)

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
Tell = Callable[..., tuple[e.Entry, ...]]


def tell(*happened: tuple[float, str, e.Event], title: str = "Error rate high") -> tuple[e.Entry, ...]:
    """A timeline from (minutes after the opening, actor, event), opened at T0."""
    opened = e.Opened(title, "SEV3", "alert label severity=warning", "backend", "alertmanager", "digest")
    told = [(0.0, "alertmanager", opened), *happened]
    return tuple(e.Entry(n, T0 + timedelta(minutes=m), actor, ev) for n, (m, actor, ev) in enumerate(told, start=1))


@pytest.fixture
def story() -> tuple[e.Entry, ...]:
    proposed = e.MitigationProposed(
        "a1", "rollback", "Rollback", "kubectl rollout undo deployment/backend", StepClass.CHANGE, 1,
        T0 + timedelta(minutes=45), "hash",
    )  # fmt: skip
    return tell(
        (0, "alertmanager", e.AlertFired("f1", "HighErrorRate", "5xx above 5 %", T0 - timedelta(minutes=4))),
        (0, "tocsin", e.Paged("opened", "On-call", "ana", "the incident opened")),
        (0, "alertmanager", e.AlertFired("f2", "HighLatency", "p95 above 2 s", T0)),
        (0.1, "tocsin", e.MessageDelivered("page", "email", "ana", "opened")),
        (0.1, "tocsin", e.MessageFailed("page", "webhook", "ana", "opened", "refused")),
        (0.2, "tocsin", e.RunStarted("r1", "assess", "First look", "assessment", ("Pods", "Health"), (1, 2))),
        (0.3, "tocsin", e.StepFinished("r1", 1, "Pods", "ok", "")),
        (0.4, "tocsin", e.StepFinished("r1", 2, "Health", "unhealthy", "HTTP 500", 1, "ev-2")),
        (0.5, "tocsin", e.RunFinished("r1", "done")),
        (3, "ana", e.Acknowledged(T0 + timedelta(minutes=5), "web")),
        (4, "ana", e.SeverityChanged("SEV1", "SEV3", "all users affected")),
        (5, "ana", e.Posted("Initial Alert", "INCIDENT", ("Who is affected",))),
        (6, "ana", e.Answered("deployment", "yes", "new version at 09:55")),
        (15, "ana", proposed),
        (16, "ben", e.MitigationApproved("a1")),
        (17, "tocsin", e.MitigationStarted("a1")),
        (18, "tocsin", e.MitigationFinished("a1", "done", "exit 0")),
        (20, "ana", e.Mitigated("5xx back to 0.1 %")),
        (35, "tocsin", e.UpdateReminded(T0 + timedelta(minutes=35), ("ana",))),
        (40, "ana", e.Posted("Update", "UPDATE")),
        (50, "ana", e.FactRecorded("root_cause", "A bad deployment")),
        (65, "ana", e.Resolved()),
        (70, "ana", e.ActionItemAdded("i1", "Alert on deployments", "ben", T0 + timedelta(days=7), "Monitoring")),
    )


@pytest.fixture
def runbook() -> Runbook:
    tree = Question(
        "Was there a deployment?", "deployment", Leaf("Roll back", 3), Leaf("Escalate", 4, escalate=True), line=2
    )
    return Runbook(
        title="Incidents", file="runbook.md", digest="digest",
        severities=tuple(Severity(f"SEV{n}", "", None, "", "", n) for n in (1, 2, 3, 4)),
        decision_tree=tree,
        checklists=(Checklist("Tickets", ("Monitoring", "Training"), 1, "follow_up"),),
        post_incident=(PostIncident("Review", timedelta(days=7), (), 9),),
        postmortem=PostmortemOutline(
            ("Incident summary", "Timeline", "Root cause", "Impact", "Lessons learned", "Action items"),
            ("Timeline review", "What went well", "What could improve", "Action items"),
        ),
    )  # fmt: skip


@pytest.fixture(name="tell")
def tell_fixture() -> Tell:
    return tell
