"""After the resolve: the runbook's tasks, action items, their reminders, the close, and a reopening."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tocsin.incident import commands
from tocsin.incident import events as e
from tocsin.incident.deadlines import Kind, deadlines
from tocsin.incident.drill import START, Drill
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.state import Status
from tocsin.incident.work import Send

DAY = timedelta(days=1)


def resolved(drill: Drill) -> Drill:
    drill.open()
    drill.acknowledge()
    drill.after(hours=1)
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="rolled back"))
    return drill


def owed(drill: Drill, kind: Kind = Kind.TASK) -> list[tuple[str, timedelta]]:
    found = (d for d in deadlines(drill.incident, drill.policy) if d.kind is kind)
    return [(d.what, d.due_at - START - timedelta(hours=1)) for d in found]


def reminders(drill: Drill) -> list[str]:
    return [r.what for r in drill.events(e.TaskReminded)]


def last_notice(drill: Drill) -> Send:
    return [w for _, w in drill.work if isinstance(w, Send) and w.kind == "notify"][-1]


def add(drill: Drill, title: str = "Add a canary", *, days: float = 2, owner: str = "dana") -> None:
    due_at = drill.now + timedelta(days=days)
    drill.command(lambda i, ctx: commands.add_action_item(i, ctx, title=title, owner=owner, due_at=due_at))


def tick(drill: Drill, item: str) -> None:
    drill.command(lambda i, ctx: commands.tick(i, ctx, item=item, done=True))


def test_the_tasks_are_due_a_day_and_a_week_after_the_resolve(drill: Drill) -> None:
    assert owed(resolved(drill)) == [
        ("Update the ticket with the timeline", DAY),
        ("Tell stakeholders", DAY),
        ("Find urgent follow-ups", DAY),
        ("Post-Incident Review", 7 * DAY),
    ]


def test_before_the_resolve_no_task_is_owed(drill: Drill) -> None:
    drill.open()
    drill.acknowledge()
    assert owed(drill) == []


def test_a_task_is_reminded_when_due_and_then_daily_three_times_in_all(drill: Drill) -> None:
    resolved(drill)
    tick(drill, "immediate/1")
    tick(drill, "immediate/2")
    drill.after(hours=23, minutes=59)
    assert reminders(drill) == []
    drill.after(minutes=1)
    assert reminders(drill) == ["Find urgent follow-ups"]
    drill.after(days=5)
    assert reminders(drill) == ["Find urgent follow-ups"] * 3


def test_a_repeated_reminder_still_says_when_the_task_was_due(drill: Drill) -> None:
    resolved(drill)
    tick(drill, "immediate/1")
    tick(drill, "immediate/2")
    drill.after(days=3)
    due = {r.due_at for r in drill.events(e.TaskReminded)}
    assert due == {START + timedelta(hours=25)}
    assert "Due 2026-01-06 04:00 UTC" in last_notice(drill).text


def test_a_done_task_is_not_reminded(drill: Drill) -> None:
    resolved(drill)
    for n in (1, 2, 3):
        tick(drill, f"immediate/{n}")
    drill.after(days=6)
    assert reminders(drill) == []


def test_a_process_that_slept_for_a_week_reminds_of_each_task_once(drill: Drill) -> None:
    resolved(drill)
    drill.now += 6 * DAY
    drill.after(seconds=0)
    assert len(reminders(drill)) == 3
    drill.after(hours=12)
    assert len(reminders(drill)) == 3


def test_an_action_item_reminds_its_owner_when_overdue(drill: Drill) -> None:
    resolved(drill)
    add(drill)
    drill.after(days=2, seconds=-1)
    assert "Add a canary" not in reminders(drill)
    drill.after(seconds=1)
    assert reminders(drill)[-1] == "Add a canary"
    assert last_notice(drill).person == "dana"


def test_an_action_item_falls_due_even_while_the_incident_lasts(drill: Drill) -> None:
    drill.open(severity="SEV4")
    drill.acknowledge()
    add(drill, days=1)
    drill.after(days=1)
    assert reminders(drill) == ["Add a canary"]


def test_a_finished_action_item_is_not_reminded(drill: Drill) -> None:
    resolved(drill)
    add(drill)
    drill.command(lambda i, ctx: commands.finish_action_item(i, ctx, item="1"))
    drill.after(days=6)
    assert "Add a canary" not in reminders(drill)
    with pytest.raises(CommandError, match="no open action item"):
        drill.command(lambda i, ctx: commands.finish_action_item(i, ctx, item="1"))


@pytest.mark.parametrize(("title", "owner"), [(" ", "dana"), ("Add a canary", "")])
def test_an_action_item_needs_a_title_and_an_owner(drill: Drill, title: str, owner: str) -> None:
    resolved(drill)
    with pytest.raises(CommandError, match="must not be empty"):
        add(drill, title, owner=owner)


def test_open_tasks_keep_it_from_being_closed(drill: Drill) -> None:
    resolved(drill)
    with pytest.raises(TransitionError, match="Tell stakeholders"):
        drill.command(lambda i, ctx: commands.close(i, ctx))


def test_a_reason_closes_all_the_same_and_ends_the_reminders_of_tasks(drill: Drill) -> None:
    resolved(drill)
    add(drill)
    drill.command(lambda i, ctx: commands.close(i, ctx, reason="a false alarm"))
    drill.after(days=9)
    assert set(reminders(drill)) == {"Add a canary"}


def test_with_every_task_done_it_closes_without_a_word(drill: Drill) -> None:
    resolved(drill)
    for item in ("immediate/1", "immediate/2", "immediate/3", "post-incident-review/1"):
        tick(drill, item)
    drill.command(lambda i, ctx: commands.close(i, ctx))
    assert drill.incident.status is Status.CLOSED


def test_an_incident_that_still_lasts_is_not_closed(drill: Drill) -> None:
    drill.open()
    with pytest.raises(TransitionError, match="open"):
        drill.command(lambda i, ctx: commands.close(i, ctx, reason="bored"))


def test_a_second_resolve_counts_its_tasks_anew_and_keeps_the_first(drill: Drill) -> None:
    resolved(drill)
    drill.after(days=3)
    drill.command(lambda i, ctx: commands.reopen(i, ctx, reason="it is back"))
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="fixed for good"))
    assert owed(drill)[0] == ("Update the ticket with the timeline", 4 * DAY)
    assert drill.incident.first_resolved_at == START + timedelta(hours=1)


def test_a_reopening_needs_a_reason(drill: Drill) -> None:
    resolved(drill)
    with pytest.raises(CommandError, match="reason"):
        drill.command(lambda i, ctx: commands.reopen(i, ctx, reason=" "))
