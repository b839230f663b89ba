"""The documents that a runner itself has: nothing runs that does not stand in them, word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from tocsin.engine.running import as_step
from tocsin.procedures.remote.wire import Job, What, fingerprint
from tocsin.runbook.model import Runbook, Step, StepKind

EDITIONS = 20
"""Earlier editions that are kept: an open incident goes on with the one that it opened with."""


class Held(Struct, frozen=True):
    """A step of the runner's own, with the exports that its document sets before it."""

    step: Step
    environment: tuple[str, ...]


class Refusal(Struct, frozen=True):
    """Why a job is not taken, for the people in the room."""

    reason: str


class Holdings:
    """What the runner's own files say, and have said since it started. `documents` are digests, the newest last."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, Held]] = {}

    @property
    def documents(self) -> tuple[str, ...]:
        return tuple(self._documents)

    def add(self, runbook: Runbook, linked: Sequence[Runbook] = ()) -> None:
        """Takes in an edition of a runbook with the documents that it links to; the oldest ones are forgotten."""
        for document in (runbook, *linked):
            environment = document.environment or runbook.environment
            known = self._documents.pop(document.digest, {})
            self._documents[document.digest] = known | dict(_held(document, environment))
        for digest in tuple(self._documents)[: -EDITIONS * (1 + len(linked))]:
            del self._documents[digest]

    def find(self, job: Job) -> Held | Refusal:
        """The runner's own step that the job means. To run one, the whole document must be the one the server read."""
        if job.what is not What.RUN:
            found = (held[job.step] for held in self._documents.values() if job.step in held)
            return next(found, None) or Refusal("the runner's own copy of the runbook has no such step")
        document = self._documents.get(job.document)
        if document is None:
            said = f"edition {job.document[:8] or 'unknown'}"
            return Refusal(
                f"the runner's own copy of the runbook is another edition than the incident's ({said}): give both the "
                "same file, or start the runner with that edition as a further --runbook"
            )
        held = document.get(job.step)
        return held or Refusal("the runner does not find this step in its own copy: run the same version of Tocsin")


def _held(document: Runbook, environment: tuple[str, ...]) -> Iterator[tuple[str, Held]]:
    for step in _steps(document):
        yield fingerprint(step, environment), Held(step, environment)


def _steps(document: Runbook) -> Iterator[Step]:
    linked = (p for one in document.linked for p in one.procedures)
    for procedure in (*document.procedures, *linked):
        yield from (step for step in procedure.steps if step.kind is not StepKind.MANUAL)
    for mitigation in document.actions():
        if mitigation.command is not None:
            yield as_step(mitigation)
