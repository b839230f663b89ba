"""A server to be killed: the engine on a file under the real clock, telling a story it goes on with at each start.

`python killable.py DATABASE LOG`: prints `ready`, and ends with 0 once the incident is resolved. What it does to the
outside world it appends to LOG, a line each, before it can be known inside.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from engines import ANA, BEN, Plant, alert, document, parts, policy, until
from msgspec.structs import replace

from tocsin.engine.errors import NotFound
from tocsin.engine.fakes import RecordingChannel, ScriptedRunner, VirtualClock
from tocsin.engine.ports import Message, StepReport
from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident, Status
from tocsin.runbook.model import Step
from tocsin.store.database import Store

RUNGS = {900: 0.15, 1800: 0.3}
"""The matrix in the seconds that this story takes; later columns are as the document says."""


class Log:
    """Lines that are on the disk when `say` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def say(self, *words: object) -> None:
        os.write(self._file, (" ".join(str(w) for w in words) + "\n").encode())


class Now(VirtualClock):
    def now(self) -> datetime:
        return datetime.now(UTC)


class Written(RecordingChannel):
    def __init__(self, name: str, log: Log) -> None:
        super().__init__(name)
        self._log = log

    async def deliver(self, message: Message) -> None:
        await asyncio.sleep(0.01)
        for one in parts(message):
            self._log.say("sent", message.kind, int(message.possible_duplicate), one.idempotency_key)
        await asyncio.sleep(0.01)


class Slow(ScriptedRunner):
    def __init__(self, log: Log) -> None:
        super().__init__(Now())
        self._log = log

    async def run(self, steps: list[tuple[int, Step]], **how: object) -> None:  # type: ignore[override]
        for one in steps:
            self._log.say("begun", one[1].title)
            await asyncio.sleep(0.03)
            await super().run([one], **how)  # type: ignore[arg-type]

    def _report(self, index: int, step: Step) -> StepReport:
        self._log.say("ended", step.title)
        return super()._report(index, step)


def hurried() -> Policy:
    runbook = document()
    rungs = (
        replace(r, after=timedelta(seconds=RUNGS.get(int(r.after.total_seconds()), r.after.total_seconds())))
        for r in runbook.escalation
        if r.after
    )
    return policy(replace(runbook, escalation=tuple(rungs)))


async def incident(plant: Plant) -> Incident | None:
    try:
        return await plant.desk.incident("1")
    except NotFound:
        return None


async def story(plant: Plant, log: Log) -> None:
    async def three_pages_went_out() -> bool:
        found = await incident(plant)
        return found is not None and [len(set(p.delivered)) for p in found.pages[:3]] == [2, 2, 2]

    async def mitigation_ended() -> bool:
        found = await incident(plant)
        return found is not None and found.approvals[-1].status in ("done", "unknown")

    async def nothing_left() -> bool:
        return await plant.core.read(lambda tx: tx.next_work_at()) is None

    if await incident(plant) is None:
        await plant.desk.receive([alert()])
        log.say("told", alert().fingerprint)
    await until(three_pages_went_out)
    now = await plant.desk.incident("1")
    if now.status is Status.OPEN:
        now = await plant.desk.acknowledge("1", ANA, via="web")
    if not now.approvals:
        now = (await plant.desk.propose("1", ANA, slug="rollback"))[0]
    if now.approvals[-1].status == "pending":
        await plant.desk.approve("1", BEN, approval="1")
    await until(mitigation_ended)
    now = await plant.desk.incident("1")
    if now.approvals[-1].status == "unknown":
        await plant.desk.settle("1", BEN, approval="1", outcome="done", reason="looked")
    if not now.status.over:
        await plant.desk.resolve("1", ANA, reason="the story is over")
    await until(nothing_left)


async def main(database: str, lines: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    log = Log(Path(lines))
    store = Store(f"sqlite:///{database}", serving=True)
    channels = (Written("email", log), Written("webhook", log))
    runner: ScriptedRunner = Slow(log)
    plant = Plant(store, Now(), channels, runner, hurried())
    await plant.engine.recover()
    print("ready", flush=True)
    turning = asyncio.create_task(plant.engine.run())
    await story(plant, log)
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
