"""The model document, read where it lies; its text is not ours to copy."""

from collections import Counter
from pathlib import Path

import pytest

from tocsin.runbook.model import Step
from tocsin.runbook.shell import Fence, split_fence

SEED = Path(__file__).parents[4] / "shared/runbooks/qawave/INCIDENT_RESPONSE.md"
pytestmark = pytest.mark.skipif(not SEED.exists(), reason="the model document is not beside the project")


def fences() -> list[Fence]:
    rows, found, start = SEED.read_text().split("\n"), [], None
    for number, row in enumerate(rows, start=1):
        if row == "```bash":
            start = number
        elif row == "```" and start is not None:
            found.append(split_fence("\n".join(rows[start : number - 1]), line=start + 1))
            start = None
    return found


def steps() -> list[Step]:
    return [step for fence in fences() for step in fence.steps]


def test_seven_fences_are_28_steps_of_which_25_run() -> None:
    assert len(fences()) == 7
    assert Counter(step.kind.value for step in steps()) == {"shell": 25, "promql": 2, "manual": 1}


def test_each_fence_has_its_logical_commands() -> None:
    assert [sum(s.commands for s in fence.steps) for fence in fences()] == [5, 3, 3, 3, 3, 4, 7]


def test_three_steps_want_a_pod() -> None:
    wanted = [p for step in steps() for p in step.placeholders]
    assert [(p.name, p.type, p.refused) for p in wanted] == [("pod-name", "pod", None)] * 3


def test_all_steps_only_read_but_the_three_mitigations() -> None:
    changing = [(s.command.split()[1:3], s.step_class.value) for s in steps() if s.step_class != "read"]
    assert changing == [
        (["rollout", "undo"], "change"), (["rollout", "restart"], "change"), (["scale", "deployment/backend"], "change")
    ]  # fmt: skip


def test_lines_and_environment_are_the_documents() -> None:
    assessment = fences()[0]
    assert [step.line for step in assessment.steps] == [71, 74, 78, 81, 84]
    assert assessment.environment == ("export KUBECONFIG=~/.kube/config-qawave-prod",)


def test_nothing_in_it_is_an_error_and_the_outdated_column_is_said() -> None:
    findings = [f for fence in fences() for f in fence.findings]
    assert not [f for f in findings if f.level == "error"]
    assert [f.line for f in findings if f.code == "S006"] == [134]
