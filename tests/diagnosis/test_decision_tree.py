"""Walking the decision tree: answers given, changed, unknown; proposals at the leaves and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import product

import msgspec
import pytest

from tocsin.diagnosis.answering import answer
from tocsin.diagnosis.walk import Position, Step, walk
from tocsin.incident import commands, mitigations
from tocsin.incident import events as e
from tocsin.incident.drill import Drill
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import TOCSIN
from tocsin.incident.state import Answer
from tocsin.runbook.model import Runbook

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def answers(*given: tuple[str, str]) -> tuple[Answer, ...]:
    return tuple(Answer(question, word, "Ana", AT) for question, word in given)


def say(drill: Drill, *given: tuple[str, str]) -> None:
    for question, word in given:
        drill.command(partial(answer, question=question, answer=word))


def position(drill: Drill) -> Position:
    return walk(drill.policy.runbook, drill.incident.answers)


def proposed(drill: Drill) -> list[str]:
    return [p.slug for p in drill.events(e.MitigationProposed)]


def test_nothing_answered_asks_the_first_question(runbook: Runbook) -> None:
    now = walk(runbook, ())
    assert (now.path, now.question, now.leaf) == ((), runbook.decision_tree, None)


def test_a_runbook_without_a_tree_has_no_position(runbook: Runbook) -> None:
    assert walk(msgspec.structs.replace(runbook, decision_tree=None), answers(("deployment", "yes"))) == Position()


@pytest.mark.parametrize(
    ("given", "action"),
    [
        ((("deployment", "yes"),), "Rollback"),
        ((("deployment", "no"), ("resource", "yes")), "Scale"),
        ((("deployment", "no"), ("resource", "no"), ("component", "yes")), "Restart"),
        ((("deployment", "no"), ("resource", "no"), ("component", "no"), ("data", "yes")), "See Database Recovery"),
        (
            (("deployment", "no"), ("resource", "no"), ("component", "no"), ("data", "no")),
            "Escalate to senior engineer",
        ),
    ],
)
def test_each_way_down_ends_at_its_leaf(runbook: Runbook, given: Sequence[tuple[str, str]], action: str) -> None:
    now = walk(runbook, answers(*given))
    assert now.leaf is not None
    assert (now.leaf.action, now.question) == (action, None)
    assert [(s.slug, s.answer) for s in now.path] == list(given)


def test_an_unknown_answer_is_shown_and_its_question_stays(runbook: Runbook) -> None:
    now = walk(runbook, answers(("deployment", "unknown"), ("resource", "yes")))
    assert now.path == (Step("Is it the deployment?", "deployment", "unknown", "Ana"),)
    assert now.question == runbook.decision_tree
    assert now.leaf is None


def test_whatever_is_answered_there_is_a_question_or_a_leaf_and_never_both(runbook: Runbook) -> None:
    slugs = [q.slug for q in runbook.questions()]
    for words in product(("yes", "no", "unknown", None), repeat=len(slugs)):
        given = [(slug, word) for slug, word in zip(slugs, words, strict=True) if word]
        now = walk(runbook, answers(*given))
        assert (now.question is None) != (now.leaf is None)


def test_reaching_a_leaf_proposes_its_mitigation_and_runs_nothing(drill: Drill) -> None:
    say(drill, ("deployment", "no"), ("resource", "yes"))
    assert proposed(drill) == ["scale-up"]
    assert drill.incident.approvals[0].status == "pending"
    assert drill.incident.approvals[0].requested_by == "Ana"


def test_a_leaf_whose_command_has_a_blank_proposes_nothing_by_itself(drill: Drill) -> None:
    say(drill, ("deployment", "no"), ("resource", "no"), ("component", "yes"))
    assert proposed(drill) == []
    assert position(drill).leaf is not None


@pytest.mark.parametrize(("word", "escalates"), [("yes", False), ("no", True)])
def test_a_leaf_without_a_command_proposes_and_pages_nothing(drill: Drill, word: str, escalates: bool) -> None:
    paged = len(drill.events(e.Paged))
    say(drill, ("deployment", "no"), ("resource", "no"), ("component", "no"), ("data", word))
    leaf = position(drill).leaf
    assert leaf is not None
    assert leaf.escalate is escalates
    assert (proposed(drill), len(drill.events(e.Paged))) == ([], paged)


def test_an_answer_may_be_changed_and_the_later_ones_lose_their_effect(drill: Drill) -> None:
    say(drill, ("deployment", "no"), ("resource", "yes"), ("deployment", "yes"))
    assert [s.slug for s in position(drill).path] == ["deployment"]
    assert proposed(drill) == ["scale-up", "rollback"]


def test_an_unknown_answer_is_answered_later(drill: Drill) -> None:
    say(drill, ("deployment", "unknown"), ("deployment", "Yes "))
    assert [a.answer for a in drill.incident.answers] == ["yes"]
    assert proposed(drill) == ["rollback"]


def test_the_same_answer_again_proposes_nothing_twice(drill: Drill) -> None:
    say(drill, ("deployment", "yes"), ("deployment", "yes"))
    assert proposed(drill) == ["rollback"]


@pytest.mark.parametrize(("outcome", "again"), [("done", []), ("unknown", []), ("failed", ["rollback"])])
def test_what_was_done_is_not_proposed_again_and_what_failed_is(drill: Drill, outcome: str, again: list[str]) -> None:
    say(drill, ("deployment", "yes"))
    drill.command(lambda i, ctx: mitigations.approve(i, ctx, "1"))
    drill.command(lambda i, ctx: mitigations.begin(i, ctx, "1"), by="tocsin")
    drill.command(lambda i, ctx: mitigations.finish(i, "1", outcome=outcome, reason="", evidence=None), by="tocsin")
    say(drill, ("deployment", "yes"))
    assert proposed(drill)[1:] == again


def test_the_reason_and_the_person_stand_on_the_path(drill: Drill) -> None:
    drill.command(lambda i, ctx: answer(i, ctx, question="deployment", answer="no", reason="none today "), by="Ben")
    assert position(drill).path == (Step("Is it the deployment?", "deployment", "no", "Ben", "none today"),)


def test_a_question_not_reached_yet_is_refused_with_the_one_to_answer(drill: Drill) -> None:
    with pytest.raises(TransitionError, match="Is it the deployment"):
        say(drill, ("data", "yes"))
    assert drill.incident.answers == ()


def test_a_question_beside_the_path_is_refused_at_a_leaf(drill: Drill) -> None:
    say(drill, ("deployment", "yes"))
    with pytest.raises(TransitionError, match="change an earlier answer"):
        say(drill, ("resource", "yes"))


def test_a_question_the_tree_does_not_have_is_refused_with_those_it_has(drill: Drill) -> None:
    with pytest.raises(CommandError) as refused:
        say(drill, ("weather", "yes"))
    assert refused.value.fields == {"question": "one of deployment, resource, component, data"}


def test_an_answer_that_is_none_is_refused(drill: Drill) -> None:
    with pytest.raises(CommandError, match="perhaps"):
        say(drill, ("deployment", "perhaps"))


def test_after_the_end_nothing_is_answered(drill: Drill) -> None:
    drill.command(lambda i, ctx: commands.resolve(i, ctx, reason="gone"))
    with pytest.raises(TransitionError, match="resolved"):
        say(drill, ("deployment", "yes"))


# from evidence


def say_from_evidence(drill: Drill, word: str, evidence: str = "ev1") -> None:
    drill.command(
        partial(answer, question="deployment", answer=word, reason="measured", evidence=evidence), by=TOCSIN.name
    )


def test_an_answer_from_evidence_proposes_and_keeps_what_it_rests_on(drill: Drill) -> None:
    say_from_evidence(drill, "yes")
    assert proposed(drill) == ["rollback"]
    assert position(drill).path[0].evidence == "ev1"


def test_evidence_says_the_same_only_once(drill: Drill) -> None:
    say_from_evidence(drill, "unknown")
    say_from_evidence(drill, "unknown", "ev2")
    assert len(drill.events(e.Answered)) == 1


def test_evidence_never_speaks_over_a_person(drill: Drill) -> None:
    say(drill, ("deployment", "no"))
    say_from_evidence(drill, "yes")
    assert [s.answer for s in position(drill).path] == ["no"]


def test_overruling_evidence_takes_a_reason(drill: Drill) -> None:
    say_from_evidence(drill, "yes")
    with pytest.raises(CommandError, match="the evidence says yes"):
        say(drill, ("deployment", "no"))
    drill.command(partial(answer, question="deployment", answer="no", reason="the canary was rolled back before"))
    assert [(s.answer, s.evidence) for s in position(drill).path] == [("no", None)]


def test_an_unknown_from_evidence_is_answered_without_a_reason(drill: Drill) -> None:
    say_from_evidence(drill, "unknown")
    say(drill, ("deployment", "no"))
    assert [s.answer for s in position(drill).path] == ["no"]
