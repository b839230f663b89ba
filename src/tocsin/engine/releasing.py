"""Alerts that were held back and still fire once nothing holds them any more: received then as if they began now.

What holds an alert stands beside it in the database, so that nothing of this needs remembering: after a restart, and on
whichever replica, the next look finds what is owed, and taking it in changes it in the same transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.intake import Receipt, foresee, let_go
from tocsin.engine.ledger import Ledger
from tocsin.engine.storage import Transaction
from tocsin.engine.triage import Triage

log = structlog.get_logger()
EVERY_SECONDS = 1.0
CHUNK = 1000
NAME = "releasing"
OnTrouble = Callable[[str, str | None], None]


class Releaser:
    """Looks every second until cancelled; `wake` has the engine look at once what it owes now."""

    def __init__(self, core: Core, triage: Triage, *, wake: Callable[[], None], on_trouble: OnTrouble) -> None:
        self._core = core
        self._triage = triage
        self._wake = wake
        self._on_trouble = on_trouble

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.look()
                self._on_trouble(NAME, None)
            except Unavailable as exc:
                self._on_trouble(NAME, str(exc))

    async def look(self) -> int:
        """How many alerts were let go."""
        now = self._core.clock.now()

        def over(tx: Transaction) -> list[str]:
            return [reason for reason in tx.holds() if self._triage.over(tx, reason, now)]

        done = 0
        for reason in await self._core.read(over):
            while gone := await self._core.transact(lambda ledger: self._let_go(ledger, reason)):  # noqa: B023
                done += len(gone)
                log.info("alerts_let_go", held_by=reason, alerts=len(gone))
        if done:
            self._wake()
        return done

    def _let_go(self, ledger: Ledger, reason: str) -> list[Receipt]:
        """The next alerts that this held back, taken in; none when it holds them again, or another was faster."""
        if not self._triage.over(ledger.tx, reason, ledger.now):
            return []
        records = ledger.tx.held_by(reason, CHUNK)
        foresee(ledger.tx, [r.alert for r in records], self._triage)
        return [let_go(ledger, record, triage=self._triage) for record in records]
