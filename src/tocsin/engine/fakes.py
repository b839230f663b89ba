"""The world made up, for tests and drills: a clock that is moved, a channel that remembers, steps that end as told."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tocsin.engine.ports import Message, Output, Report, StepReport
from tocsin.runbook.model import Step, StepClass, StepKind

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


class VirtualClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def move(self, **length: float) -> None:
        """Lets time pass: `move(minutes=15)`."""
        self._now += timedelta(**length)


class RecordingChannel:
    """Takes every message and remembers it; `fail` is raised instead, as often as it is there.

    `fails_on` keeps the failures for messages of one kind. `held` keeps a delivery from ending until it is set.
    `reaches` are the ids of the people with an address here, None is everybody.
    """

    def __init__(self, name: str = "recording", *, reaches: Collection[str] | None = None) -> None:
        self.name = name
        self.messages: list[Message] = []
        self.fail: list[Exception] = []
        self.fails_on = ""
        self.reaches = reaches
        self.held = asyncio.Event()
        self.held.set()

    def accepts(self, message: Message) -> bool:
        return message.to is None or self.reaches is None or message.to.person.id in self.reaches

    async def deliver(self, message: Message) -> None:
        await self.held.wait()
        if self.fail and self.fails_on in ("", message.kind):
            raise self.fail.pop(0)
        self.messages.append(message)

    async def close(self) -> None:
        pass

    def texts(self, kind: str) -> list[str]:
        return [m.text for m in self.messages if m.kind == kind]


class ScriptedRunner:
    """Runs nothing. Every step is `ok` with the words `ran COMMAND`, but for the titles that `outcomes` names.

    `begun` and `ran` are the titles in order, `ran` those that came to an end. `held` keeps steps from ending until it
    is set. A value with a space in it is refused, as a real one would be.
    """

    def __init__(self, clock: VirtualClock, outcomes: Mapping[str, str] | None = None) -> None:
        self._clock = clock
        self.outcomes = dict(outcomes or {})
        self.begun: list[str] = []
        self.ran: list[str] = []
        self.held = asyncio.Event()
        self.held.set()

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
        for index, step in steps:
            self.begun.append(step.title)
            if output is not None:
                output(index, "stdout", f"ran {step.command}\n")
            await self.held.wait()
            if step.step_class is not StepClass.READ and not approved:
                raise PermissionError(f"{step.title} is not a reading step and was not approved")
            report(self._report(index, step))

    def refuses(self, step: Step, values: Mapping[str, str]) -> dict[str, str]:
        asked = {p.name for p in step.placeholders}
        return {name: "must be one word" for name, value in values.items() if name in asked and " " in value}

    def _report(self, index: int, step: Step) -> StepReport:
        self.ran.append(step.title)
        usual = "ok" if step.kind is not StepKind.MANUAL else "manual"
        outcome = self.outcomes.get(step.title, usual)
        said = f"ran {step.command}\n"
        now = self._clock.now()
        return StepReport(
            index=index,
            title=step.title,
            outcome=outcome,
            reason="" if outcome == usual else f"as told: {outcome}",
            exit_code=0 if outcome == "ok" else 1,
            stdout=said,
            stderr="",
            cut_bytes=0,
            started_at=now,
            ended_at=now,
            digest=hashlib.sha256(said.encode()).hexdigest(),
        )
