"""Who is woken, when, and who is only told: the opening, the matrix, the acknowledge."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tocsin.incident import commands
from tocsin.incident import events as e
from tocsin.incident.drill import Drill
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import AfterAcknowledge, Policy, Rules
from tocsin.incident.work import Send
from tocsin.oncall.roster import Always, ContactRule, Person, Roster
from tocsin.runbook.model import Rung


def informed(drill: Drill) -> list[str]:
    return [event.role for event in drill.events(e.Informed)]


def escalate(drill: Drill, role: str | None = None, *, by: str = "Ana") -> list[str]:
    drill.pages()
    drill.command(lambda i, ctx: commands.escalate(i, ctx, role=role), by=by)
    return drill.pages()


@pytest.mark.parametrize("severity", ["SEV1", "SEV2", "SEV3", "SEV4"])
def test_opening_pages_on_call_in_every_severity(drill: Drill, severity: str) -> None:
    assert drill.open(severity=severity).pages() == ["On-call"]


def test_a_level_without_a_rung_pages_the_first_role_of_the_matrix(policy: Policy) -> None:
    matrix = (Rung("SEV1", timedelta(minutes=15), "Pager", 1), Rung("SEV1", timedelta(minutes=30), "Director", 1))
    roster = Roster({"ana": Person("ana", "Ana")}, {"Pager": Always(("ana",))})
    small = dataclasses.replace(policy, runbook=replace(policy.runbook, escalation=matrix), roster=roster)
    assert Drill(small).open(severity="SEV4").pages() == ["Pager"]


def test_a_rung_at_no_time_is_the_page_of_the_opening_and_other_roles_of_that_time_follow(
    policy: Policy,
) -> None:
    at_once = (Rung("SEV1", timedelta(0), "On-call", 1), Rung("SEV1", timedelta(0), "Director", 1))
    matrix = (*at_once, Rung("SEV1", timedelta(minutes=7), "On-call", 1))
    roster = Roster({"ana": Person("ana", "Ana")}, {"*": Always(("ana",))})
    drill = Drill(dataclasses.replace(policy, runbook=replace(policy.runbook, escalation=matrix), roster=roster)).open()
    assert drill.pages() == ["On-call"]
    assert drill.after(seconds=0) == ["Director"]
    assert drill.after(minutes=7) == ["On-call"]


def test_the_fifteen_minute_rung_pages_on_call_again(drill: Drill) -> None:
    drill.open()
    assert drill.after(minutes=14, seconds=59) == []
    assert drill.after(seconds=1) == ["On-call"]


def test_an_unacknowledged_sev1_climbs_to_the_cto(drill: Drill) -> None:
    drill.open()
    assert drill.after(minutes=29, seconds=59) == ["On-call"]
    assert drill.after(seconds=1) == ["DevOps Lead"]
    assert drill.after(minutes=29, seconds=59) == []
    assert drill.after(seconds=1) == ["Engineering Manager"]
    assert drill.after(minutes=59, seconds=59) == []
    assert drill.after(seconds=1) == ["CTO"]
    assert drill.after(days=2) == []


@pytest.mark.parametrize(
    ("severity", "ladder"),
    [
        ("SEV2", ["On-call", "DevOps Lead", "Engineering Manager"]),
        ("SEV3", ["On-call", "DevOps Lead"]),
        ("SEV4", ["On-call"]),
    ],
)
def test_a_dash_in_the_matrix_is_nobody(drill: Drill, severity: str, ladder: list[str]) -> None:
    drill.open(severity=severity)
    assert drill.after(days=1) == ladder


def test_an_acknowledge_at_the_last_second_stops_the_rung(drill: Drill) -> None:
    drill.open()
    drill.after(minutes=14, seconds=59)
    drill.acknowledge()
    assert drill.after(days=1) == []


def test_after_an_acknowledge_the_rungs_inform_without_waking(drill: Drill) -> None:
    drill.open()
    drill.after(minutes=10)
    drill.acknowledge()
    drill.after(hours=1, minutes=49, seconds=59)
    assert informed(drill) == ["On-call", "DevOps Lead", "Engineering Manager"]
    drill.after(seconds=1)
    assert informed(drill)[-1] == "CTO"


def test_information_goes_to_the_person_as_a_notice_and_not_as_a_page(drill: Drill) -> None:
    drill.open()
    drill.acknowledge()
    drill.after(minutes=30)
    sent = [w for _, w in drill.work if isinstance(w, Send) and w.person == "dana"]
    assert [(w.kind, w.only_while_open) for w in sent] == [("notify", False)]


def test_mitigated_stops_the_informing(drill: Drill) -> None:
    drill.open()
    drill.acknowledge()
    drill.after(minutes=59)
    drill.command(lambda i, ctx: commands.mitigated(i, ctx, reason="rolled back"))
    drill.after(days=1)
    assert informed(drill) == ["On-call", "DevOps Lead"]


def test_a_rule_makes_rungs_page_after_the_acknowledge(drill: Drill) -> None:
    drill.retime(rules=Rules(after_acknowledge=AfterAcknowledge.PAGE))
    drill.open()
    drill.acknowledge()
    assert drill.after(hours=2) == ["On-call", "DevOps Lead", "Engineering Manager", "CTO"]
    page = [w for _, w in drill.work if isinstance(w, Send) and w.person == "cyril"][-1]
    assert not page.only_while_open
    assert "not mitigated" in page.text


def test_a_rule_makes_rungs_stop_after_the_acknowledge(drill: Drill) -> None:
    drill.retime(rules=Rules(after_acknowledge=AfterAcknowledge.STOP))
    drill.open()
    drill.acknowledge()
    assert drill.after(days=1) == []
    assert informed(drill) == []


def test_two_people_acknowledge_and_the_first_owns_it(drill: Drill) -> None:
    drill.open()
    drill.acknowledge(by="Ana")
    drill.acknowledge(by="Ben")
    assert len(drill.events(e.Acknowledged)) == 2
    assert (drill.incident.acknowledged_by, drill.incident.commander) == ("Ana", "Ana")
    assert [w.key for w in drill.sends("post") if "cknowledged" in w.subject] == ["acknowledged:6"]


def test_an_acknowledge_after_the_end_is_refused(drill: Drill) -> None:
    drill.open()
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="false alarm"))
    with pytest.raises(TransitionError, match="resolved"):
        drill.acknowledge()


# by a person


def test_a_person_escalates_past_who_was_paged_already(drill: Drill) -> None:
    drill.open()
    assert escalate(drill) == ["DevOps Lead"]
    assert drill.after(minutes=30) == ["On-call"]


def test_a_person_may_escalate_after_the_acknowledge(drill: Drill) -> None:
    drill.open()
    drill.acknowledge()
    assert escalate(drill) == ["DevOps Lead"]
    page = [w for _, w in drill.work if isinstance(w, Send) and w.person == "dana"][-1]
    assert (page.kind, page.only_while_open) == ("page", False)


def test_a_person_may_name_the_role(drill: Drill) -> None:
    drill.open()
    assert escalate(drill, "CTO") == ["CTO"]
    assert escalate(drill, "CTO") == ["CTO"]


def test_escalating_past_the_last_rung_pages_it_again(drill: Drill) -> None:
    drill.open(severity="SEV4")
    assert escalate(drill) == ["On-call"]
    assert escalate(drill) == ["On-call"]


def test_escalating_to_a_role_nobody_holds_is_refused(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError, match="Night Watch"):
        escalate(drill, "Night Watch")


def test_escalating_when_nobody_above_is_on_is_refused_and_changes_nothing(
    drill: Drill, people: dict[str, Person]
) -> None:
    drill.retime(roster=Roster(people, {"On-call": Always(("ana",))}))
    drill.open()
    before = drill.incident
    with pytest.raises(CommandError, match="CTO"):
        escalate(drill)
    assert drill.incident == before


def test_an_escalation_that_passes_over_an_empty_role_still_reaches_after_the_acknowledge(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    drill.retime(roster=Roster(people, {k: v for k, v in holders.items() if k != "DevOps Lead"}))
    drill.open()
    drill.acknowledge()
    assert escalate(drill) == ["Engineering Manager"]
    page = [w for _, w in drill.work if isinstance(w, Send) and w.person == "emil"][-1]
    assert not page.only_while_open
    assert "escalated by Ana" in page.text
    assert "nobody is DevOps Lead" in page.text


# nobody there


def test_with_nobody_on_call_the_next_rung_is_paged_at_once_and_it_is_said(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    drill.retime(roster=Roster(people, {**holders, "On-call": Always(())}))
    drill.open()
    assert [w.role for _, w in drill.work if isinstance(w, Send) and w.kind == "page"] == ["DevOps Lead"]
    assert [p.role for p in drill.events(e.RungPassed)] == ["On-call", "On-call"]
    assert "Nobody is On-call" in drill.sends("post")[0].subject
    assert drill.after(hours=1) == ["Engineering Manager"]


def test_an_empty_rung_pages_the_next_one_at_once(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    drill.retime(roster=Roster(people, {**holders, "DevOps Lead": Always(())}))
    drill.open()
    assert drill.after(minutes=30) == ["On-call", "Engineering Manager"]
    assert drill.after(hours=3) == ["CTO"]


def test_nobody_at_all_is_said_once_and_does_not_go_round_in_circles(drill: Drill, people: dict[str, Person]) -> None:
    drill.retime(roster=Roster(people, {}))
    drill.open()
    assert drill.after(days=1) == []
    assert len(drill.events(e.RungPassed)) == 5


def test_everybody_who_holds_the_role_is_paged(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    drill.retime(roster=Roster(people, {**holders, "On-call": Always(("ana", "ben"))}))
    drill.open()
    assert [p.person for p in drill.events(e.Paged)] == ["ana", "ben"]


# people's own rules


def with_rules(drill: Drill, people: dict[str, Person], holders: dict[str, Always], *rules: tuple[int, str]) -> None:
    own = tuple(ContactRule(timedelta(minutes=after), via) for after, via in rules)
    drill.retime(roster=Roster({**people, "ana": Person("ana", "Ana", notify=own)}, holders))


def ways(drill: Drill) -> list[tuple[str, ...]]:
    return [w.ways for _, w in drill.work if isinstance(w, Send) and w.person == "ana"]


def test_a_person_is_tried_by_their_own_rules(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    with_rules(drill, people, holders, (0, "push"), (2, "email"))
    drill.open()
    assert drill.after(minutes=1, seconds=59) == []
    assert drill.after(seconds=1) == ["On-call"]
    assert ways(drill) == [("push",), ("email",)]


def test_an_acknowledge_ends_the_contact_rules(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    with_rules(drill, people, holders, (0, "push"), (2, "email"))
    drill.open()
    drill.after(minutes=1, seconds=59)
    drill.acknowledge()
    assert drill.after(minutes=5) == []


def test_the_same_way_may_be_tried_again_under_a_key_of_its_own(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    with_rules(drill, people, holders, (0, "push"), (2, "push"), (5, "push"))
    drill.open()
    drill.after(minutes=10)
    pages = [w for _, w in drill.work if isinstance(w, Send) and w.person == "ana"]
    assert [w.key for w in pages] == ["opened", "opened|1", "opened|2"]


def test_a_further_try_that_was_delivered_is_shown_on_its_page(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    with_rules(drill, people, holders, (0, "push"), (2, "email"))
    drill.open()
    drill.after(minutes=2)
    drill.command(lambda i, ctx: (e.MessageDelivered("page", "email", "ana", "opened|1"),), by="tocsin")
    assert drill.incident.pages[0].delivered == ("email",)


def test_each_page_starts_the_rules_anew(drill: Drill, people: dict[str, Person], holders: dict[str, Always]) -> None:
    with_rules(drill, people, holders, (0, "push"), (2, "email"))
    drill.open()
    drill.after(minutes=17)
    assert ways(drill) == [("push",), ("email",), ("push",), ("email",)]


def test_after_the_acknowledge_an_escalation_uses_all_of_a_persons_ways(
    drill: Drill, people: dict[str, Person], holders: dict[str, Always]
) -> None:
    with_rules(drill, people, holders, (0, "push"), (2, "email"))
    drill.open()
    drill.acknowledge(by="Ben")
    escalate(drill, "On-call", by="Ben")
    assert ways(drill)[-1] == ("push", "email")


# again


def test_a_reopened_incident_pages_and_climbs_again(drill: Drill) -> None:
    drill.open()
    drill.after(minutes=20)
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="gone"))
    drill.after(hours=1)
    drill.command(lambda i, ctx: commands.reopen(i, ctx, reason="it is back"))
    drill.pages()
    drill.command(commands.after_reopening, by="tocsin")
    assert drill.pages() == ["On-call"]
    assert drill.after(minutes=14, seconds=59) == []
    assert drill.after(minutes=15, seconds=1) == ["On-call", "DevOps Lead"]


def test_whoever_acknowledges_a_reopened_incident_commands_it(drill: Drill) -> None:
    drill.open()
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="gone"), by="Ana")
    drill.command(lambda i, ctx: commands.reopen(i, ctx, reason="it is back"))
    drill.acknowledge(by="Ben")
    assert drill.incident.commander == "Ben"


def test_a_process_that_slept_for_six_hours_pages_each_rung_once(drill: Drill) -> None:
    drill.open()
    drill.now += timedelta(hours=6)
    assert drill.after(seconds=0) == ["On-call", "DevOps Lead", "Engineering Manager", "CTO"]
    assert drill.after(hours=6) == []
