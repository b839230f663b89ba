"""The engine's `Runner`: procedures and mitigations through bash, queries through Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from tocsin.engine.ports import Clock, EvidenceError, Output, Report, StepReport
from tocsin.procedures.chart import Line, svg
from tocsin.procedures.results import Outcome, StepResult, digest
from tocsin.procedures.run import run_procedure
from tocsin.procedures.runner import Runner, Settings
from tocsin.procedures.turns import Turns
from tocsin.procedures.values import refusals
from tocsin.runbook.model import Step, StepClass, StepKind

_SHOWN = 200
CHARTED = timedelta(minutes=30)
POINTS = 90
AT_ONCE = 16


class Masked(Protocol):
    """A text whose `repr` hides it."""

    def get_secret_value(self) -> str: ...


class Wanted(Protocol):
    """What the configuration says of procedures."""

    @property
    def timeout(self) -> timedelta: ...
    @property
    def environment(self) -> Mapping[str, Masked]: ...
    @property
    def at_once(self) -> int: ...


class Sample(Protocol):
    """One series of an answer."""

    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def value(self) -> float: ...


class Prometheus(Protocol):
    def query(self, expr: str) -> Awaitable[Sequence[Sample]]:
        """The value of `expr` now. Raises EvidenceError when there is none."""
        ...


@runtime_checkable
class Tracing(Protocol):
    def trace(self, expr: str, *, start: datetime, end: datetime, step: timedelta) -> Awaitable[Sequence[Line]]:
        """The values of `expr` over time. Raises EvidenceError when there are none to be had."""
        ...


class StepRunner:
    """Runs steps for the engine, at most `at_once` reading ones. Without `prometheus` a query's outcome is unknown."""

    def __init__(self, runner: Runner, prometheus: Prometheus | None = None, *, at_once: int = AT_ONCE) -> None:
        self._runner = runner
        self._turns = Turns(at_once)
        self._query = None if prometheus is None else _asker(runner.now, prometheus)

    @classmethod
    def of(cls, wanted: Wanted, *, clock: Clock, prometheus: Prometheus | None) -> StepRunner:
        environment = {name: value.get_secret_value() for name, value in wanted.environment.items()}
        settings = Settings(timeout=wanted.timeout, environment=environment)
        return cls(Runner(settings, now=clock.now), prometheus, at_once=wanted.at_once)

    @property
    def shell(self) -> Runner:
        """The runner of shell steps, for what else asks by it."""
        return self._runner

    async def run(
        self,
        steps: Sequence[tuple[int, Step]],
        *,
        environment: Sequence[str],
        values: Mapping[str, str],
        side_by_side: bool,
        approved: bool,
        report: Report,
        output: Output | None = None,
        whose: str = "",
        document: str = "",
    ) -> None:
        """Runs each (index, step), calling `report` once per finished step. Cancelling it stops every process."""
        numbers = [number for number, _ in steps]
        told = output or _nobody
        await run_procedure(
            self._runner,
            [step for _, step in steps],
            environment=environment,
            values=values,
            side_by_side=side_by_side,
            approved=approved,
            on_result=lambda at, result: report(_report(numbers[at], steps[at][1], result)),
            query=self._query,
            on_output=lambda at, stream, text: told(numbers[at], stream, text),
            turns=self._turns,
            whose=whose,
        )

    def refuses(self, step: Step, values: Mapping[str, str]) -> dict[str, str]:
        """Why the step cannot run with these values: placeholder name -> reason; empty when it can."""
        return refusals(step.placeholders, values)


def _report(index: int, step: Step, result: StepResult) -> StepReport:
    # To the engine a refused step is a failed one: its reason says that nothing ran.
    outcome = Outcome.FAILED if result.outcome is Outcome.REFUSED else result.outcome
    reason = f"not run: {result.reason}" if result.outcome is Outcome.REFUSED else result.reason
    return StepReport(
        index=index,
        title=step.title,
        outcome=outcome.value,
        reason=reason,
        exit_code=result.exit_code,
        stdout=result.stdout,
        stderr=result.stderr,
        cut_bytes=result.cut_bytes,
        started_at=result.started_at,
        ended_at=result.ended_at,
        digest=result.digest,
        chart=result.chart,
    )


def _nobody(index: int, stream: str, text: str) -> None:
    """Hears what a step says when nobody wants to know."""


def _asker(now: Callable[[], datetime], prometheus: Prometheus) -> Callable[[str], Awaitable[StepResult]]:
    async def ask(expr: str) -> StepResult:
        started = now()
        try:
            outcome, reason, text = _told(await prometheus.query(expr))
        except EvidenceError as error:
            outcome, reason, text = Outcome.FAILED, str(error), ""
        chart = await _drawn(prometheus, expr, started) if outcome is Outcome.OK else ""
        return StepResult(
            title=expr,
            kind=StepKind.PROMQL,
            step_class=StepClass.READ,
            exit_code=None,
            outcome=outcome,
            reason=reason,
            stdout=text,
            stderr="",
            cut_bytes=0,
            started_at=started,
            ended_at=now(),
            digest=digest(text, ""),
            chart=chart,
        )

    return ask


async def _drawn(prometheus: Prometheus, expr: str, until: datetime) -> str:
    """The last half hour as a chart; empty where there is none to be had, which is no failure of the step."""
    if not isinstance(prometheus, Tracing):
        return ""
    try:
        return svg(expr, await prometheus.trace(expr, start=until - CHARTED, end=until, step=CHARTED / POINTS))
    except EvidenceError:
        return ""


def _told(samples: Sequence[Sample]) -> tuple[Outcome, str, str]:
    if not samples:
        return Outcome.NOTHING_FOUND, "no series matched (this is not zero)", ""
    lines = [f"{_series(sample.labels)} {sample.value:g}" for sample in samples[:_SHOWN]]
    if len(samples) > _SHOWN:
        lines.append(f"... and {len(samples) - _SHOWN} more series")
    return Outcome.OK, f"{len(samples)} series answered" if len(samples) > 1 else lines[0], "\n".join(lines)


def _series(labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{pairs}}}"
