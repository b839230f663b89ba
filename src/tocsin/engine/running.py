"""Steps run: procedures as evidence, the verification's watching, mitigations at most once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from tocsin.engine.core import Core, new_id
from tocsin.engine.ledger import Ledger
from tocsin.engine.ports import Cluster, NoCluster, Output, Runner, StepReport
from tocsin.engine.records import Evidence, WorkItem
from tocsin.incident import commands, library, mitigations
from tocsin.incident import events as e
from tocsin.incident.errors import TransitionError
from tocsin.incident.mitigations import Footing
from tocsin.incident.policy import TOCSIN, Context
from tocsin.incident.state import Approval, Incident, Run
from tocsin.incident.steps import BAD
from tocsin.runbook.model import Mitigation, Purpose, Step, StepClass, StepKind

BAD_IN_A_ROW = 2
"""How often in a row a verification step must fail to count: pods that are just being replaced look unhealthy once."""
RETRY = timedelta(seconds=10)


class StepWorker:
    """Does claimed runs and mitigations."""

    def __init__(self, core: Core, runner: Runner, *, owner: str, cluster: Cluster | None = None) -> None:
        self._core = core
        self._runner = runner
        self._cluster = cluster or NoCluster()
        self._owner = owner

    async def run(self, item: WorkItem, run_id: str) -> None:
        """One run of a procedure, or what is left of it after a restart."""
        incident = await self._core.read(lambda tx: tx.incident(item.incident_id))
        run = incident.run(run_id) if incident else None
        if incident is None or run is None or run.status != "running":
            await self._done(item)
            return
        steps = self._steps(incident, run)
        watching = incident.verification is not None and incident.verification.run == run_id
        left = [(n, _one_look(s)) for n, s in steps if _unfinished(run, n)]
        by_itself = run.purpose == Purpose.ASSESSMENT.value
        work: Coroutine[None, None, object] = (
            self._watch(incident, run, steps)
            if watching
            else self._observe(incident, run, left, side_by_side=by_itself)
        )
        began = self._core.clock.now()
        await self._core.live.stoppable((incident.id, run_id), work)
        await self._keep_unfinished(incident.id, run_id, left, began=began)
        await self._finish_run(item, incident.id, run_id)

    async def mitigate(self, item: WorkItem, approval_id: str) -> None:
        """The approved command, once. Found half-run, its outcome is unknown and a person is asked."""
        incident = await self._core.read(lambda tx: tx.incident(item.incident_id))
        approval = incident.approval(approval_id) if incident else None
        if incident is None or approval is None:
            await self._done(item)
            return
        if approval.status == "running":
            why = "it was cut off while it ran: look whether it took effect before doing anything again"
            await self._end_mitigation(item, incident.id, approval_id, outcome="unknown", reason=why, report=None)
            return
        footing = await self._footing(incident, approval)
        try:
            await self._core.decide(
                incident.id, TOCSIN, lambda i, ctx: mitigations.begin(i, ctx, approval_id, footing=footing)
            )
        except TransitionError:
            await self._drop(item, incident.id, approval_id, footing=footing)
            return
        key = (incident.id, of_mitigation(approval_id))
        began = self._core.clock.now()
        ended = await self._core.live.stoppable(key, self._execute(incident, approval))
        report = ended[0] if ended else None if ended == [] else self._cut_off(key, 1, approval.action, began=began)
        outcome, reason = _judge(report)
        await self._end_mitigation(item, incident.id, approval_id, outcome=outcome, reason=reason, report=report)

    async def _footing(self, incident: Incident, approval: Approval) -> Footing | None:
        """Where the command would act now; None when the runbook has it no more."""
        found = library.mitigation(self._core.policies.of(incident), approval.slug)
        if found is None or found.mitigation.command is None:
            return None
        return await self._cluster.footing(
            as_step(found.mitigation), environment=found.environment, values=approval.values
        )

    async def _drop(self, item: WorkItem, incident_id: str, approval: str, *, footing: Footing | None) -> None:
        """The approval is not acted on; one that does not hold any more is ended, and that is said."""

        def drop(ledger: Ledger) -> None:
            incident = ledger.get(incident_id)
            ended = mitigations.expire_outdated(incident, ledger.context(incident, TOCSIN), approval, footing=footing)
            ledger.append(incident, ended, actor=TOCSIN.name)
            ledger.tx.finish(item.id, owner=self._owner, state="done")

        await self._core.record(drop)

    async def _execute(self, incident: Incident, approval: Approval) -> list[StepReport]:
        """The report of the command; none when the runbook has no such command any more."""
        found = library.mitigation(self._core.policies.of(incident), approval.slug)
        if found is None or found.mitigation.command is None:
            return []
        reports: list[StepReport] = []
        await self._runner.run(
            [(1, as_step(found.mitigation))],
            environment=found.environment,
            values=approval.values,
            side_by_side=False,
            approved=True,
            report=reports.append,
            output=self._shower((incident.id, of_mitigation(approval.id))),
            whose=incident.id,
            document=found.document.digest,
        )
        return reports

    async def _end_mitigation(
        self,
        item: WorkItem,
        incident_id: str,
        approval_id: str,
        *,
        outcome: str,
        reason: str,
        report: StepReport | None,
    ) -> None:
        def end(ledger: Ledger) -> None:
            incident = ledger.get(incident_id)
            approval = incident.approval(approval_id)
            kept = None
            if report is not None and approval is not None:
                kept = _evidence(incident_id, of_mitigation(approval_id), approval.command, report)
                ledger.tx.put_evidence(kept)
            if approval is not None and approval.status == "unknown" and outcome == "unknown":
                if kept is not None:  # a person stopped it, which has been said
                    ledger.append(incident, (e.MitigationOutputKept(approval_id, kept.id),), actor="tocsin")
                ledger.tx.finish(item.id, owner=self._owner, state="done")
                return
            said = mitigations.finish(
                incident, approval_id, outcome=outcome, reason=reason, evidence=kept.id if kept else None
            )
            ledger.append(incident, said, actor="tocsin")
            ledger.tx.finish(item.id, owner=self._owner, state="done")

        await self._core.record(end)
        self._core.live.ended((incident_id, of_mitigation(approval_id)), outcome)

    # what is shown while it runs

    def _shower(self, key: tuple[str, str]) -> Output:
        return partial(self._core.live.say, key)

    def _cut_off(self, key: tuple[str, str], index: int, title: str, *, began: datetime) -> StepReport:
        """What a stopped step had shown by then, as its report."""
        stdout, stderr = self._core.live.so_far(key, index)
        now = self._core.clock.now()
        return StepReport(
            index, title, "cancelled", "stopped before it was finished", None, stdout, stderr, 0, began, now,
            hashlib.sha256(f"{stdout}\0{stderr}".encode("utf-8", "replace")).hexdigest(),
        )  # fmt: skip

    async def _keep_unfinished(
        self, incident_id: str, run_id: str, steps: Sequence[tuple[int, Step]], *, began: datetime
    ) -> None:
        """After a person stopped the run: what its steps had shown is kept as evidence."""
        key = (incident_id, run_id)
        for index, step in steps:
            if any(self._core.live.so_far(key, index)):
                report = self._cut_off(key, index, step.title, began=began)
                await self._record(incident_id, run_id, step.command, report)

    # procedures

    def _steps(self, incident: Incident, run: Run) -> list[tuple[int, Step]]:
        written = library.procedure(self._core.policies.of(incident), run.procedure)
        if written is None:
            return []
        wanted = {s.index for s in run.steps}
        return [(n, s) for n, s in enumerate(written.procedure.steps, start=1) if n in wanted]

    async def _observe(
        self, incident: Incident, run: Run, steps: Sequence[tuple[int, Step]], *, side_by_side: bool
    ) -> list[StepReport]:
        """Runs the steps once, each recorded as soon as it is finished; their reports."""
        reports: list[StepReport] = []
        recording: set[asyncio.Task[None]] = set()
        commands_of = {n: s.command for n, s in steps}

        def report(one: StepReport) -> None:
            reports.append(one)
            recording.add(asyncio.ensure_future(self._record(incident.id, run.id, commands_of[one.index], one)))

        document, environment = self._standing(incident, run)
        try:
            await self._runner.run(
                steps,
                environment=environment,
                values=run.values,
                side_by_side=side_by_side,
                approved=False,
                report=report,
                output=self._shower((incident.id, run.id)),
                whose=incident.id,
                document=document,
            )
            await asyncio.gather(*recording)
        finally:
            for task in recording:
                task.cancel()
        return reports

    def _standing(self, incident: Incident, run: Run) -> tuple[str, Sequence[str]]:
        """The digest of the document that the procedure stands in, and the exports that it relies on."""
        policy = self._core.policies.of(incident)
        written = library.procedure(policy, run.procedure)
        if written is None:
            return policy.runbook.digest, policy.runbook.environment
        return written.document.digest, written.environment

    async def _record(self, incident_id: str, run_id: str, command: str, report: StepReport) -> None:
        kept = _evidence(incident_id, run_id, command, report) if report.outcome != "manual" else None
        said = e.StepFinished(
            run=run_id,
            index=report.index,
            title=report.title,
            outcome=report.outcome,
            reason=report.reason,
            exit_code=report.exit_code,
            evidence=kept.id if kept else None,
            seconds=round((report.ended_at - report.started_at).total_seconds(), 3),
        )

        def record(ledger: Ledger) -> None:
            if kept is not None:
                if ledger.tx.evidence(kept.id) is not None:
                    return  # it was recorded, and the answer to that was lost
                ledger.tx.put_evidence(kept)
            ledger.append(ledger.get(incident_id), (said,), actor="tocsin")

        await self._core.record(record)
        key = (incident_id, run_id)
        self._core.live.step_ended(key, report.index, outcome=report.outcome, reason=report.reason)

    # verification: the same steps, looked at again and again over the window

    async def _watch(self, incident: Incident, run: Run, steps: Sequence[tuple[int, Step]]) -> None:
        """Polls until the window ends, the verification is over, or a step fails twice in a row."""
        once = [(n, s) for n, s in steps if s.poll is None]
        polls = [(n, _one_look(s)) for n, s in steps if s.poll is not None]
        every = min((s.poll for _, s in polls if s.poll), default=RETRY)
        seen = {s.index: s.outcome for s in run.steps}
        bad: dict[int, int] = {}
        while await self._still_watching(incident.id, run.id):
            again = [(n, s) for n, s in once if seen.get(n) is None or seen[n] in BAD]
            for report in await self._look(incident, run, [*again, *polls], seen):
                seen[report.index] = report.outcome
                bad[report.index] = bad.get(report.index, 0) + 1 if report.outcome in BAD else 0
                if bad[report.index] >= BAD_IN_A_ROW:
                    await self._fail_verification(incident.id, f"{report.title}: {report.reason}")
                    return
            if not polls and not any(seen.get(n) in BAD for n, _ in once):
                return
            await asyncio.sleep(every.total_seconds() if not any(bad.values()) else min(every, RETRY).total_seconds())

    async def _look(
        self, incident: Incident, run: Run, steps: Iterable[tuple[int, Step]], seen: dict[int, str | None]
    ) -> list[StepReport]:
        """One look; only what changed since the last goes on the timeline."""
        reports: list[StepReport] = []
        wanted = list(steps)
        commands_of = {n: s.command for n, s in wanted}
        document, environment = self._standing(incident, run)
        await self._runner.run(
            wanted,
            environment=environment,
            values={},
            side_by_side=False,
            approved=False,
            report=reports.append,
            output=self._shower((incident.id, run.id)),
            whose=incident.id,
            document=document,
        )
        for report in reports:
            self._core.live.step_ended(
                (incident.id, run.id), report.index, outcome=report.outcome, reason=report.reason
            )
            if seen.get(report.index) != report.outcome:
                await self._record(incident.id, run.id, commands_of[report.index], report)
        return reports

    async def _still_watching(self, incident_id: str, run_id: str) -> bool:
        incident = await self._core.read(lambda tx: tx.incident(incident_id))
        v = incident.verification if incident else None
        now = self._core.clock.now()
        return v is not None and v.run == run_id and v.status == "watching" and now < v.latest_at

    async def _fail_verification(self, incident_id: str, reason: str) -> None:
        def decide(i: Incident, ctx: Context) -> Sequence[e.Event]:
            return commands.verification_failed(i, ctx, reason=reason)

        await self._core.decide(incident_id, TOCSIN, decide)

    # ends

    async def _finish_run(self, item: WorkItem, incident_id: str, run_id: str) -> None:
        def end(ledger: Ledger) -> str:
            incident = ledger.get(incident_id)
            run = incident.run(run_id)
            status = run.status if run else "unknown"
            if run is not None and status == "running":
                status = "failed" if any(s.outcome in ("failed", "timed_out") for s in run.steps) else "done"
                ledger.append(incident, (e.RunFinished(run_id, status),), actor="tocsin")
            ledger.tx.finish(item.id, owner=self._owner, state="done")
            return status

        self._core.live.ended((incident_id, run_id), await self._core.record(end))

    async def _done(self, item: WorkItem) -> None:
        await self._core.transact(lambda ledger: ledger.tx.finish(item.id, owner=self._owner, state="done"))


def of_mitigation(approval: str) -> str:
    """What stands for the run's id in the evidence of a mitigation."""
    return f"mitigation {approval}"


def refusals(runner: Runner, steps: Iterable[Step], values: dict[str, str]) -> dict[str, str]:
    """Why these values cannot be used, by placeholder."""
    return {name: why for step in steps for name, why in runner.refuses(step, values).items()}


def as_step(m: Mitigation) -> Step:
    """The one step of a mitigation, as a runner takes it."""
    return Step(
        title=m.action,
        kind=StepKind.SHELL,
        command=m.command or "",
        commands=1,
        step_class=m.step_class or StepClass.DESTRUCTIVE,
        placeholders=m.placeholders,
        line=m.line,
    )


def _one_look(step: Step) -> Step:
    """A step that says `watch` never ends: one look of it."""
    return replace(step, command=step.poll_command) if step.poll_command else step


def _unfinished(run: Run, index: int) -> bool:
    return any(s.index == index and s.outcome is None for s in run.steps)


def _judge(report: StepReport | None) -> tuple[str, str]:
    """A mitigation's outcome: a time-out leaves it unknown, since it may have taken effect."""
    if report is None:
        return "failed", "the runbook in force has no such command any more"
    if report.outcome in ("timed_out", "unknown", "cancelled"):
        return "unknown", report.reason
    return ("done" if report.outcome in ("ok", "nothing_found") else "failed"), report.reason


def _evidence(incident_id: str, run: str, command: str, report: StepReport) -> Evidence:
    return Evidence(
        id=new_id(),
        incident_id=incident_id,
        run=run,
        index=report.index,
        title=report.title,
        command=command,
        outcome=report.outcome,
        reason=report.reason,
        exit_code=report.exit_code,
        stdout=report.stdout,
        stderr=report.stderr,
        cut_bytes=report.cut_bytes,
        started_at=report.started_at,
        ended_at=report.ended_at,
        digest=report.digest,
        chart=report.chart,
    )
