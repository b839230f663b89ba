"""`tocsin drill`: what can be played, how it is scored, and one drill from the alert to the verified recovery."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, run
from typing import Any

import pytest

from tocsin.cli.drill_score import RIGHT, UNJUDGED, UNKNOWN, WRONG, Score, as_json, at, card, judged, summary
from tocsin.lab.scenarios import SCENARIOS
from tocsin.lab.scenarios.model import FIX, NO, NOTHING, OPEN, RESTART, ROLLBACK, SCALE, YES

BEGAN = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
ASKED = "Did it begin with a recent deployment?"
NAMES = {
    "bad-deploy", "deploy-decoy", "config-change-oom", "traffic-surge", "component-down", "lock-pileup", "disk-full",
    "slow-downstream", "bad-image", "flapping", "false-alarm", "restart-not-deploy", "mutable-tag", "self-heal-revert",
    "migration-broke-data",
}  # fmt: skip


def tocsin(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and complaints of the real command."""
    command = [str(Path(sys.executable).with_name("tocsin")), *arguments]
    done = run(command, capture_output=True, text=True, stdin=DEVNULL, timeout=170, check=False)
    return done.returncode, done.stdout, done.stderr


def score(**changes: Any) -> Score:
    """A drill that passed."""
    whole = Score(
        name="bad-deploy", acknowledged=1.0, acknowledged_in_time=True, assessed=2.0, severity="SEV1", proposed=5.0,
        mitigated=8.0, recovered=12.0, verified=25.0, updates=3, reminders=0, incidents=1, verdicts=(), right=ROLLBACK,
        limit=90.0,
    )  # fmt: skip
    return whole._replace(**changes)


def test_every_scenario_has_a_twin_and_its_truth_says_what_mends_it() -> None:
    assert {each.name for each in SCENARIOS.values() if not each.twin} == NAMES
    assert {each.name.partition("/")[0] for each in SCENARIOS.values() if each.twin} == NAMES
    for each in SCENARIOS.values():
        assert each.truth.right in (ROLLBACK, RESTART, SCALE, FIX, NOTHING)
        assert (each.mend is not None) == (each.truth.right == FIX), each.name
        assert set(each.truth.answers().values()) <= {YES, NO, OPEN}


def test_a_twin_differs_from_its_scenario_in_an_answer_or_in_what_mends_it() -> None:
    for each in SCENARIOS.values():
        if each.twin:
            whole = SCENARIOS[each.name.partition("/")[0]]
            assert each.truth._replace(cause="") != whole.truth._replace(cause=""), each.name


@pytest.mark.parametrize(
    ("scenario", "answer", "expected"),
    [
        ("bad-deploy", "yes", RIGHT),
        ("bad-deploy", "no", WRONG),
        ("bad-deploy", "unknown", UNKNOWN),
        ("bad-deploy/it-began-before", "yes", WRONG),
    ],
)
def test_answers_are_judged_by_the_truth(scenario: str, answer: str, expected: str) -> None:
    (found,) = judged(SCENARIOS[scenario], [(ASKED, answer, "because")])
    assert found.judged == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("unknown", "yes"), RIGHT),
        (("yes", "unknown"), UNKNOWN),
        (("no", "yes"), WRONG),
        (("no", "unknown"), WRONG),
    ],
)
def test_of_each_question_the_last_answer_counts_but_for_a_wrong_one_which_stays(
    answers: tuple[str, ...], expected: str
) -> None:
    (found,) = judged(SCENARIOS["bad-deploy"], [(ASKED, answer, "because") for answer in answers])
    assert found.judged == expected


def test_where_both_answers_may_be_given_none_is_wrong() -> None:
    (found,) = judged(SCENARIOS["bad-deploy"], [("Is a single component failing?", "yes", "")])
    assert found.judged == UNJUDGED


def test_a_question_that_no_topic_fits_is_not_judged() -> None:
    assert judged(SCENARIOS["bad-deploy"], [("Should we call legal?", "yes", "")]) == ()


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        ({}, True),
        ({"verified": 90.0}, True),
        ({"verified": 90.1}, False),
        ({"verified": None}, False),
        ({"recovered": None}, False),
        ({"incidents": 2}, False),
        ({"problem": "the story broke off"}, False),
        ({"verdicts": judged(SCENARIOS["bad-deploy"], [(ASKED, "unknown", "")])}, True),
        ({"verdicts": judged(SCENARIOS["bad-deploy"], [(ASKED, "no", "")])}, False),
    ],
)
def test_a_drill_is_passed_when_it_ended_well_in_time_and_nothing_was_wrong(
    changes: dict[str, Any], passed: bool
) -> None:
    assert score(**changes).passed is passed


def test_times_count_from_the_incident_and_the_first_event_of_a_kind() -> None:
    entries = [
        {"type": kind, "at": (BEGAN + timedelta(seconds=seconds)).isoformat()}
        for kind, seconds in (("Opened", 0), ("Acknowledged", 2), ("Acknowledged", 9))
    ]
    assert at(entries, "Acknowledged", BEGAN) == 2.0
    assert at(entries, "Resolved", BEGAN) is None


def test_a_card_says_what_was_met_and_what_missed() -> None:
    text = card(score(proposed=10.0, verified=60.1, problem=""), SCENARIOS["bad-deploy"])
    assert "target 10 s: met" in text
    assert "target 60 s: missed" in text
    assert text.endswith("Passed.")


def test_a_summary_counts_the_answers_of_all_drills() -> None:
    verdicts = judged(SCENARIOS["bad-deploy/it-began-before"], [(ASKED, "yes", "")])
    text = summary([as_json(score()), as_json(score(name="bad-deploy/it-began-before", verdicts=verdicts))])
    assert "1 of 2 drills passed." in text
    assert text.endswith("Answers: 0 of 1 right, 1 wrong, of which 1 a false yes.")


def test_drills_are_listed_with_and_without_their_twins() -> None:
    code, output, _ = tocsin("drill", "list")
    assert (code, len(output.splitlines())) == (0, 15)
    code, output, _ = tocsin("drill", "list", "--twins")
    assert (code, len(output.splitlines())) == (0, 30)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ("drill", "run", "nonsense"),
            "tocsin: there is no drill 'nonsense': `tocsin drill list --twins` names them all",
        ),
        (
            ("drill", "run", "bad-deploi"),
            "tocsin: there is no drill 'bad-deploi'. Did you mean 'bad-deploy'?: `tocsin drill list --twins` names "
            "them all",
        ),
        (("drill", "run", "all"), "tocsin: a person plays one drill at a time; add --auto to run several"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(arguments: tuple[str, ...], complaint: str) -> None:
    code, output, problem = tocsin(*arguments)
    assert (code, output, problem.strip()) == (2, "", complaint)


@pytest.mark.e2e
def test_a_bad_deploy_is_found_rolled_back_and_verified(tmp_path: Path) -> None:
    code, output, problem = tocsin("drill", "run", "bad-deploy", "--auto", "--json", "--keep", str(tmp_path))
    (found,) = json.loads(output[output.rfind("\n[\n") + 1 :])
    assert (code, found["passed"], found["problem"]) == (0, True, ""), problem
    assert (found["right"], found["incidents"], found["false_yes"]) == (ROLLBACK, 1, 0)
    (kept,) = tmp_path.glob("bad-deploy-*.md")
    text = kept.read_text(encoding="utf-8")
    assert text.startswith("> This was a drill: ")
    assert "DRILL: High error rate on the backend" in text
    assert "leaks connections" in text
