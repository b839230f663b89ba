from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.engine.ports import EvidenceError, StepReport
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.results import Outcome, StepResult
from tocsin.procedures.run import poll, run_procedure
from tocsin.procedures.runner import Runner, Settings
from tocsin.runbook.model import Step, StepClass
from tocsin.runbook.shell import split_fence

RUNNER = Runner(Settings(timeout=timedelta(seconds=20)))


def steps(text: str) -> tuple[Step, ...]:
    return split_fence(text, line=1).steps


class Series:
    """One sample of a Prometheus answer."""

    def __init__(self, value: float, **labels: str) -> None:
        self.value, self.labels = value, labels


class Answers:
    """A Prometheus that gives one answer, or none."""

    def __init__(self, samples: Sequence[Series] | None) -> None:
        self._samples = samples

    async def query(self, expr: str) -> Sequence[Series]:
        if self._samples is None:
            raise EvidenceError("Prometheus: no answer within 10 s")
        return self._samples


async def report(text: str, prometheus: Answers | None = None, *, approved: bool = False) -> list[StepReport]:
    reports: list[StepReport] = []
    await StepRunner(RUNNER, prometheus).run(
        list(enumerate(steps(text), start=1)),
        environment=(),
        values={},
        side_by_side=False,
        approved=approved,
        report=reports.append,
    )
    return reports


async def test_steps_run_in_order_and_are_told_as_they_finish() -> None:
    told: list[int] = []
    text = "# A\necho a\n\n# B\n# Open the dashboard\n\n# C\necho c"
    results = await run_procedure(RUNNER, steps(text), on_result=lambda at, _: told.append(at))
    assert [r.outcome for r in results] == [Outcome.OK, Outcome.MANUAL, Outcome.OK]
    assert told == [0, 1, 2]


async def test_side_by_side_steps_run_at_the_same_time(tmp_path: Path) -> None:
    # Each waits for the file the other one makes: one after another neither would end.
    here = f"{tmp_path}/made-by"
    text = f"# A\ntouch {here}-a; until [ -e {here}-b ]; do sleep 0.01; done; rm {here}-b\n\n"
    text += f"# B\ntouch {here}-b; until [ -e {here}-a ]; do sleep 0.01; done; rm {here}-a"
    results = await run_procedure(RUNNER, steps(text), side_by_side=True, approved=True)
    assert [(r.title, r.outcome) for r in results] == [("A", Outcome.OK), ("B", Outcome.OK)]


async def test_a_change_runs_only_when_approved() -> None:
    (refused,) = await run_procedure(RUNNER, steps("touch x"))
    assert (refused.outcome, refused.exit_code) == (Outcome.REFUSED, None)
    assert "approval" in refused.reason
    (done,) = await run_procedure(RUNNER, steps("touch x"), approved=True)
    assert done.outcome is Outcome.OK


@pytest.mark.parametrize("environment", [["export X=$(touch x)"], ["export PATH=.:$PATH"], ["touch x"]])
async def test_an_environment_that_changes_something_is_no_way_round_the_approval(environment: list[str]) -> None:
    (refused,) = await run_procedure(RUNNER, steps("echo a"), environment=environment)
    assert refused.outcome is Outcome.REFUSED


async def test_a_step_that_only_claims_to_read_is_judged_again() -> None:
    (honest,) = steps("touch x")
    liar = Step("t", honest.kind, "touch x", 1, StepClass.READ, (), 1)
    (refused,) = await run_procedure(RUNNER, [liar])
    assert refused.outcome is Outcome.REFUSED


async def test_a_poll_repeats_the_inner_command_until_the_window_ends() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    slept: list[float] = []
    runner = Runner(RUNNER.settings, now=lambda: start + timedelta(seconds=sum(slept)))

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    (watch,) = steps("watch -n 30 'echo one; echo two'")
    results: list[StepResult] = [r async for r in poll(runner, watch, until=start + timedelta(seconds=90), sleep=sleep)]
    assert [r.stdout for r in results] == ["one\ntwo\n"] * 3
    assert slept == [30.0] * 3


async def test_a_query_without_prometheus_is_unknown() -> None:
    (told,) = await report("# Rate\n# PromQL: up")
    assert (told.title, told.outcome, told.reason) == ("Rate", "unknown", "no Prometheus is configured")


async def test_a_query_is_answered_by_prometheus() -> None:
    (told,) = await report("# Rate\n# PromQL: up", Answers([Series(1, __name__="up", job="a")]))
    assert (told.title, told.outcome, told.stdout) == ("Rate", "ok", 'up{job="a"} 1')


async def test_an_empty_answer_is_not_zero_and_no_answer_is_a_failure() -> None:
    (empty,) = await report("# PromQL: up", Answers([]))
    assert (empty.outcome, empty.reason) == ("nothing_found", "no series matched (this is not zero)")
    (none,) = await report("# PromQL: up", Answers(None))
    assert (none.outcome, none.reason) == ("failed", "Prometheus: no answer within 10 s")


async def test_the_engine_hears_of_a_refused_step_as_one_that_was_not_run() -> None:
    (told,) = await report("kubectl delete pod x")
    assert (told.index, told.outcome) == (1, "failed")
    assert told.reason.startswith("not run: it needs an approval")


def test_the_engine_can_ask_why_a_value_is_refused() -> None:
    (step,) = steps("kubectl logs <pod-name>")
    assert StepRunner(RUNNER).refuses(step, {"pod-name": "backend-1"}) == {}
    assert list(StepRunner(RUNNER).refuses(step, {"pod-name": "-x"})) == ["pod-name"]
