"""Everything that runs, put together; started and stopped as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from tocsin.bootstrap.edition import Edition
from tocsin.bootstrap.hearing import Hearing
from tocsin.config import Settings
from tocsin.diagnosis.live import Truth
from tocsin.engine.core import Core
from tocsin.engine.credentials import Credentials
from tocsin.engine.desk import Desk
from tocsin.engine.diagnosing import Diagnosing
from tocsin.engine.ingest_log import Direct
from tocsin.engine.loop import Engine
from tocsin.engine.sending import Channels
from tocsin.engine.signing import Signer
from tocsin.procedures.orphans import end_orphans
from tocsin.procedures.remote.dispatch import Dispatch
from tocsin.runbook.model import Reading

Background = Callable[[], Awaitable[None]]
log = structlog.get_logger()
AGAIN_SECONDS = 5.0


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class House:
    """Everything that runs, composed. `troubles` holds what a source cannot reach now, by the source's name.

    `alert_token` is asked of inbound alerts; None means that only this machine may send them. `dispatch` is there where
    runners near the cluster do the steps, `spooled` where alerts are kept while the database refuses. `reading` is of
    the main runbook; `others` and `truths` are of those beside it, by name.
    """

    settings: Settings
    reading: Reading
    runbook_text: str
    core: Core
    desk: Desk
    engine: Engine
    channels: Channels
    signer: Signer
    credentials: Credentials
    alert_token: str | None
    database: str = ""
    background: Sequence[Background] = ()
    diagnosing: Diagnosing | None = None
    truth: Truth | None = None
    closing: Sequence[Background] = ()
    troubles: dict[str, str] = field(default_factory=dict)
    dispatch: Dispatch | None = None
    spooled: Direct | None = None
    hearing: Hearing = field(default_factory=Hearing)
    others: dict[str, Edition] = field(default_factory=dict)
    truths: dict[str, Truth] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def runbooks(self) -> dict[str, tuple[Reading, str]]:
        """Every runbook in force with its text, by name; the main one first, under the empty name."""
        return {"": (self.reading, self.runbook_text)} | {n: (e.reading, e.text) for n, e in self.others.items()}

    def truth_of(self, name: str) -> Truth | None:
        """What production last said of the runbook of that name; None before it was asked."""
        return self.truths.get(name) if name else self.truth

    def compared(self) -> list[Truth]:
        """What production last said of each runbook; empty before it was asked."""
        return [t for t in map(self.truth_of, self.runbooks()) if t is not None]

    @property
    def ingest(self) -> Direct:
        """Where alerts come in: straight into the database, unless there is a spool for when it refuses."""
        return self.spooled or Direct(self.desk)

    async def start(self) -> None:
        """The engine turns and the sources are watched from now on. What an earlier process had in hand is taken up."""
        await asyncio.to_thread(end_orphans)
        await self.engine.recover()
        self._tasks = [
            asyncio.create_task(endlessly(job, self.troubles)) for job in (self.engine.run, *self.background)
        ]

    def let_go(self) -> None:
        """Lets everybody go who waits for news: viewers, and runners with an open question."""
        self.core.stop_followers()
        if self.dispatch is not None:
            self.dispatch.close()

    async def stop(self) -> None:
        """Stops watching and turning; what was in hand is left to the next start."""
        self.let_go()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ingest.close()
        for close in self.closing:
            with suppress(OSError):
                await close()
        with suppress(OSError):
            await self.channels.close()


async def endlessly(job: Background, troubles: dict[str, str]) -> None:
    """Runs the job until cancelled. One that breaks is said and begun again: a watch that ended looks like calm."""
    name = job.__qualname__.partition(".")[0] if hasattr(job, "__qualname__") else type(job).__name__
    while True:
        try:
            await job()
            return
        except Exception as exc:
            log.exception("background_broke", job=name)
            troubles[name] = f"it broke and was begun again: {type(exc).__name__}"
        await asyncio.sleep(AGAIN_SECONDS)
