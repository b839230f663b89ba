"""The time to acknowledge, kept or missed, and what another severity does to every deadline."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tocsin.incident import commands
from tocsin.incident import events as e
from tocsin.incident.deadlines import Kind, deadlines
from tocsin.incident.drill import START, Drill
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import Rules


def change(drill: Drill, severity: str, reason: str = "") -> None:
    drill.command(lambda i, ctx: commands.set_severity(i, ctx, severity=severity, reason=reason))


def due(drill: Drill, kind: Kind) -> timedelta | None:
    """When the first deadline of a kind falls due, after the opening."""
    found = next((d for d in deadlines(drill.incident, drill.policy) if d.kind is kind), None)
    return found.due_at - START if found else None


@pytest.mark.parametrize(("severity", "minutes"), [("SEV1", 5), ("SEV2", 15), ("SEV3", 60), ("SEV4", 240)])
def test_an_acknowledge_in_time_meets_the_promise(drill: Drill, severity: str, minutes: int) -> None:
    drill.open(severity=severity)
    drill.after(minutes=minutes, seconds=-1)
    drill.acknowledge()
    drill.after(days=1)
    assert drill.events(e.AcknowledgeMissed) == []
    assert drill.incident.acknowledge_due_at == START + timedelta(minutes=minutes)


@pytest.mark.parametrize(("severity", "minutes"), [("SEV1", 5), ("SEV2", 15), ("SEV3", 60), ("SEV4", 240)])
def test_the_promise_is_missed_once_at_the_instant_it_was_due(drill: Drill, severity: str, minutes: int) -> None:
    drill.open(severity=severity)
    drill.after(minutes=minutes)
    drill.after(days=1)
    assert drill.events(e.AcknowledgeMissed) == [e.AcknowledgeMissed(START + timedelta(minutes=minutes))]


def test_immediate_is_measured_against_its_setting(drill: Drill) -> None:
    drill.retime(rules=Rules(immediate=timedelta(minutes=1)))
    drill.open()
    drill.after(seconds=59)
    assert not drill.incident.acknowledge_missed
    drill.after(seconds=1)
    assert drill.incident.acknowledge_missed


def test_a_late_acknowledge_keeps_when_it_was_due(drill: Drill) -> None:
    drill.open(severity="SEV2")
    drill.after(minutes=20)
    drill.acknowledge()
    assert drill.events(e.Acknowledged) == [e.Acknowledged(START + timedelta(minutes=15), "drill")]
    assert drill.incident.acknowledge_missed


def test_raising_the_severity_pages_the_overdue_rungs_once_and_now(drill: Drill) -> None:
    drill.open(severity="SEV4")
    drill.after(hours=1)
    change(drill, "SEV1")
    assert drill.after(seconds=0) == ["DevOps Lead", "Engineering Manager"]
    assert drill.after(minutes=59, seconds=59) == []
    assert drill.after(seconds=1) == ["CTO"]


def test_nobody_is_late_for_what_was_not_asked_yet(drill: Drill) -> None:
    drill.open(severity="SEV4")
    drill.after(hours=1)
    change(drill, "SEV1")
    drill.after(minutes=4, seconds=59)
    assert not drill.incident.acknowledge_missed
    drill.after(seconds=1)
    assert drill.incident.acknowledge_missed


def test_a_change_just_before_the_new_due_time_leaves_time_to_answer(drill: Drill) -> None:
    drill.open(severity="SEV3")
    drill.after(minutes=14, seconds=59)
    change(drill, "SEV2")
    assert due(drill, Kind.ACKNOWLEDGE) == timedelta(minutes=19, seconds=59)


def test_lowering_the_severity_makes_nobody_late_in_hindsight(drill: Drill) -> None:
    drill.open(severity="SEV1")
    drill.after(minutes=4)
    change(drill, "SEV3")
    drill.after(minutes=55)
    assert drill.events(e.AcknowledgeMissed) == []
    assert due(drill, Kind.ACKNOWLEDGE) == timedelta(hours=1)


def test_lowering_the_severity_takes_the_later_rungs_away(drill: Drill) -> None:
    drill.open(severity="SEV1")
    drill.after(minutes=40)
    change(drill, "SEV3")
    assert drill.after(days=1) == []


def test_a_rung_paged_under_one_severity_is_not_paged_again_under_another(drill: Drill) -> None:
    drill.open(severity="SEV2")
    drill.after(minutes=35)
    change(drill, "SEV1")
    change(drill, "SEV2")
    change(drill, "SEV1")
    assert drill.after(hours=3) == ["Engineering Manager", "CTO"]


def test_raising_after_the_acknowledge_informs_whom_the_higher_ladder_names(drill: Drill) -> None:
    drill.open(severity="SEV4")
    drill.acknowledge()
    drill.after(hours=3)
    change(drill, "SEV1")
    assert drill.after(seconds=0) == []
    assert [i.role for i in drill.events(e.Informed)] == ["On-call", "DevOps Lead", "Engineering Manager", "CTO"]


def test_the_update_cadence_follows_the_severity(drill: Drill) -> None:
    drill.open(severity="SEV4")
    drill.acknowledge()
    assert due(drill, Kind.UPDATE) is None
    change(drill, "SEV3")
    assert due(drill, Kind.UPDATE) == timedelta(hours=1)
    change(drill, "SEV1")
    assert due(drill, Kind.UPDATE) == timedelta(minutes=30)


def test_the_team_is_told_of_a_changed_severity_and_why(drill: Drill) -> None:
    drill.open(severity="SEV3")
    drill.pages()
    change(drill, "SEV1", "all users affected")
    assert drill.sends("post")[0].text == (
        "Severity changed from SEV3 to SEV1 by Ana (all users affected): checkout down"
    )
    assert drill.incident.severity_reason == "all users affected"


def test_the_same_severity_again_is_refused(drill: Drill) -> None:
    drill.open(severity="SEV3")
    with pytest.raises(TransitionError, match="SEV3 already"):
        change(drill, "SEV3")


def test_a_severity_the_runbook_does_not_know_is_refused_with_those_it_does(drill: Drill) -> None:
    with pytest.raises(CommandError, match="SEV9") as refused:
        drill.open(severity="SEV9")
    assert refused.value.fields == {"severity": "one of SEV1, SEV2, SEV3, SEV4"}
