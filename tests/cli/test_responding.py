"""The responder's commands against a served house with a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from terminals import Terminal


def test_declaring_opens_an_incident_and_says_what_is_owed(ana: Terminal) -> None:
    said = ana.says("declare", "Checkout is down", "--severity", "SEV1")
    assert "SEV1 open: Checkout is down" in said
    assert "Next: acknowledge (SEV1), in " in said


def test_the_list_shows_open_incidents_newest_first(ana: Terminal) -> None:
    first, second = ana.declare("An old one"), ana.declare("A new one")
    said = ana.says("list")
    assert said.index(f"#{second}") < said.index(f"#{first} ")


def test_the_list_can_be_narrowed(ana: Terminal) -> None:
    ana.declare("Quiet trouble", "SEV4")
    ana.declare("Loud trouble", "SEV1")
    assert "Quiet" not in ana.says("list", "--severity", "SEV1")
    assert "Loud" not in ana.says("list", "-q", "Quiet")


def test_a_list_without_incidents_says_so(ana: Terminal) -> None:
    assert ana.says("list", "-q", "no such title") == "No incident.\n"


def test_a_longer_list_says_that_there_is_more(ana: Terminal) -> None:
    ana.declare()
    ana.declare()
    assert "--limit" in ana.says("list", "--limit", 1)


def test_resolved_incidents_are_listed_only_when_all_are_asked_for(ana: Terminal) -> None:
    number = ana.declare("Long over")
    ana.says("resolve", number, "--because", "it was a drill")
    assert "Long over" not in ana.says("list")
    assert "Long over" in ana.says("list", "--all")


def test_showing_an_incident_fits_eighty_columns(ana: Terminal) -> None:
    number = ana.declare("A title that goes on and on, " * 8)
    for line in ana.says("show", number).splitlines():
        assert len(line) <= 80 or "$ " in line or "http" in line


def test_showing_an_incident_tells_what_is_owed_decided_and_paged(ana: Terminal) -> None:
    number = ana.declare()
    said = ana.says("show", number)
    for part in ("Owed next", "Decision", "Pages", "nobody yet", "acknowledge (SEV1)", "On-call  ana"):
        assert part in said


def test_json_is_what_the_server_said(ana: Terminal) -> None:
    number = ana.declare()
    found = ana.json("show", number)
    assert (found["number"], found["severity"], found["status"]) == (number, "SEV1", "open")


def test_acknowledging_stands_in_ones_own_name(ana: Terminal) -> None:
    number = ana.declare()
    assert "acknowledged" in ana.says("ack", number)
    assert "by Ana (met" in ana.says("show", number)


def test_escalating_pages_the_next_role(ana: Terminal) -> None:
    number = ana.declare()
    assert ana.says("escalate", number).startswith("Escalated.")
    assert "dana" in ana.says("show", number)


def test_escalating_can_name_the_role(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("escalate", number, "--to", "CTO", "--because", "the press calls")
    assert "cyril" in ana.says("show", number)


def test_the_severity_changes_once(ana: Terminal) -> None:
    number = ana.declare()
    assert "SEV3" in ana.says("severity", number, "SEV3", "--because", "only one shop")
    assert "SEV3 already" in ana.refuses("severity", number, "SEV3")


def test_a_severity_the_runbook_lacks_is_refused_with_those_it_has(ana: Terminal) -> None:
    said = ana.refuses("severity", ana.declare(), "SEV9")
    assert "SEV9" in said
    assert "SEV1, SEV2" in said


def test_the_indicators_are_shown_to_choose_by(ana: Terminal) -> None:
    assert "Every user is affected" in ana.says("severity", ana.declare())


def test_notes_and_facts_stand_on_the_timeline(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("note", number, "the load balancer flaps")
    ana.says("fact", number, "root_cause", "a bad cable")
    said = ana.says("timeline", number)
    assert "the load balancer flaps" in said
    assert "a bad cable" in said


def test_the_timeline_can_be_gone_on_with(ana: Terminal) -> None:
    number = ana.declare()
    last = ana.json("timeline", number)[-1]["seq"]
    ana.says("note", number, "something new")
    later = [entry["text"] for entry in ana.json("timeline", number, "--after", last)]
    assert any("something new" in text for text in later)
    assert all("Checkout" not in text for text in later)


def test_the_public_word_is_published(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("status", number, "identified")
    assert ana.json("show", number)["public"]["status"] == "identified"


def test_a_public_word_of_ones_own_is_refused(ana: Terminal) -> None:
    assert "investigating, identified" in ana.refuses("status", ana.declare(), "panicking")


def test_action_items_are_added_and_done(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("action", "add", number, "Buy a cable", "--owner", "ana", "--due", "3d")
    assert "Buy a cable" in ana.says("show", number)
    ana.says("action", "done", number, 1)
    assert ana.json("show", number)["action_items"][0]["done_at"]


def test_an_action_item_may_be_due_at_an_instant(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("action", "add", number, "Buy a cable", "--owner", "ana", "--due", "2030-01-05T12:00Z")
    assert ana.json("show", number)["action_items"][0]["due_at"] == "2030-01-05T12:00:00Z"


def test_an_action_item_is_not_due_some_day(ana: Terminal) -> None:
    assert "7d" in ana.refuses("action", "add", 1, "Buy", "--owner", "ana", "--due", "soon", code=2)


def test_resolving_says_what_is_missing(ana: Terminal) -> None:
    number = ana.declare()
    said = ana.says("resolve", number)
    assert "not resolved yet" in said
    assert "open: Health checks pass" in said


def test_asked_again_resolving_is_refused_with_what_is_missing(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("resolve", number)
    assert "open: Health checks pass" in ana.refuses("resolve", number)


def test_a_reason_resolves_at_once(ana: Terminal) -> None:
    number = ana.declare()
    assert f"#{number} is resolved." in ana.says("resolve", number, "--because", "a drill")


def test_a_resolved_incident_can_be_reopened_and_closed(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("resolve", number, "--because", "a drill")
    assert " open: " in ana.says("reopen", number, "--because", "it came back")
    ana.says("resolve", number, "--because", "a drill")
    assert "still to do" in ana.refuses("close", number)
    assert " closed: " in ana.says("close", number, "--because", "nothing to learn")


def test_mitigated_is_said_by_a_person(ana: Terminal) -> None:
    number = ana.declare()
    ana.says("ack", number)
    ana.says("mitigated", number, "--because", "traffic was moved")
    assert ana.json("show", number)["mitigated_at"]


def test_the_postmortem_is_printed_and_written(ana: Terminal, tmp_path: Path) -> None:
    number = ana.declare("The cable incident")
    assert "The cable incident" in ana.says("postmortem", number)
    ana.says("postmortem", number, "--format", "json", "-o", tmp_path / "pm.json")
    assert json.loads((tmp_path / "pm.json").read_text())


def test_a_postmortem_that_cannot_be_written_is_one_line(ana: Terminal, tmp_path: Path) -> None:
    assert "cannot be written" in ana.refuses("postmortem", ana.declare(), "-o", tmp_path / "none" / "pm.md")


def test_a_postmortem_of_another_format_is_a_usage_error(ana: Terminal) -> None:
    assert "md, html, json" in ana.refuses("postmortem", 1, "--format", "pdf", code=2)


def test_an_onlooker_may_look_and_no_more(ana: Terminal, onlooker: Terminal) -> None:
    number = ana.declare()
    assert "Checkout" in onlooker.says("show", number)
    assert "role responder" in onlooker.refuses("ack", number)


@pytest.mark.parametrize("command", ["show", "ack", "timeline", "tick", "answer", "approve", "postmortem", "resolve"])
def test_an_incident_that_is_not_there_is_said(ana: Terminal, command: str) -> None:
    assert "999" in ana.refuses(command, 999)


@pytest.mark.parametrize("number", ["0", "-1", "one"])
def test_an_incident_is_a_number(ana: Terminal, number: str) -> None:
    assert ana.run("show", "--", number).exit_code == 2
