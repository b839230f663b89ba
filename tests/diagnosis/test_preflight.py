"""Before a mitigation: would it help, would it hold? After it: did it?"""

from __future__ import annotations

import pytest
from cases import NEXT, Production, cases, of_new, template
from msgspec.structs import replace

from tocsin.diagnosis.facts import Application, Facts, Taken
from tocsin.diagnosis.preflight import Act, Verb, after, before, template_of
from tocsin.incident.preflight import Check

UNDO, RESTART = Act(Verb.UNDO, "deployment", "backend"), Act(Verb.RESTART, "deployment", "backend")
FACTS = {case.name: case.facts for case in cases()}


def scale(replicas: int) -> Act:
    return Act(Verb.SCALE, "deployment", "backend", replicas)


def states(checks: tuple[Check, ...]) -> dict[str, str]:
    return {c.what: c.state for c in checks}


def test_a_rollback_of_a_bad_version_has_somewhere_to_go() -> None:
    found = states(before(UNDO, FACTS["bad-deploy"]))
    assert (found["previous revision"], found["differs"], found["pinned image"]) == ("passed", "passed", "passed")
    assert found["not put back"] == "passed"


def test_after_a_restart_undo_restores_the_same_image() -> None:
    assert states(before(UNDO, FACTS["restart-not-deploy"]))["differs"] == "failed"


def test_a_tag_that_can_be_moved_is_said() -> None:
    latest = template("shop/backend:latest")
    found = before(UNDO, Production(old=latest, new=NEXT, deployed=90, error=of_new(0.4)).facts())
    assert states(found)["pinned image"] == "failed"


@pytest.mark.parametrize(("case", "state"), [("self-heal-revert", "failed"), ("self-heal-revert/by-hand", "passed")])
def test_self_heal_puts_a_rollback_back(case: str, state: str) -> None:
    found = [c for c in before(UNDO, FACTS[case]) if c.what == "not put back"]
    assert [c.state for c in found] == [state]
    assert "Argo CD application shop" in found[0].said


def test_whether_what_it_goes_back_to_was_healthy_is_known_while_its_pods_are_there() -> None:
    assert states(before(UNDO, FACTS["bad-deploy-stuck"]))["was healthy"] == "passed"
    assert states(before(UNDO, FACTS["bad-deploy"]))["was healthy"] == "unknown"


@pytest.mark.parametrize(("pods", "state"), [(1, "failed"), (2, "passed")])
def test_a_restart_of_one_replica_is_an_outage(pods: int, state: str) -> None:
    assert states(before(RESTART, Production(pods_of_backend=pods).facts()))["more than one replica"] == state


def test_an_autoscaler_overwrites_a_scale() -> None:
    assert states(before(scale(9), FACTS["traffic-surge"]))["no autoscaler"] == "failed"
    assert states(before(scale(9), FACTS["bad-deploy"]))["no autoscaler"] == "passed"


@pytest.mark.parametrize(("replicas", "state"), [(5, "passed"), (40, "failed")])
def test_more_replicas_bring_more_connections(replicas: int, state: str) -> None:
    assert states(before(scale(replicas), FACTS["bad-deploy"]))["database connections"] == state


def test_what_could_not_be_looked_at_is_unknown() -> None:
    blind = replace(FACTS["bad-deploy"], pods=Taken(error="forbidden", at=FACTS["bad-deploy"].at))
    found = before(UNDO, blind)
    assert [(c.what, c.state) for c in found] == [("look", "unknown")]
    assert "forbidden" in found[0].said


def test_what_is_not_there_cannot_be_rolled_back() -> None:
    found = before(Act(Verb.UNDO, "deployment", "nothing"), FACTS["bad-deploy"])
    assert [(c.what, c.state) for c in found] == [("exists", "failed")]


def rolled_back(facts: Facts) -> Facts:
    """The same production with the old template as the newest revision again, all of it available."""
    old = next(r for r in facts.revisions.items if r.name == "backend-oldhash")
    workloads = tuple(
        replace(w, template=old.template, updated=w.desired, available=w.desired) if w.name == "backend" else w
        for w in facts.workloads.items
    )
    return replace(facts, workloads=replace(facts.workloads, items=workloads))


def test_a_rollback_that_holds_is_seen() -> None:
    facts = FACTS["bad-deploy"]
    found = states(after(UNDO, rolled_back(facts), template=template_of(UNDO, facts)))
    assert found == {"rollout": "passed", "not reverted": "passed"}


def test_a_rollback_that_something_took_back_is_seen() -> None:
    facts = FACTS["self-heal-revert"]
    found = after(UNDO, facts, template=template_of(UNDO, facts))
    reverted = next(c for c in found if c.what == "not reverted")
    assert reverted.state == "failed"
    assert "heals itself" in reverted.said


def test_a_scale_that_the_autoscaler_took_back_is_seen() -> None:
    found = states(after(scale(9), FACTS["traffic-surge"], template=""))
    assert found["not reverted"] == "failed"


def test_an_application_that_lists_other_workloads_keeps_not_this_one() -> None:
    other = Application("else", "argocd", "production", automated=True, self_heal=True, workloads=("deployment/cart",))
    facts = replace(FACTS["bad-deploy"], applications=Taken((other,), at=FACTS["bad-deploy"].at))
    assert states(before(UNDO, facts))["not put back"] == "passed"
