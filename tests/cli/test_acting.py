"""Procedures, mitigations, the tree, checklists and updates from the command line."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from served import Served
from terminals import Terminal

from tocsin.incident.policy import Role


@pytest.fixture
def number(ana: Terminal) -> int:
    return ana.declare()


def test_the_procedures_are_listed_with_the_values_they_ask_for(ana: Terminal, number: int) -> None:
    said = ana.says("run", number)
    assert "high-error-rate" in said
    assert "--value pod-name=..." in said


def test_a_run_prints_each_step_with_its_output(ana: Terminal, number: int) -> None:
    said = ana.says("run", number, "high-error-rate")
    assert "1. Find the errors of the last half hour: ok" in said
    assert "| ran kubectl logs deployment/backend" in said
    assert said.endswith(": done.\n")


def test_a_run_can_be_of_one_step(ana: Terminal, number: int) -> None:
    said = ana.says("run", number, "high-error-rate", "--step", 1)
    assert "1. Find" in said
    assert "2. " not in said


def test_a_run_as_json_is_the_run(ana: Terminal, number: int) -> None:
    found = ana.json("run", number, "high-error-rate")
    assert (found["status"], found["steps"][0]["outcome"]) == ("done", "ok")


def test_a_run_with_a_failing_step_exits_one(ana: Terminal, house: Served, number: int) -> None:
    house.site.runner.outcomes["See who uses processor and memory"] = "failed"
    result = ana.run("run", number, "high-latency")
    assert result.exit_code == 1
    assert "See who uses processor and memory: failed" in result.stdout


def test_a_missing_value_is_named(ana: Terminal, number: int) -> None:
    assert ana.refuses("run", number, "pod-crashes").endswith("needs: pod-name: give --value pod-name=...\n")


def test_a_value_reaches_the_step(ana: Terminal, number: int) -> None:
    assert "done." in ana.says("run", number, "pod-crashes", "--value", "pod-name=backend-x")


def test_a_value_that_cannot_be_used_is_named(ana: Terminal, number: int) -> None:
    assert "pod-name: must be one word" in ana.refuses("run", number, "pod-crashes", "--value", "pod-name=a b")


def test_a_value_without_a_name_is_a_usage_error(ana: Terminal, number: int) -> None:
    assert "--value name=value" in ana.refuses("run", number, "pod-crashes", "--value", "backend-x", code=2)


def test_a_procedure_that_is_not_there_is_said(ana: Terminal, number: int) -> None:
    assert "no procedure 'nonsense'" in ana.refuses("run", number, "nonsense")


def test_the_mitigations_are_listed_with_their_commands(ana: Terminal, number: int) -> None:
    said = ana.says("mitigate", number)
    assert "$ kubectl rollout undo deployment/backend -n production" in said


def test_a_proposal_shows_the_command_as_it_would_run_and_who_must_approve(ana: Terminal, number: int) -> None:
    said = ana.says("mitigate", number, "rollback")
    assert "$ kubectl rollout undo deployment/backend -n production" in said
    assert "one responder must approve" in said
    assert f"tocsin approve {number} 1" in said


def test_the_only_pending_proposal_is_approved_and_followed(ana: Terminal, number: int) -> None:
    ana.says("mitigate", number, "rollback")
    said = ana.says("approve", number)
    assert "| ran kubectl rollout undo" in said
    assert "Rollback: done\n   Watch after it: " in said


def test_proposing_and_approving_is_one_command(ana: Terminal, number: int) -> None:
    assert "Rollback: done\n" in ana.says("mitigate", number, "rollback", "--approve")


def test_a_mitigation_followed_as_json_ends_with_its_approval(ana: Terminal, number: int) -> None:
    assert ana.json("mitigate", number, "rollback", "--approve")["approval"]["status"] == "done"


def test_a_mitigation_that_fails_exits_one(ana: Terminal, house: Served, number: int) -> None:
    house.site.runner.outcomes["Scale up"] = "failed"
    result = ana.run("mitigate", number, "scale-up", "--approve")
    assert result.exit_code == 1
    assert "Scale up: failed" in result.stdout


def test_an_unknown_outcome_is_settled_by_a_person(ana: Terminal, house: Served, number: int) -> None:
    house.site.runner.outcomes["Restart pods"] = "timed_out"
    result = ana.run("mitigate", number, "restart-pods", "--approve")
    assert f"tocsin settle {number} 1 done|failed" in result.stdout
    assert ana.says("settle", number, 1, "done", "--because", "the pods are new") == "Restart pods: done.\n"


def test_several_pending_proposals_must_be_named(ana: Terminal, number: int) -> None:
    ana.says("mitigate", number, "rollback")
    ana.says("mitigate", number, "restart-pods")
    assert "1 (Rollback), 2 (Restart pods)" in ana.refuses("approve", number)
    assert ana.says("reject", number, 2, "--because", "not needed") == "Restart pods: rejected.\n"


def test_nothing_pending_is_said(ana: Terminal, number: int) -> None:
    assert "nothing waits for an approval" in ana.refuses("approve", number)


def test_an_approval_is_used_once(ana: Terminal, number: int) -> None:
    ana.says("mitigate", number, "rollback", "--approve")
    assert "used once" in ana.refuses("approve", number, 1)


def test_the_glass_takes_an_admin_and_a_reason(ana: Terminal, house: Served, number: int) -> None:
    assert "say --because" in ana.refuses("mitigate", number, "rollback", "--break-glass", code=2)
    assert "takes an admin" in ana.refuses("mitigate", number, "rollback", "--break-glass", "--because", "asleep")
    admin = Terminal(house.environment(Role.ADMIN, "Ada"))
    said = admin.says("mitigate", number, "rollback", "--break-glass", "--because", "all are asleep")
    assert "BREAK-GLASS by Ada: all are asleep" in said
    assert "Rollback: done\n" in said


def test_a_step_that_changes_is_proposed_by_its_number(ana: Terminal, number: int) -> None:
    said = ana.says("mitigate", number, "pod-crashes#2", "--value", "pod-name=backend-x")
    assert "pod-name = backend-x" in said
    assert "2. See why" not in said


def test_the_tree_is_walked_to_a_proposal(ana: Terminal, number: int) -> None:
    assert "Did it begin with a recent deployment?" in ana.says("answer", number)
    said = ana.says("answer", number, "yes", "--because", "v2 came at noon")
    assert "YES by Ana: v2 came at noon" in said
    assert "So: Rollback" in said
    assert f"tocsin approve {number} 1" in said


def test_a_no_leads_to_the_next_question(ana: Terminal, number: int) -> None:
    assert "Now: Is it short of a resource?" in ana.says("answer", number, "n")


def test_an_answer_is_yes_no_or_unknown(ana: Terminal, number: int) -> None:
    assert "yes, no or unknown" in ana.refuses("answer", number, "maybe", code=2)


def test_the_checklist_is_numbered_and_ticked_by_number(ana: Terminal, number: int) -> None:
    assert "  1 [ ] What was reported no longer happens" in ana.says("tick", number)
    assert "  1 [x] What was reported no longer happens by Ana" in ana.says("tick", number, 1)
    assert "  1 [ ] " in ana.says("tick", number, 1, "--undo")


def test_everything_the_verification_asks_for_is_ticked_at_once(ana: Terminal, number: int) -> None:
    assert "Everything that resolving asks for is ticked." in ana.says("tick", number, "--all")


def test_an_item_that_is_not_there_is_said(ana: Terminal, number: int) -> None:
    assert "no checklist item '99'" in ana.refuses("tick", number, 99)


def test_missing_blanks_of_an_update_are_named_with_their_options(ana: Terminal, number: int) -> None:
    said = ana.refuses("update", number)
    assert '--progress "..."' in said
    assert '--next "..."' in said


def test_an_update_is_posted(ana: Terminal, number: int) -> None:
    said = ana.says("update", number, "--progress", "found it", "--next", "roll back")
    assert said.startswith("Posted.")
    assert "found it" in ana.json("show", number)["updates"][-1]["text"]


def test_an_update_may_be_a_text_of_ones_own(ana: Terminal, number: int) -> None:
    ana.says("update", number, "--text", "Still looking.")
    assert ana.json("show", number)["updates"][-1]["text"] == "Still looking."


def test_a_field_is_name_and_text(ana: Terminal, number: int) -> None:
    assert "--field name=value" in ana.refuses("update", number, "--field", "impact", code=2)


def test_on_a_terminal_the_missing_blanks_are_asked_for(ana: Terminal, house: Served, number: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tocsin.cli.main", "update", str(number)]
    environment = {**os.environ, **house.environment(), "TERM": "dumb"}
    os.write(ours, b"found it\nroll back\n")
    try:
        subprocess.run(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, check=True, timeout=60)
    finally:
        os.close(theirs)
        os.close(ours)
    assert "roll back" in ana.json("show", number)["updates"][-1]["text"]


def test_on_a_terminal_an_approval_is_asked_for_once_more(ana: Terminal, house: Served, number: int) -> None:
    ana.says("mitigate", number, "rollback")
    said = at_a_terminal(house, b"n\n", "approve", str(number))
    assert "Approve exactly this?" in said
    assert "Nothing was approved." in said
    assert ana.json("show", number)["approvals"][0]["status"] == "pending"


def at_a_terminal(house: Served, typed: bytes, *arguments: str) -> str:
    """What a person at a terminal sees who types this."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tocsin.cli.main", *arguments]
    os.write(ours, typed)
    try:
        subprocess.run(
            command, env={**os.environ, **house.environment(), "TERM": "dumb"}, stdin=theirs, stdout=theirs,
            stderr=theirs, timeout=60, check=False,
        )  # fmt: skip
        return os.read(ours, 65536).decode()
    finally:
        os.close(theirs)
        os.close(ours)
