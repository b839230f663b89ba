"""Questions bound to deciders by what they ask: in many wordings, in other teams' documents, and not too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.diagnosis.questions import Topic, bind, bound
from tocsin.runbook.reader import read

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus" / "open"
WORDINGS: dict[Topic, tuple[str, ...]] = {
    Topic.DEPLOYMENT: (
        "Is the issue caused by recent deployment?",
        "Was there a deploy in the last 30 minutes?",
        "Did we deploy recently?",
        "Did anyone release something just before it started?",
        "Is this due to a new release?",
        "Recent code change?",
        "Recent deployment or config change?",
        "Is it a deployment issue?",
        "Did the problem start after a rollout?",
        "Was a new version released today?",
        "Has anything changed recently?",
    ),
    Topic.RESOURCE: (
        "Is it a resource issue?",
        "Resource exhaustion?",
        "Is it a capacity problem?",
        "Are we out of resources?",
        "Is it a resource (CPU, memory) problem?",
        "Is the service overloaded?",
        "Is this caused by resource constraints or high load?",
    ),
    Topic.ROOM: ("Is it a resource issue (CPU, memory, disk)?",),
    Topic.COMPONENT: (
        "Is a single component failing?",
        "Is only one pod affected?",
        "Is it isolated to a single service?",
        "Just one backend instance?",
    ),
    Topic.DATA: ("Is it a data issue?", "Is there a problem with the data?", "Data-related?"),
    Topic.ERRORS: ("Is the error rate above 5 %?", "Are 5xx errors elevated?"),
    Topic.LATENCY: ("Is latency high?", "Is the site slow?"),
    Topic.CRASHES: ("Are pods crashing?", "Is a pod in CrashLoopBackOff?"),
    Topic.DATABASE: ("Is it a database issue?", "Is there trouble with the database?"),
}
FOR_PEOPLE = (
    "Is it a contract issue?",
    "Is it a frontend issue?",
    "Is it an infra issue?",
    "SEV1 or SEV2?",
    "Is the deployment healthy?",
    "Did the deployment succeed?",
    "Is the deployment stuck?",
    "Is it not caused by a recent deployment?",
    "Can we roll back the last deployment?",
    "Is a rollback safe?",
    "Are all users affected?",
    "Is there data loss?",
    "Is data corrupted?",
    "Is a third-party service down?",
    "Is it a data or a network issue?",
    "Is a single user affected?",
    "Are there enough resources?",
    "Is the recent deployment's feature flag on?",
    "Did the restart resolve it?",
    "Is the database slow?",
    "Is a single service slow because of high latency?",
    "Who was on call?",
    "",
)


@pytest.mark.parametrize(("topic", "question"), [(t, q) for t, listed in WORDINGS.items() for q in listed])
def test_a_question_is_bound_in_any_teams_wording(topic: Topic, question: str) -> None:
    assert bind(question).topic is topic


@pytest.mark.parametrize("question", FOR_PEOPLE)
def test_a_question_that_facts_do_not_answer_goes_to_a_person(question: str) -> None:
    assert bind(question).topic is None


def test_a_question_about_pods_takes_no_yes_about_something_else() -> None:
    assert (bind("Is a single pod failing?").kind, bind("Is a single node failing?").kind) == ("pod", "node")
    assert bind("Is a single component failing?").kind == ""


def test_a_question_that_asks_about_configuration_is_told_apart() -> None:
    assert bind("Recent deployment or config change?").config
    assert not bind("Is the issue caused by recent deployment?").config


def test_whether_there_was_a_deployment_is_not_whether_it_is_the_cause() -> None:
    assert bind("Was there a recent deployment?").happened
    assert not bind("Was it caused by a recent deployment?").happened


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the project")
def test_the_questions_of_other_teams_documents_are_bound_where_they_ask_what_is_known() -> None:
    asked = {
        one.question: one.topic
        for file in sorted(CORPUS.glob("*.md"))
        for one in bound(read(file.read_text(encoding="utf-8"), file=file.name).runbook)
    }
    wanted = (Topic.DEPLOYMENT, Topic.RESOURCE, Topic.COMPONENT, Topic.DATA)
    assert {topic for topic in asked.values() if topic} == set(wanted)
    assert [t for q, t in asked.items() if "contract" in q or "frontend" in q or "infra" in q] == [None] * 3
