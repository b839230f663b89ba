"""Every pair of status and event: the listed ones go where the table says, every other raises and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest

from tocsin.incident import events as e
from tocsin.incident.errors import TransitionError
from tocsin.incident.fold import apply, begin, fold
from tocsin.incident.preflight import Check
from tocsin.incident.state import Incident, Page, Status
from tocsin.incident.transitions import TRANSITIONS, allowed
from tocsin.runbook.model import StepClass

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=30)
OPENED = e.Opened("checkout down", "SEV1", "drill", "backend", "drill", "d" * 64)

EVENTS: tuple[e.Event, ...] = (
    OPENED,
    e.AlertFired("f1", "HighErrorRate", "5xx is high", AT),
    e.AlertResolved("f1", "HighErrorRate"),
    e.Reported("Nobody can pay", "A customer"),
    e.Acknowledged(LATER, "web"),
    e.AcknowledgeMissed(AT),
    e.SeverityChanged("SEV2", "SEV1", "smaller than thought"),
    e.RoleAssigned("commander", "Ben"),
    e.Noted("looking"),
    e.FactRecorded("impact", "all shops"),
    e.Paged("opened", "On-call", "ana", "the incident opened", ("push",)),
    e.ContactTried("opened", "ana", "email"),
    e.RungPassed("rung:900:On-call", "On-call", "nobody"),
    e.Informed("rung:7200:CTO", "CTO", "cyril"),
    e.MessageDelivered("page", "email", "ana", "opened"),
    e.MessageFailed("page", "email", "ana", "opened", "refused"),
    e.Posted("Update", "text", ("eta",)),
    e.UpdateReminded(AT, ("ana",)),
    e.StatusPublished("investigating", "We are looking.", "Shop"),
    e.RunStarted("1", "pod-crashes", "Pod Crashes", "investigation", ("a", "b"), (1, 3), {"pod-name": "p"}),
    e.StepFinished("1", 1, "a", "ok", "", 0, "ev1", 0.5),
    e.RunFinished("1", "done"),
    e.Answered("recent-deployment", "yes", "deployed at 02:55"),
    e.MitigationProposed("1", "rollback", "Rollback", "undo", StepClass.CHANGE, 1, LATER, "b" * 64, {"x": "y"}),
    e.MitigationApproved("1"),
    e.GlassBroken("1", "nobody is awake"),
    e.MitigationRejected("1", "no"),
    e.ApprovalExpired("1"),
    e.MitigationStarted("1"),
    e.MitigationFinished("1", "done", "exit code 0", "ev2"),
    e.MitigationOutcomeUnknown("1", "the server stopped"),
    e.MitigationOutputKept("1", "ev3"),
    e.MitigationObserved("1", Check("rollout", "passed", "2 of 2 pods")),
    e.Mitigated("rolled back"),
    e.VerificationStarted("asked", AT, LATER, "2"),
    e.ResolveRequested(),
    e.VerificationFailed("unhealthy"),
    e.VerificationPassed(),
    e.ChecklistTicked("verification-checklist/1", "ok", True, "seen"),
    e.Resolved("gone", ("open: x",)),
    e.Reopened("back"),
    e.ResolveProposed(AT, ("open: x",)),
    e.Merged(2, "i2", "cart down", "the same database"),
    e.Absorbed(
        2,
        "i2",
        "cart down",
        "SEV1",
        AT,
        AT,
        3,
        1,
        None,
        AT,
        ("cart",),
        ("g",),
        ("Ana",),
        AT,
        ("rung:900:CTO",),
        (Page("merged:2:opened", "On-call", "ana", AT, "the incident opened", of=2),),
    ),
    e.SplitOff(2, "i2", "cart down", 3, 1, "another cause"),
    e.SplitFrom(1, "i1", "checkout down", 3, 1, AT),
    e.Joined("cart", "CartDown", "same namespace shop"),
    e.RelationDenied(2, "i2", "seen"),
    e.ActionItemAdded("1", "canary", "dana", LATER, "fix"),
    e.ActionItemDone("1"),
    e.TaskReminded("task:immediate/1@0", "tell", "ana", AT),
    e.Closed("done"),
)
PAIRS = [(event, status) for event in EVENTS for status in Status]
LISTED = [(event, status) for event, status in PAIRS if allowed(status, type(event))]
UNLISTED = [(event, status) for event, status in PAIRS if not allowed(status, type(event))]


def incident(status: Status) -> Incident:
    return msgspec.structs.replace(begin("i1", 1, e.Entry(1, AT, "drill", OPENED)), status=status)


def name(value: object) -> str:
    return value.value if isinstance(value, Status) else type(value).__name__


def test_every_kind_of_event_is_tried_here() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(e.Event))
    assert set(TRANSITIONS) == set(get_args(e.Event)) - {e.Opened}


@pytest.mark.parametrize(("event", "status"), LISTED, ids=name)
def test_a_listed_event_leads_where_the_table_says(event: e.Event, status: Status) -> None:
    after = apply(incident(status), e.Entry(2, LATER, "Ana", event))
    assert after.status is TRANSITIONS[type(event)][status]
    assert after.version == 2


@pytest.mark.parametrize(("event", "status"), UNLISTED, ids=name)
def test_an_unlisted_event_is_refused_and_changes_nothing(event: e.Event, status: Status) -> None:
    before = incident(status)
    with pytest.raises(TransitionError, match=status.value):
        apply(before, e.Entry(2, LATER, "Ana", event))
    assert before == incident(status)


@pytest.mark.parametrize("event", EVENTS, ids=name)
def test_an_event_survives_the_way_through_json(event: e.Event) -> None:
    entry = e.Entry(7, AT, "Ana", event)
    assert msgspec.json.decode(msgspec.json.encode(entry), type=e.Entry) == entry


def test_the_table_leads_through_an_incidents_whole_life() -> None:
    life: tuple[e.Event, ...] = (
        e.Acknowledged(None, "web"), e.MitigationProposed("1", "r", "R", "c", StepClass.CHANGE, 1, LATER, "b"),
        e.MitigationApproved("1"), e.VerificationStarted("x", AT, AT), e.Resolved(), e.Closed(), e.Reopened("back"),
    )  # fmt: skip
    seen = [incident(Status.OPEN)]
    for seq, event in enumerate(life, start=2):
        seen.append(apply(seen[-1], e.Entry(seq, AT, "Ana", event)))
    words = [i.status.value for i in seen]
    assert words == [
        "open", "acknowledged", "acknowledged", "mitigating", "monitoring", "resolved", "closed", "open",
    ]  # fmt: skip


@pytest.mark.parametrize("timeline", [(), (e.Entry(1, AT, "Ana", e.Noted("first")),)])
def test_a_timeline_that_does_not_begin_with_an_opening_is_refused(timeline: tuple[e.Entry, ...]) -> None:
    with pytest.raises(TransitionError, match="begins with Opened"):
        fold("i1", 1, timeline)
