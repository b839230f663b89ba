"""Right or silent: every practice scenario, its twin, and both in bad nights. A wrong yes is the worst there is."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from cases import FIRST_SECONDS, Case, Production, cases, early, perturbed, since, taken
from msgspec.structs import replace

from tocsin.diagnosis.deciders import answer, decide
from tocsin.diagnosis.facts import Facts, Failures, Logs, Series, Signal, Taken
from tocsin.diagnosis.questions import Topic, bind

CASES = cases()
BY_NAME = {case.name: case for case in CASES}
WORDS = {True: "yes", False: "no"}
NIGHTS = 5


def wrong(case: Case, facts: Facts) -> list[str]:
    """Answers that are neither the truth nor unknown."""
    found = [(topic, right, decide(topic, facts)) for topic, right in case.truth.items()]
    return [
        f"{topic}: {v.answer}: {v.reason}"
        for topic, right, v in found
        if right is not None and v.decided and v.answer != WORDS[right]
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_answer_is_wrong(case: Case) -> None:
    assert wrong(case, case.facts) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_answer_is_wrong_in_a_bad_night(case: Case) -> None:
    for seed in range(NIGHTS):
        assert wrong(case, perturbed(case.facts, f"{case.name} {seed}")) == [], f"night {seed}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_answer_is_wrong_in_the_first_seconds(case: Case) -> None:
    for seconds in FIRST_SECONDS:
        assert wrong(case, early(case.facts, seconds)) == [], f"{seconds} s after the alert"


@pytest.mark.parametrize(("seconds", "answer"), [(29.9, "unknown"), (30, "no")])
def test_there_is_no_no_while_what_began_may_not_be_seen_everywhere_yet(seconds: float, answer: str) -> None:
    facts = BY_NAME["false-alarm"].facts
    facts = replace(facts, settling=timedelta(seconds=30), reported_at=facts.at - timedelta(seconds=seconds))
    for topic in (Topic.RESOURCE, Topic.COMPONENT, Topic.DATA, Topic.ERRORS, Topic.LATENCY, Topic.DATABASE):
        assert decide(topic, facts).answer == answer, topic


def test_another_component_that_is_slow_keeps_a_no_back_though_nobody_knows_how_it_was_before() -> None:
    facts = BY_NAME["one-pod/all-alike"].facts
    assert decide(Topic.COMPONENT, facts).answer == "no"
    recent = [facts.at.timestamp() - age for age in (15, 10, 5, 0)]
    slow = Series(Signal.LATENCY, tuple(zip(recent, (0.02, 2.5, 2.5, 2.5), strict=True)), "cart-oldhash-00000", "cart")
    items = (*facts.series.items, slow)
    found = decide(Topic.COMPONENT, replace(facts, series=replace(facts.series, items=items)))
    assert (found.answer, found.suspect) == ("unknown", "deployment/cart")


@pytest.mark.parametrize(
    ("state", "count", "answer"),
    [("53100", 5, "yes"), ("53300", 9, "yes"), ("53100", 4, "unknown"), ("57P01", 9, "unknown"), ("42703", 9, "no")],
)
def test_what_pods_log_of_the_database_itself_counts_in_its_investigation(state: str, count: int, answer: str) -> None:
    facts = BY_NAME["false-alarm"].facts
    logs = Logs("backend-oldhash-00000", count, 200, (Failures("backend-oldhash-00000", state, count, count),))
    assert decide(Topic.DATABASE, replace(facts, logs=taken([logs]))).answer == answer


def test_how_slow_it_was_is_known_from_little_where_nothing_reaches_back_further() -> None:
    facts = Production(seconds=lambda pod, age: 0.9 if age <= 60 else 0.1).facts()
    begin = facts.at.timestamp() - 85
    short = [replace(s, points=tuple(p for p in s.points if p[0] >= begin)) for s in facts.series.items]
    facts = replace(facts, series=replace(facts.series, items=tuple(short)))
    assert decide(Topic.LATENCY, facts).answer == "yes"


def test_nearly_all_is_answered_when_everything_is_known() -> None:
    given = Counter(
        decide(topic, case.facts).decided for case in CASES for topic, right in case.truth.items() if right is not None
    )
    assert given[True] / given.total() >= 0.85


def test_a_decision_says_what_it_rests_on() -> None:
    for case in CASES:
        for topic in case.truth:
            found = decide(topic, case.facts)
            assert found.reason
            assert found.answer != "unknown" or found.settle


def test_every_source_missing_leaves_everything_unknown() -> None:
    silent = Facts(at=CASES[0].facts.at, reported_at=CASES[0].facts.reported_at)
    assert {decide(topic, silent).answer for topic in Topic} == {"unknown"}
    assert all(decide(topic, silent).settle for topic in Topic)


@pytest.mark.parametrize("source", ["workloads", "revisions", "pods"])
def test_a_deployment_is_not_decided_from_a_truncated_answer(source: str) -> None:
    facts = BY_NAME["bad-deploy"].facts
    cut = replace(facts, **{source: replace(getattr(facts, source), truncated=True)})
    found = decide(Topic.DEPLOYMENT, cut)
    assert found.answer == "unknown"
    assert "cut short" in found.settle[0]


def test_no_series_is_not_zero() -> None:
    quiet = replace(BY_NAME["bad-deploy"].facts, series=Taken(at=BY_NAME["bad-deploy"].facts.at))
    assert decide(Topic.ERRORS, quiet).answer == "unknown"


def test_near_in_time_alone_is_a_suspect() -> None:
    found = decide(Topic.DEPLOYMENT, BY_NAME["deploy-decoy-own"].facts)
    assert (found.answer, found.suspect) == ("unknown", "deployment/backend")
    assert any("wait for locks" in line for line in found.settle)


def test_a_yes_names_what_it_is_about() -> None:
    assert decide(Topic.DEPLOYMENT, BY_NAME["bad-deploy"].facts).about == "deployment/backend"
    assert decide(Topic.COMPONENT, BY_NAME["component-down"].facts).about == "deployment/redis"
    assert decide(Topic.COMPONENT, BY_NAME["one-pod"].facts).about.startswith("pod/backend-")


@pytest.mark.parametrize(("share", "said"), [(0.05, "yes"), (0.049, "unknown"), (0.02, "no")])
def test_failures_count_from_the_limit_on(share: float, said: str) -> None:
    assert decide(Topic.ERRORS, Production(error=since(90, share)).facts()).answer == said


@pytest.mark.parametrize(("asked", "said"), [
    ("Is a single component failing?", "yes"), ("Is a single pod failing?", "unknown"),
    ("Only one node affected?", "unknown"),
])  # fmt: skip
def test_a_narrower_question_takes_no_wider_answer(asked: str, said: str) -> None:
    found = answer(bind(asked), BY_NAME["component-down"].facts)
    assert found is not None
    assert found.answer == said


def test_a_question_about_configuration_is_never_denied_from_templates_alone() -> None:
    facts = BY_NAME["lock-pileup"].facts
    plain, wider = (answer(bind(q), facts) for q in ("Recent deployment?", "Recent deployment or config change?"))
    assert plain is not None
    assert wider is not None
    assert (plain.answer, wider.answer) == ("no", "unknown")


def test_whether_there_was_one_is_not_denied_because_it_is_innocent() -> None:
    found = answer(bind("Was there a recent deployment?"), BY_NAME["bad-deploy-stuck/both"].facts)
    assert found is not None
    assert found.answer == "unknown"


def test_a_full_disk_is_a_resource_where_the_question_counts_it() -> None:
    facts = BY_NAME["disk-full"].facts
    counted, plain = (
        answer(bind(q), facts) for q in ("Resource issue (CPU, memory, disk)?", "Is it a resource issue?")
    )
    assert counted is not None
    assert plain is not None
    assert (counted.answer, plain.answer) == ("yes", "no")


def test_a_question_for_people_gets_no_answer() -> None:
    assert answer(bind("Is a rollback safe?"), CASES[0].facts) is None
