"""A procedure as a room shows it: its steps, what each gave last, what runs now. Fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.incident import library
from tocsin.incident.state import Incident, Run, StepState
from tocsin.runbook.model import Procedure, Runbook, Step, StepClass, StepKind


@dataclass(frozen=True)
class StepView:
    """A step of the runbook with what its latest run gave; `state` is None when it has not been run."""

    index: int
    step: Step
    state: StepState | None
    run: Run | None

    @property
    def reads(self) -> bool:
        return self.step.step_class is StepClass.READ

    @property
    def runnable(self) -> bool:
        return self.reads and bool(self.step.command) and not any(p.refused for p in self.step.placeholders)

    @property
    def proposable(self) -> bool:
        """Whether it changes something and can be proposed like a mitigation."""
        shell = self.step.kind is StepKind.SHELL and bool(self.step.command)
        return shell and not self.reads and not any(p.refused for p in self.step.placeholders)

    @property
    def mark(self) -> str:
        """How it went: running, waiting, good, bad, unsure, person, or none when it was not run."""
        if self.state is None or self.run is None:
            return "none"
        if self.state.outcome is None:
            return "running" if self.run.status == "running" else "unsure"
        return _MARKS.get(self.state.outcome, "unsure")


_MARKS = {
    "ok": "good", "nothing_found": "good", "unhealthy": "bad", "failed": "bad", "timed_out": "bad", "manual": "person",
}  # fmt: skip


@dataclass(frozen=True)
class ProcedureView:
    """A procedure, and the document that it stands in."""

    document: Runbook
    procedure: Procedure
    steps: tuple[StepView, ...]

    @property
    def slug(self) -> str:
        return self.procedure.slug

    def dashboard(self, step: Step) -> str | None:
        """The address of the dashboard that a step for a person names."""
        return library.dashboard(self.document, step.title) if step.kind is StepKind.MANUAL else None

    @property
    def running(self) -> bool:
        return any(s.mark == "running" for s in self.steps)

    @property
    def under_way(self) -> tuple[Run, ...]:
        """The runs that some of its steps are in now, each once."""
        return tuple({s.run.id: s.run for s in self.steps if s.run is not None and s.run.status == "running"}.values())

    @property
    def reads(self) -> bool:
        """Whether a run of it would do anything: some step only reads, or is for a person."""
        return any(s.reads for s in self.steps)

    @property
    def changes(self) -> int:
        """How many of its steps change something, and are proposed one by one."""
        return sum(not s.reads for s in self.steps)

    @property
    def found(self) -> int:
        """How many of its steps found a problem or failed."""
        return sum(s.mark == "bad" for s in self.steps)

    @property
    def done(self) -> int:
        return sum(s.state is not None and s.state.outcome is not None for s in self.steps)

    @property
    def asks(self) -> tuple[str, ...]:
        """The values that its steps need, each once."""
        wanted = (p.name for s in self.steps for p in s.step.placeholders if s.reads and not p.refused)
        return tuple(dict.fromkeys(wanted))

    @property
    def values(self) -> Mapping[str, str]:
        """The values given last time."""
        runs = [s.run for s in self.steps if s.run is not None and s.run.values]
        return runs[-1].values if runs else {}


def procedure_view(incident: Incident, document: Runbook, procedure: Procedure) -> ProcedureView:
    """The procedure with the latest of each of its steps."""
    latest: dict[int, tuple[StepState, Run]] = {}
    for run in incident.runs:
        if run.procedure == procedure.slug:
            latest.update({s.index: (s, run) for s in run.steps})
    steps = (StepView(n, step, *latest.get(n, (None, None))) for n, step in enumerate(procedure.steps, start=1))
    return ProcedureView(document, procedure, tuple(steps))
