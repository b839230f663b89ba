"""The engine's `Runner` and `Cluster` where the work is done by a runner near the cluster. Nothing is started here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from tocsin.engine.ports import Choices, Clock, Output, Report, StepReport
from tocsin.incident.mitigations import NOWHERE, Footing
from tocsin.procedures.adapter import Prometheus, StepRunner
from tocsin.procedures.redaction import clean, redact
from tocsin.procedures.remote.dispatch import NOBODY, Dispatch, Lost, NotTaken
from tocsin.procedures.remote.wire import Job, What, fingerprint
from tocsin.procedures.results import digest
from tocsin.procedures.run import refusal
from tocsin.procedures.runner import Runner
from tocsin.procedures.targets import asks_cluster
from tocsin.procedures.values import refusals
from tocsin.runbook.model import Placeholder, Step, StepKind

LOOK_SECONDS = 6.0
UNKNOWN = "unknown"
LONGEST = 512 * 1024
"""Characters of one stream that are taken from a runner: twice what one keeps."""


class RemoteRunner:
    """Has steps run by whichever runner takes them. A query is asked from here when `prometheus` is given."""

    def __init__(self, dispatch: Dispatch, *, clock: Clock, prometheus: Prometheus | None = None) -> None:
        self._dispatch = dispatch
        self._clock = clock
        self._asks = prometheus is not None
        self._here = StepRunner(Runner(now=clock.now), prometheus)

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

        async def one(index: int, step: Step) -> None:
            if step.kind is StepKind.MANUAL or (step.kind is StepKind.PROMQL and self._asks):
                await self._here.run(
                    [(index, step)], environment=environment, values=values, side_by_side=False, approved=approved,
                    report=report, output=output, whose=whose,
                )  # fmt: skip
                return
            job = Job(
                "", What.RUN, fingerprint(step, environment), step.title, document=document,
                values=_asked(step, values), approved=approved, whose=whose,
            )  # fmt: skip
            refused = None if step.kind is StepKind.PROMQL else refusal(step, environment, approved=approved)
            said = None if output is None else partial(output, index)
            report(await self._ran(index, step, job, refused=refused, said=said))

        if not side_by_side:
            for index, step in steps:
                await one(index, step)
            return
        async with asyncio.TaskGroup() as group:
            for index, step in steps:
                group.create_task(one(index, step))

    def refuses(self, step: Step, values: Mapping[str, str]) -> dict[str, str]:
        """Why the step cannot run with these values: placeholder name -> reason; empty when it can."""
        return refusals(step.placeholders, values)

    async def _ran(
        self, index: int, step: Step, job: Job, *, refused: str | None, said: Callable[[str, str], None] | None
    ) -> StepReport:
        began = self._clock.now()
        blank = partial(self._blank, index, step, began)
        if refused:
            return blank("failed", f"not run: {refused}")
        if said is not None and not self._dispatch.connected():
            said("stderr", f"({NOBODY}; waiting up to {self._dispatch.wait:g} s)\n")
        try:
            ended = await self._dispatch.do(job, said=said)
        except NotTaken as exc:
            # That nothing ran is known: a change failed, and a look says nothing about production.
            return blank("failed" if job.approved else "unknown", f"not run: {exc}")
        except Lost as exc:
            return blank("unknown", f"{exc}: what came of it is not known")
        if ended.report is None:
            return blank("unknown", "the runner gave no result: what came of it is not known")
        return _taken(ended.report, index, step)

    def _blank(self, index: int, step: Step, began: datetime, outcome: str, reason: str) -> StepReport:
        return StepReport(
            index, step.title, outcome, reason, None, "", "", 0, began, self._clock.now(), digest("", "")
        )  # fmt: skip


class RemoteCluster:
    """Looks through whichever runner answers first."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def footing(self, step: Step, *, environment: Sequence[str], values: Mapping[str, str]) -> Footing:
        """Where the step would act now. Never raises: what cannot be read is said to be unknown."""
        if not asks_cluster(step.command):
            return NOWHERE
        job = Job("", What.FOOTING, fingerprint(step, environment), step.title, values=_asked(step, values))
        try:
            ended = await self._look(job)
        except (NotTaken, Lost, TimeoutError) as exc:
            return Footing(f"{UNKNOWN} ({str(exc) or 'the runner did not answer in time'})")
        return ended or Footing(UNKNOWN)

    async def choices(self, placeholder: Placeholder, step: Step, *, environment: Sequence[str]) -> Choices:
        """What the cluster has for the placeholder. Never raises."""
        if placeholder.refused:
            return Choices(reason=placeholder.refused)
        job = Job("", What.CHOICES, fingerprint(step, environment), step.title, placeholder=placeholder.name)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                ended = await self._dispatch.do(job, wait=self._patience())
        except (NotTaken, Lost, TimeoutError) as exc:
            return Choices(reason=str(exc) or "the runner did not answer in time")
        found = ended.choices or Choices(reason="the runner gave no list")
        return Choices(
            tuple(v for v in found.values if not refusals([placeholder], {placeholder.name: v})), found.reason
        )

    async def _look(self, job: Job) -> Footing | None:
        async with asyncio.timeout(LOOK_SECONDS):
            return (await self._dispatch.do(job, wait=self._patience())).footing

    def _patience(self) -> float:
        """A runner that is only just reconnecting is waited for a moment, none at all is not."""
        return LOOK_SECONDS if self._dispatch.connected() else 1.0


def _asked(step: Step, values: Mapping[str, str]) -> dict[str, str]:
    """Only the values that the step has a place for travel."""
    return {p.name: values[p.name] for p in step.placeholders if p.name in values}


def _taken(report: StepReport, index: int, step: Step) -> StepReport:
    """A runner's report as evidence: redacted there where it was captured, and looked at again here."""
    stdout, stderr = (redact(clean(text[:LONGEST])) for text in (report.stdout, report.stderr))
    chart = report.chart if report.chart.startswith("<svg ") else ""
    return replace(
        report, index=index, title=step.title, stdout=stdout, stderr=stderr, reason=redact(clean(report.reason))[:2000],
        chart=chart, digest=digest(stdout, stderr),
    )  # fmt: skip
