"""Runs a procedure's steps, one after another or side by side, and repeats what the document watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial

from tocsin.procedures.results import Outcome, StepResult
from tocsin.procedures.runner import Output, Runner
from tocsin.procedures.turns import Turns
from tocsin.runbook.model import Step, StepClass, StepKind
from tocsin.runbook.shell import classify

Query = Callable[[str], Awaitable[StepResult]]
"""Answers a PromQL query with a result, whatever became of it."""
Sleep = Callable[[float], Awaitable[None]]
OnResult = Callable[[int, StepResult], None]
OnOutput = Callable[[int, str, str], None]

DEFAULT_POLL = timedelta(seconds=30)


async def run_procedure(
    runner: Runner,
    steps: Sequence[Step],
    *,
    environment: Sequence[str] = (),
    values: Mapping[str, str] | None = None,
    side_by_side: bool = False,
    approved: bool = False,
    on_result: OnResult | None = None,
    query: Query | None = None,
    on_output: OnOutput | None = None,
    turns: Turns | None = None,
    whose: str = "",
) -> tuple[StepResult, ...]:
    """The results in the order of the steps; `on_result` gets (index from 0, result) as each is finished, `on_output`
    (index from 0, stream, text) while it runs.

    Each waits for a turn of `whose`; what was approved waits for none. A step that is more than read runs only when
    `approved`; in any doubt (its environment changes something) neither. Cancelling ends every process.
    """

    async def one(index: int, step: Step) -> StepResult:
        told = None if on_output is None else partial(on_output, index)
        waits = step.kind is StepKind.SHELL and turns is not None and not approved
        async with turns.turn(whose) if turns is not None and waits else nullcontext():
            result = await run_one(
                runner, step, environment=environment, values=values, approved=approved, query=query, on_output=told
            )
        if on_result is not None:
            on_result(index, result)
        return result

    if not side_by_side:
        return tuple([await one(index, step) for index, step in enumerate(steps)])
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(index, step)) for index, step in enumerate(steps)]
    return tuple(task.result() for task in tasks)


async def run_one(
    runner: Runner,
    step: Step,
    *,
    environment: Sequence[str] = (),
    values: Mapping[str, str] | None = None,
    approved: bool = False,
    query: Query | None = None,
    on_output: Output | None = None,
) -> StepResult:
    """The result of one step of any kind. Never raises for what the step does."""
    if step.kind is StepKind.MANUAL:
        return runner.without_running(step, Outcome.MANUAL, "a person does this")
    if step.kind is StepKind.PROMQL:
        if query is None:
            return runner.without_running(step, Outcome.UNKNOWN, "no Prometheus is configured")
        return await query(step.command)
    if refused := refusal(step, environment, approved=approved):
        return runner.without_running(step, Outcome.REFUSED, refused)
    return await runner.run_step(step, environment=environment, values=values, on_output=on_output)


def refusal(step: Step, environment: Sequence[str], *, approved: bool) -> str | None:
    """Why a shell step may not run now; None when it may.

    The text is judged again here: what runs by itself must be read whatever the caller believes of it.
    """
    if approved:
        return None
    if step.step_class is not StepClass.READ:
        return f"it needs an approval: {step.class_reason or step.step_class}"
    texts = [*environment, step.poll_command if step.poll is not None else step.command]
    for verdict in map(classify, texts):
        if verdict.step_class is not StepClass.READ:
            return f"it needs an approval: {verdict.reason}"
    return None


async def poll(
    runner: Runner,
    step: Step,
    *,
    until: datetime,
    environment: Sequence[str] = (),
    values: Mapping[str, str] | None = None,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[StepResult]:
    """The step's results every `step.poll`, the first at once, the last before `until` (by the runner's clock)."""
    every = (step.poll or DEFAULT_POLL).total_seconds()
    while runner.now() < until:
        yield await run_one(runner, step, environment=environment, values=values)
        await sleep(every)
