"""What is old made small, a little at a time: outputs of steps, finished work, credentials that expired.

Only of incidents that are over. Timelines are kept, and of each step what it came to.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from msgspec.structs import replace

from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.ledger import Ledger
from tocsin.engine.records import Evidence

log = structlog.get_logger()
EVERY_SECONDS = 3600.0
FIRST_SECONDS = 60.0
BREATH_SECONDS = 0.1
"""Between two chunks, so that whoever pages somebody never waits for more than one."""
CHUNK = 200
EXPIRED = timedelta(days=1)
ANSWERS = timedelta(days=1)
"""An answer given to an Idempotency-Key holds for a day (docs/http-api.md)."""


class Trimmer:
    """Goes through what there is every hour until cancelled; None keeps that kind for ever."""

    def __init__(self, core: Core, *, evidence: timedelta | None, work: timedelta | None) -> None:
        self._core = core
        self._evidence = evidence
        self._work = work

    async def run(self) -> None:
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.trim()
            except Unavailable as exc:
                log.warning("not_trimmed", reason=str(exc))
            await asyncio.sleep(EVERY_SECONDS)

    async def trim(self, *, breath: float = BREATH_SECONDS) -> None:
        """One pass. Raises Unavailable when the database refuses; the next pass begins anew."""
        if self._evidence is not None:
            await self._trim_evidence(self._evidence, breath)
        if self._work is not None:
            await self._forget_work(self._work, breath)
        expired = await self._core.transact(lambda ledger: ledger.tx.forget_tokens(ledger.now - EXPIRED))
        self._core.meters.trimmed_rows("token", expired)
        await self._core.transact(lambda ledger: ledger.tx.forget_answers(ledger.now - ANSWERS))

    async def _trim_evidence(self, age: timedelta, breath: float) -> None:
        after: str | None = ""
        while after is not None:
            before, since = self._core.clock.now() - age, after
            old = await self._core.read(lambda tx: tx.old_evidence(before, after=since, limit=CHUNK))  # noqa: B023
            cut = [without_output(one, age) for one in old.evidence]
            if cut:
                await self._core.transact(lambda ledger: _rewrite(ledger, cut))  # noqa: B023  awaited at once
                self._core.meters.trimmed_rows("evidence", len(cut))
            after = old.last
            await asyncio.sleep(breath)

    async def _forget_work(self, age: timedelta, breath: float) -> None:
        after: int | None = 0
        while after is not None:
            since = after
            gone, after = await self._core.transact(
                lambda ledger: ledger.tx.forget_work(ledger.now - age, after=since, limit=CHUNK)  # noqa: B023
            )
            self._core.meters.trimmed_rows("work", gone)
            await asyncio.sleep(breath)


def without_output(evidence: Evidence, age: timedelta) -> Evidence:
    """The same, with what it came to and without what it printed; its reason says so."""
    cut = len(evidence.stdout.encode()) + len(evidence.stderr.encode())
    said = f"its output was removed after {age.days} days"
    reason = f"{evidence.reason}; {said}" if evidence.reason else said
    return replace(evidence, stdout="", stderr="", chart="", reason=reason, cut_bytes=evidence.cut_bytes + cut)


def _rewrite(ledger: Ledger, evidence: list[Evidence]) -> None:
    for one in evidence:
        ledger.tx.rewrite_evidence(one)
