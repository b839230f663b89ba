"""Changes to production: proposed, approved by named people for exactly what was shown, run at most once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from tocsin.incident import commands, mitigations
from tocsin.incident import events as e
from tocsin.incident.drill import START, Drill
from tocsin.incident.errors import CommandError, PermissionRefused, TransitionError
from tocsin.incident.policy import Actor, Context, Policy, Role
from tocsin.incident.state import Approval, Status
from tocsin.incident.work import Mitigate
from tocsin.runbook.model import Runbook


def propose(drill: Drill, slug: str = "rollback", **values: str) -> None:
    mitigation = drill.policy.runbook.mitigation(slug)
    assert mitigation is not None
    drill.command(lambda i, ctx: mitigations.propose(i, ctx, mitigation, values=values))


def approve(drill: Drill, *, by: str = "Ana") -> None:
    drill.command(lambda i, ctx: mitigations.approve(i, ctx, i.approvals[-1].id), by=by)


def begin(drill: Drill) -> None:
    drill.command(lambda i, ctx: mitigations.begin(i, ctx, i.approvals[-1].id), by="tocsin")


def finish(drill: Drill, outcome: str, reason: str = "") -> None:
    drill.command(
        lambda i, ctx: mitigations.finish(i, i.approvals[-1].id, outcome=outcome, reason=reason, evidence=None),
        by="tocsin",
    )


def approval(drill: Drill) -> Approval:
    return drill.incident.approvals[-1]


def started(drill: Drill) -> list[Mitigate]:
    return [w for _, w in drill.work if isinstance(w, Mitigate)]


def other_command(drill: Drill) -> None:
    """The runbook is re-read on purpose, and its rollback is another command now."""
    book = drill.policy.runbook
    changed = tuple(
        msgspec.structs.replace(m, command="kubectl delete namespace production") if m.slug == "rollback" else m
        for m in book.mitigations
    )
    drill.retime(runbook=msgspec.structs.replace(book, mitigations=changed))


def test_a_proposal_runs_nothing(drill: Drill) -> None:
    drill.open()
    propose(drill)
    assert (approval(drill).status, approval(drill).needs) == ("pending", 1)
    assert "kubectl rollout undo" in drill.sends("post")[-1].text
    assert started(drill) == []


def test_one_person_approves_a_reversible_change(drill: Drill) -> None:
    drill.open()
    propose(drill)
    approve(drill)
    assert approval(drill).status == "approved"
    assert started(drill) == [Mitigate("1")]
    assert drill.incident.status is Status.MITIGATING


def test_a_destructive_change_takes_two_different_people(drill: Drill) -> None:
    drill.open()
    propose(drill, "drop-the-cache")
    approve(drill, by="Ana")
    assert (approval(drill).status, started(drill)) == ("pending", [])
    with pytest.raises(TransitionError, match="another person"):
        approve(drill, by="Ana")
    approve(drill, by="Ben")
    assert (approval(drill).status, started(drill)) == ("approved", [Mitigate("1")])


def test_approving_what_nobody_owned_makes_it_ones_own_and_keeps_the_promise(drill: Drill) -> None:
    drill.open()
    propose(drill)
    approve(drill, by="Ben")
    assert drill.incident.acknowledged_by == "Ben"
    assert drill.incident.acknowledge_due_at == START + timedelta(minutes=5)
    assert drill.after(hours=1) == []


def test_an_approval_holds_until_it_expires(drill: Drill) -> None:
    drill.open()
    propose(drill)
    drill.after(minutes=29, seconds=59)
    approve(drill)
    assert approval(drill).status == "approved"


def test_an_approval_at_the_instant_it_expires_is_refused(drill: Drill) -> None:
    drill.open()
    propose(drill)
    drill.now += timedelta(minutes=30)
    with pytest.raises(TransitionError, match="expired"):
        approve(drill)
    drill.after(seconds=0)
    assert approval(drill).status == "expired"


def test_an_approved_change_that_could_not_begin_in_time_is_not_run(drill: Drill) -> None:
    drill.open()
    propose(drill)
    drill.after(minutes=20)
    approve(drill)
    drill.now += timedelta(minutes=30)
    with pytest.raises(TransitionError, match="too long ago"):
        begin(drill)
    drill.after(seconds=0)
    assert approval(drill).status == "expired"


def test_an_approved_change_may_begin_until_then(drill: Drill) -> None:
    drill.open()
    propose(drill)
    drill.after(minutes=20)
    approve(drill)
    drill.after(minutes=29, seconds=59)
    begin(drill)
    assert approval(drill).status == "running"


def test_a_rejected_proposal_is_used_up(drill: Drill) -> None:
    drill.open()
    propose(drill)
    drill.command(lambda i, ctx: mitigations.reject(i, ctx, "1", reason="not the deploy"))
    with pytest.raises(TransitionError, match="rejected"):
        approve(drill)
    assert approval(drill).reason == "not the deploy"


def test_it_begins_at_most_once(drill: Drill) -> None:
    drill.open()
    propose(drill)
    approve(drill)
    begin(drill)
    with pytest.raises(TransitionError, match="running"):
        begin(drill)


def test_it_does_not_begin_unapproved(drill: Drill) -> None:
    drill.open()
    propose(drill)
    with pytest.raises(TransitionError, match="pending"):
        begin(drill)


def test_it_does_not_begin_once_the_incident_has_moved_on(drill: Drill) -> None:
    drill.open()
    propose(drill)
    approve(drill)
    drill.command(lambda i, ctx: commands.resolve(i, ctx))
    with pytest.raises(TransitionError, match="monitoring"):
        begin(drill)


def test_another_command_than_the_one_shown_is_not_approved(drill: Drill) -> None:
    drill.open()
    propose(drill)
    other_command(drill)
    with pytest.raises(TransitionError, match="changed"):
        approve(drill)


def test_another_command_than_the_one_approved_does_not_begin(drill: Drill) -> None:
    drill.open()
    propose(drill)
    approve(drill)
    other_command(drill)
    with pytest.raises(TransitionError, match="not the one"):
        begin(drill)


@pytest.mark.parametrize("decision", [mitigations.approve, mitigations.reject])
def test_a_viewer_decides_nothing(drill: Drill, policy: Policy, decision: Callable[..., tuple[e.Event, ...]]) -> None:
    drill.open()
    propose(drill)
    with pytest.raises(PermissionRefused, match="Vera"):
        decision(drill.incident, Context(drill.now, Actor("Vera", Role.VIEWER), policy), "1")


def test_a_viewer_proposes_nothing(drill: Drill, policy: Policy, runbook: Runbook) -> None:
    drill.open()
    ctx = Context(drill.now, Actor("Vera", Role.VIEWER), policy)
    with pytest.raises(PermissionRefused):
        mitigations.propose(drill.incident, ctx, runbook.mitigations[0], values={})


def test_the_same_mitigation_is_not_proposed_twice_at_once(drill: Drill) -> None:
    drill.open()
    propose(drill)
    with pytest.raises(TransitionError, match="already"):
        propose(drill)


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_after_its_end_it_may_be_proposed_again(drill: Drill, outcome: str) -> None:
    drill.open()
    propose(drill)
    approve(drill)
    begin(drill)
    finish(drill, outcome, "exit code")
    propose(drill)
    assert [a.status for a in drill.incident.approvals] == [outcome, "pending"]


def test_a_blank_without_a_value_is_asked_for(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError) as refused:
        propose(drill, "restart-that-component")
    assert refused.value.fields == {"name": "needed by the command"}
    propose(drill, "restart-that-component", name="backend")
    assert approval(drill).values == {"name": "backend"}


def test_an_action_without_a_command_points_to_where_it_is_described(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError, match="Disaster Recovery"):
        propose(drill, "failover")


def test_an_unknown_outcome_is_settled_by_a_person_only(drill: Drill) -> None:
    drill.open()
    propose(drill)
    approve(drill)
    begin(drill)
    finish(drill, "unknown", "the server stopped while it ran")
    finish(drill, "done", "late")
    assert approval(drill).status == "unknown"
    assert drill.events(e.Noted) == [e.Noted("A late result of Rollback: done: late")]
    drill.command(lambda i, ctx: mitigations.settle(i, ctx, "1", outcome="done", reason="the pods are new"))
    assert (approval(drill).status, approval(drill).reason) == ("done", "settled by Ana: the pods are new")


def test_only_an_unknown_outcome_is_settled(drill: Drill) -> None:
    drill.open()
    propose(drill)
    with pytest.raises(TransitionError, match="unknown outcome"):
        drill.command(lambda i, ctx: mitigations.settle(i, ctx, "1", outcome="done", reason=""))


def test_another_mitigation_while_monitoring_takes_the_verification_back(drill: Drill) -> None:
    drill.open()
    drill.command(lambda i, ctx: commands.resolve(i, ctx))
    propose(drill)
    approve(drill)
    assert drill.incident.status is Status.MITIGATING
    assert drill.incident.verification is not None
    assert drill.incident.verification.status == "failed"
    assert drill.incident.resolve_requested_by is None


def test_a_running_mitigation_that_ends_after_the_resolve_is_still_recorded(drill: Drill) -> None:
    drill.open()
    propose(drill)
    approve(drill)
    begin(drill)
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="it works again"))
    finish(drill, "done", "exit code 0")
    assert (approval(drill).status, drill.incident.status) == ("done", Status.RESOLVED)


def test_nothing_is_approved_after_the_end(drill: Drill) -> None:
    drill.open()
    propose(drill)
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="gone"))
    with pytest.raises(TransitionError, match="nothing to mitigate"):
        approve(drill)


# procedures: what only looks needs no approval


def start(drill: Drill, slug: str, *indices: int, **values: str) -> tuple[int, ...]:
    procedure = drill.policy.runbook.procedure(slug)
    assert procedure is not None
    given = {k.replace("_", "-"): v for k, v in values.items()}
    drill.command(lambda i, ctx: commands.start_procedure(i, ctx, procedure, indices=indices, values=given))
    return tuple(s.index for s in drill.incident.runs[-1].steps)


def test_a_procedure_runs_the_steps_that_ask_for_nothing(drill: Drill) -> None:
    drill.open()
    assert start(drill, "pod-crashes") == (2,)


def test_given_its_values_a_procedure_runs_every_step_that_only_reads(drill: Drill) -> None:
    drill.open()
    assert start(drill, "pod-crashes", pod_name="backend-1") == (1, 2)


def test_a_step_whose_value_is_missing_is_refused_by_name(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError) as refused:
        start(drill, "pod-crashes", 1)
    assert refused.value.fields == {"pod-name": "needed by the command"}


def test_a_step_that_changes_production_does_not_run_as_a_procedure(drill: Drill) -> None:
    drill.open()
    with pytest.raises(CommandError, match="step 3 of Pod Crashes may change production"):
        start(drill, "pod-crashes", 3, pod_name="backend-1")


@pytest.mark.parametrize("index", [0, 4])
def test_a_step_that_is_not_there_is_refused(drill: Drill, index: int) -> None:
    drill.open()
    with pytest.raises(CommandError, match="no step"):
        start(drill, "pod-crashes", index)
