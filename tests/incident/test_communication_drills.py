"""What the team is told: the Initial Alert, updates and their reminders, the Resolution, the public word."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tocsin.incident import commands
from tocsin.incident import events as e
from tocsin.incident.drill import Drill
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import Policy, Rules
from tocsin.incident.state import Status
from tocsin.oncall.roster import Person, Roster

FIELDS = {"progress": "found it", "next": "roll back"}


def posted(drill: Drill, template: str) -> e.Posted:
    return [p for p in drill.events(e.Posted) if p.template == template][-1]


def reminded(drill: Drill) -> list[tuple[str, ...]]:
    return [r.who for r in drill.events(e.UpdateReminded)]


def update(drill: Drill, text: str = "", **fields: str) -> None:
    drill.command(lambda i, ctx: commands.update(i, ctx, fields=fields, text=text))


def words(drill: Drill) -> list[str]:
    return [s.status for s in drill.events(e.StatusPublished)]


def test_the_initial_alert_is_posted_at_the_opening_without_a_bracket(drill: Drill) -> None:
    drill.open("checkout down", severity="SEV2")
    alert = posted(drill, "Initial Alert")
    assert "[" not in alert.text
    assert alert.text.splitlines() == [
        ":rotating_light: INCIDENT: checkout down",
        "Severity: SEV2",
        "Status: Investigating",
        "Impact: not known yet",
        "IC: not known yet",
        "Thread: https://tocsin.example.com/incidents/1",
    ]
    assert alert.missing == ("impact", "commander")


def test_nobody_is_reminded_before_somebody_owns_the_incident(drill: Drill) -> None:
    drill.open()
    drill.after(hours=6)
    assert reminded(drill) == []


def test_a_late_acknowledge_owes_one_update_and_not_a_dozen(drill: Drill) -> None:
    drill.open()
    drill.after(hours=6)
    drill.acknowledge()
    drill.after(minutes=29, seconds=59)
    assert len(reminded(drill)) == 1
    drill.after(seconds=1)
    assert len(reminded(drill)) == 2


@pytest.mark.parametrize(("severity", "minutes"), [("SEV1", 30), ("SEV2", 30), ("SEV3", 60)])
def test_an_update_is_reminded_at_the_cadence_again_and_again(drill: Drill, severity: str, minutes: int) -> None:
    drill.open(severity=severity)
    drill.acknowledge()
    drill.after(minutes=minutes, seconds=-1)
    assert reminded(drill) == []
    drill.after(seconds=1)
    assert reminded(drill) == [("ana",)]
    drill.after(minutes=2 * minutes)
    assert len(reminded(drill)) == 3


def test_no_update_is_reminded_in_a_severity_without_a_cadence(drill: Drill) -> None:
    drill.open(severity="SEV4")
    drill.acknowledge()
    drill.after(days=2)
    assert reminded(drill) == []


def test_a_posted_update_starts_the_cadence_again(drill: Drill) -> None:
    drill.open()
    drill.acknowledge()
    drill.after(minutes=29)
    update(drill, text="still looking")
    drill.after(minutes=29, seconds=59)
    assert reminded(drill) == []
    drill.after(seconds=1)
    assert len(reminded(drill)) == 1


def test_the_reminder_goes_to_the_commander_of_now(drill: Drill) -> None:
    drill.open()
    drill.acknowledge(by="Ana")
    drill.after(minutes=20)
    drill.command(lambda i, ctx: commands.assign(i, ctx, role="commander", person="ben"))
    drill.after(minutes=10)
    assert drill.incident.commander == "Ben"
    assert reminded(drill) == [("ben",)]


def test_a_commander_nobody_knows_is_stood_in_for_by_on_call(drill: Drill) -> None:
    drill.open()
    drill.acknowledge(by="a visitor")
    drill.after(minutes=30)
    assert reminded(drill) == [("ana",)]


def test_a_reminder_with_nobody_to_go_to_goes_to_the_team(drill: Drill, people: dict[str, Person]) -> None:
    drill.retime(roster=Roster(people, {}))
    drill.open()
    drill.acknowledge(by="a visitor")
    drill.after(minutes=29, seconds=59)
    drill.now += timedelta(seconds=1)
    drill.command(lambda i, ctx: (e.UpdateReminded(ctx.at, ()),), by="tocsin")
    assert [(w.kind, w.person) for w in drill.sends("notify")] == [("notify", None)]


def test_an_update_with_blanks_is_refused_and_each_blank_is_named(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError, match="progress, next") as refused:
        update(drill)
    assert set(refused.value.fields) == {"progress", "next"}


def test_what_only_may_be_known_is_not_asked_for(drill: Drill) -> None:
    drill.open()
    update(drill, **FIELDS)
    assert posted(drill, "Update").text.splitlines() == [
        "UPDATE: checkout down",
        "Status: Investigating",
        "Progress: found it",
        "Next: roll back",
        "ETA: not known yet",
    ]


def test_an_update_by_an_unknown_template_names_those_there_are(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError) as refused:
        drill.command(lambda i, ctx: commands.update(i, ctx, template="Haiku"))
    assert "Initial Alert, Update, Resolution" in refused.value.fields["template"]


def test_facts_that_last_are_kept_from_an_update(drill: Drill) -> None:
    drill.open()
    fields = {"impact": "all shops", "root_cause": "bad deploy", "follow_up": "OPS-1"}
    drill.command(lambda i, ctx: commands.update(i, ctx, template="Resolution", fields=fields))
    assert drill.incident.facts == fields


def test_an_update_after_the_close_is_refused(drill: Drill) -> None:
    drill.open()
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="gone"))
    update(drill, text="one more thing")
    drill.command(lambda i, ctx: commands.close(i, ctx, reason="nothing to learn"))
    with pytest.raises(TransitionError):
        update(drill, text="and another")


def test_the_resolution_says_how_long_it_took(drill: Drill) -> None:
    drill.open()
    drill.after(minutes=47)
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="rolled back"))
    done = posted(drill, "Resolution")
    assert "Duration: 2026-01-05 03:00 UTC - 2026-01-05 03:47 UTC (47 min)" in done.text
    assert "[" not in done.text
    assert done.missing == ("impact", "root_cause", "follow_up")


# the public word


def test_the_public_word_follows_the_incident(drill: Drill) -> None:
    drill.open()
    drill.acknowledge()
    drill.command(lambda i, ctx: commands.mitigated(i, ctx))
    drill.command(lambda i, ctx: commands.resolve(i, ctx))
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="enough"))
    assert words(drill) == ["investigating", "identified", "monitoring", "resolved"]


def test_saying_that_the_impact_stopped_does_not_take_monitoring_back(drill: Drill) -> None:
    drill.open()
    drill.command(lambda i, ctx: commands.resolve(i, ctx))
    drill.command(lambda i, ctx: commands.mitigated(i, ctx))
    assert words(drill)[-1] == "monitoring"


def test_the_public_reads_the_runbooks_own_sentence(drill: Drill) -> None:
    drill.open(service="checkout")
    said = drill.events(e.StatusPublished)[0]
    assert said == e.StatusPublished(
        "investigating", "We are investigating issues with checkout.", "checkout experiencing issues"
    )


def test_nothing_is_published_by_itself_when_the_setting_is_off(drill: Drill) -> None:
    drill.retime(rules=Rules(publish_automatically=False))
    drill.open()
    drill.acknowledge()
    drill.command(lambda i, ctx: commands.mitigated(i, ctx))
    assert words(drill) == []


def test_once_a_person_has_published_the_page_follows(drill: Drill) -> None:
    drill.retime(rules=Rules(publish_automatically=False))
    drill.open()
    drill.acknowledge()
    drill.command(lambda i, ctx: commands.publish(i, ctx, status="Investigating", text="Checkout is slow."))
    drill.command(lambda i, ctx: commands.mitigated(i, ctx))
    assert words(drill) == ["investigating", "identified"]
    assert drill.incident.public[0].text == "Checkout is slow."


def test_a_word_that_is_no_public_status_is_refused(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError, match="on fire"):
        drill.command(lambda i, ctx: commands.publish(i, ctx, status="on fire"))


def test_closing_changes_no_public_word(drill: Drill) -> None:
    drill.open()
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="gone"))
    drill.command(lambda i, ctx: commands.close(i, ctx, reason="small"))
    assert drill.incident.status is Status.CLOSED
    assert words(drill)[-1] == "resolved"


def test_a_runbook_without_templates_has_its_team_told_in_words_of_our_own(policy: Policy) -> None:
    drill = Drill(dataclasses.replace(policy, runbook=replace(policy.runbook, templates=())))
    drill.open("checkout down", severity="SEV2")
    assert posted(drill, "Initial Alert").text.splitlines() == [
        "INCIDENT: checkout down",
        "Severity: SEV2",
        "Impact: not known yet",
        "Page: https://tocsin.example.com/incidents/1",
    ]
    drill.after(minutes=5)
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="a false alarm"))
    assert "Duration: 5 min" in posted(drill, "Resolution").text
