"""What changed settings mean for open incidents: each is timed anew, a few at a time, behind real deadlines.

An incident's next due time is stored as a hint when to look; other rules or another roster may ask for an earlier one.
The edition of the runbook that an incident opened with stays its own.
"""

from __future__ import annotations

import asyncio

import structlog

from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.ledger import Ledger
from tocsin.engine.stock import Standing
from tocsin.incident.deadlines import next_due

log = structlog.get_logger()
CHUNK = 200
PAUSE_SECONDS, AGAIN_SECONDS = 0.02, 5.0
SWEPT = "swept"
"""The setting that says under which settings every open incident has been timed."""


class Sweep:
    """One pass over everything open, unless it was made under these settings already; `mark` tells them from others."""

    def __init__(self, core: Core, mark: str) -> None:
        self._core = core
        self._mark = mark

    async def run(self) -> None:
        """Ends when the pass is made; a database that refuses is waited for."""
        while True:
            try:
                await self.sweep()
                return
            except Unavailable as exc:
                log.warning("not_swept_yet", reason=str(exc))
            await asyncio.sleep(AGAIN_SECONDS)

    async def sweep(self) -> int:
        """How many incidents had to be timed anew."""
        if await self._core.read(lambda tx: tx.setting(SWEPT)) == self._mark:
            return 0
        after, timed = 0, 0
        while seen := await self._core.read(lambda tx: tx.standing(after, CHUNK)):  # noqa: B023  awaited at once
            wrong = [one.id for one in seen if self._is_wrong(one)]
            if wrong:
                await self._core.transact(lambda ledger: _time_anew(ledger, wrong))  # noqa: B023
            after, timed = seen[-1].number, timed + len(wrong)
            await asyncio.sleep(PAUSE_SECONDS)
        await self._core.transact(lambda ledger: ledger.tx.put_setting(SWEPT, self._mark))
        log.info("timed_anew", incidents=timed)
        return timed

    def _is_wrong(self, one: Standing) -> bool:
        if one.incident is None:
            return False  # it cannot be read: the auditor says so
        return next_due(one.incident, self._core.policies.of(one.incident)) != one.next_due_at


def _time_anew(ledger: Ledger, ids: list[str]) -> None:
    for id_ in ids:
        ledger.touch(ledger.get(id_))
