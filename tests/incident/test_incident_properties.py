"""What holds whatever people, alerts and the clock do, in any order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tocsin.incident import commands, mitigations
from tocsin.incident import events as e
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.checklists import items
from tocsin.incident.deadlines import deadlines, next_due
from tocsin.incident.drill import Drill
from tocsin.incident.errors import IncidentError
from tocsin.incident.fold import fold
from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident, Status

Move = Callable[[Drill], None]
PEOPLE = ("Ana", "Ben", "a visitor")


def _alert(status: str) -> Move:
    return lambda d: d.alert(Alert("f", AlertStatus(status), {"alertname": "A"}, {}, d.now, None, "alertmanager"))


def _tick_all(drill: Drill) -> None:
    for item in items(drill.policy.runbook):
        _command(commands.tick, item=item.id, done=True)(drill)


def _reopen(drill: Drill) -> None:
    drill.command(lambda i, ctx: commands.reopen(i, ctx, reason="back"))
    drill.command(commands.after_reopening, by="tocsin")


def _propose(slug: str) -> Move:
    def move(drill: Drill) -> None:
        found = drill.policy.runbook.mitigation(slug)
        assert found is not None
        drill.command(lambda i, ctx: mitigations.propose(i, ctx, found, values={}))

    return move


def _last(drill: Drill) -> str:
    return drill.incident.approvals[-1].id if drill.incident.approvals else "none"


def _finish(outcome: str) -> Move:
    return lambda d: d.command(
        lambda i, ctx: mitigations.finish(i, _last(d), outcome=outcome, reason="", evidence=None), by="tocsin"
    )


def _decide(decision: Callable[..., tuple[e.Event, ...]], by: str) -> Move:
    return lambda d: d.command(lambda i, ctx: decision(i, ctx, _last(d)), by=by)


def _command(command: Callable[..., tuple[e.Event, ...]], by: str = "Ana", **words: object) -> Move:
    return lambda d: d.command(lambda i, ctx: command(i, ctx, **words), by=by)


def _action_item(drill: Drill) -> None:
    due_at = drill.now + timedelta(minutes=40)
    drill.command(lambda i, ctx: commands.add_action_item(i, ctx, title="canary", owner="dana", due_at=due_at))


MOVES: tuple[Move, ...] = (
    _alert("firing"), _alert("resolved"), _tick_all, _reopen, _action_item,
    _propose("rollback"), _propose("drop-the-cache"),
    *(_decide(mitigations.approve, by) for by in PEOPLE), _decide(mitigations.reject, "Ana"),
    _decide(mitigations.begin, "tocsin"), _finish("done"), _finish("unknown"),
    *(_command(commands.acknowledge, by, via="web") for by in PEOPLE),
    _command(commands.escalate), _command(commands.escalate, role="CTO"),
    *(_command(commands.set_severity, severity=s) for s in ("SEV1", "SEV2", "SEV3", "SEV4")),
    _command(commands.resolve), _command(commands.resolve, reason="enough"), _command(commands.close, reason="done"),
    _command(commands.mitigated), _command(commands.verification_failed, "tocsin", reason="unhealthy"),
    _command(commands.update, text="still looking"), _command(commands.assign, role="commander", person="ben"),
    _command(commands.publish, status="monitoring"),
)  # fmt: skip
WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 14, 15, 30, 61, 600, 12000))
PLAYS = st.lists(st.one_of(st.sampled_from(MOVES), st.sampled_from(WAITS)), max_size=14)
PLAIN = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def play(policy: Policy, moves: list[Move | timedelta], each: Callable[[Drill], None] = lambda _: None) -> Drill:
    """The moves one after the other; what the rules refuse is skipped, anything else that is raised fails the test."""
    drill = Drill(policy).open()
    for move in moves:
        if isinstance(move, timedelta):
            drill.after(seconds=move.total_seconds())
        else:
            try_move(drill, move)
        each(drill)
    return drill


def try_move(drill: Drill, move: Move) -> None:
    try:
        move(drill)
    except IncidentError:
        return


@given(PLAYS)
@PLAIN
def test_replaying_the_timeline_gives_the_same_incident(policy: Policy, moves: list[Move | timedelta]) -> None:
    drill = play(policy, moves)
    assert fold("drill", 1, drill.timeline) == drill.incident


@given(PLAYS)
@PLAIN
def test_an_incident_survives_the_way_through_json(policy: Policy, moves: list[Move | timedelta]) -> None:
    incident = play(policy, moves).incident
    assert msgspec.json.decode(msgspec.json.encode(incident), type=Incident) == incident


@given(PLAYS)
@PLAIN
def test_nobody_is_paged_twice_for_one_reason(policy: Policy, moves: list[Move | timedelta]) -> None:
    drill = play(policy, moves)
    pages = [(event.key, event.person) for event in drill.events(e.Paged)]
    assert len(pages) == len(set(pages))


@given(PLAYS)
@example([MOVES[12], MOVES[17], timedelta(hours=10)])
@PLAIN
def test_after_an_acknowledge_only_a_person_wakes_anybody(policy: Policy, moves: list[Move | timedelta]) -> None:
    owned = False
    for entry in play(policy, moves).timeline:
        owned = isinstance(entry.event, e.Acknowledged) or (owned and not isinstance(entry.event, e.Reopened))
        if owned and isinstance(entry.event, e.Paged):
            assert entry.event.cause.startswith("escalated by")
        assert not (owned and isinstance(entry.event, e.ContactTried | e.AcknowledgeMissed))


@given(PLAYS)
@PLAIN
def test_after_time_has_passed_nothing_is_overdue_and_the_soonest_comes_first(
    policy: Policy, moves: list[Move | timedelta]
) -> None:
    def check(drill: Drill) -> None:
        drill.after(seconds=0)
        owed = [d.due_at for d in deadlines(drill.incident, policy)]
        assert owed == sorted(owed)
        assert all(due > drill.now for due in owed)
        assert next_due(drill.incident, policy) == (owed[0] if owed else None)

    play(policy, moves, check)


@given(PLAYS)
@PLAIN
def test_each_deadline_has_a_name_of_its_own(policy: Policy, moves: list[Move | timedelta]) -> None:
    owed = [(d.kind, d.key) for d in deadlines(play(policy, moves).incident, policy)]
    assert len(owed) == len(set(owed))


@given(PLAYS, st.sampled_from(MOVES))
@PLAIN
def test_what_is_refused_changes_nothing(policy: Policy, moves: list[Move | timedelta], move: Move) -> None:
    drill = play(policy, moves)
    incident, timeline, work = drill.incident, list(drill.timeline), list(drill.work)
    try:
        move(drill)
    except IncidentError:
        assert (drill.incident, drill.timeline, drill.work) == (incident, timeline, work)


@given(PLAYS)
@PLAIN
def test_a_mitigation_begins_at_most_once_and_only_with_enough_different_people(
    policy: Policy, moves: list[Move | timedelta]
) -> None:
    drill = play(policy, moves)
    started = [event.approval for event in drill.events(e.MitigationStarted)]
    assert len(started) == len(set(started))
    for approval in drill.incident.approvals:
        if approval.id in started:
            assert len(set(approval.approved_by)) >= approval.needs


@given(PLAYS)
@PLAIN
def test_a_verification_is_only_watched_while_it_can_still_end(policy: Policy, moves: list[Move | timedelta]) -> None:
    incident = play(policy, moves).incident
    if incident.verification is not None and incident.verification.status == "watching":
        assert incident.status not in (Status.ACKNOWLEDGED, Status.MITIGATING)


@pytest.mark.parametrize("first", MOVES)
def test_every_move_is_possible_or_refused_right_after_the_opening(policy: Policy, first: Move) -> None:
    play(policy, [first, timedelta(days=30)])
