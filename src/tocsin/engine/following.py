"""What other replicas commit, made known here: to who looks on, to the engine that waits, to runs stopped there.

Told of a commit it looks at once; told of none it looks every second, for a telling may be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from tocsin.engine.core import Committed, Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.murmur import Murmur
from tocsin.engine.once import Once
from tocsin.engine.running import of_mitigation
from tocsin.engine.storage import Transaction
from tocsin.incident.state import Incident

EVERY_SECONDS = 1.0
SPACED_SECONDS = 0.05
MANY = 1000
Listen = Callable[[Callable[[], None]], bool]
"""Has a function called, from any thread, when somebody else has committed; False where nobody else can."""


class Following:
    """Made and used inside one event loop."""

    def __init__(self, core: Core, listen: Listen) -> None:
        self._core = core
        self._listen = listen
        self._position: int | None = None
        self._away = Murmur("not_followed")

    async def run(self) -> None:
        """Follows until cancelled; ends at once where there is nobody to follow."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()

        def hear() -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody is there to be told
                loop.call_soon_threadsafe(heard.set)

        if not self._listen(hear):
            return
        self._core.once = Once()
        heard.set()  # so that it knows from the beginning where the stream stands
        while True:
            with suppress(TimeoutError):
                # not wait_for, which in Python 3.11 forgets a cancellation that arrives with the wake
                async with asyncio.timeout(EVERY_SECONDS):
                    await heard.wait()
            told = heard.is_set()
            heard.clear()
            try:
                await self.look(wake=told)
                self._away.over()
            except Unavailable as exc:
                self._away.trouble(reason=str(exc))
            await asyncio.sleep(SPACED_SECONDS)

    async def look(self, *, wake: bool = True) -> None:
        """One look at what is new since the last one."""
        if wake:
            self._core.wake()
        if self._position is None or not self._core.followed:
            self._position = await self._core.read(lambda tx: tx.last_position())
        else:
            await self._pass_on(self._position)
        await self._stop_what_was_stopped()

    async def _pass_on(self, position: int) -> None:
        news = await self._core.read(lambda tx: tx.news(position, MANY))
        if news:
            self._position = news[-1][0]
            self._core.tell([Committed(incident, entry) for _, incident, entry in news if entry is not None])
        if len(news) == MANY:
            await self._pass_on(news[-1][0])

    async def _stop_what_was_stopped(self) -> None:
        """A run or mitigation that somebody ended on another replica ends here, where its processes are."""
        for incident_id, run in self._core.live.running():
            incident = await self._core.read(partial(_incident, incident_id))
            if incident is not None and _is_over(incident, run):
                self._core.live.stop((incident_id, run))


def _incident(id_: str, tx: Transaction) -> Incident | None:
    return tx.incident(id_)


def _is_over(incident: Incident, run: str) -> bool:
    found = incident.run(run)
    if found is not None:
        return found.status == "cancelled"
    return any(of_mitigation(a.id) == run and a.status == "unknown" for a in incident.approvals)
