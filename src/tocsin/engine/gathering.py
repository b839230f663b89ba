"""Jobs that wait for their transaction: those that come together share one (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from tocsin.engine.ledger import Ledger
from tocsin.engine.storage import Transaction

TOGETHER = 256
"""So many jobs share a transaction at most."""
QUIET_TURNS = 8
"""After so many turns of the event loop in which nobody came, a crowd is complete."""
PATIENCE_SECONDS = 0.02
"""So long at most a crowd is gathered: at some rates somebody comes in every few turns, for ever."""
Foresee = Callable[[Transaction, Sequence[Any]], None]


class Asked(Struct):
    """A job that waits for its transaction."""

    job: Callable[[Ledger], Any]
    future: asyncio.Future[Any]
    foresee: Foresee | None
    about: object

    def end(self, result: object, error: Exception | None) -> None:
        if error is not None:
            self.fail(error)
        elif not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Gathering:
    """Jobs in the order they came. Used in one event loop."""

    def __init__(self, *, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._asked: list[Asked] = []
        self._crowded = False

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, asked: Asked) -> None:
        self._asked.append(asked)

    async def batch(self) -> list[Asked]:
        """The jobs of the next transaction, without those that nobody waits for any more.

        Of a crowd, all that are about to ask: whoever was just answered asks again, and a transaction that runs beside
        their requests takes turns with them at the interpreter for every statement. One for all of them, after their
        requests, has half as much to do. Who comes alone waits for nobody.
        """
        if self._crowded:
            await self._quiet()
        batch, self._asked = self._asked[:TOGETHER], self._asked[TOGETHER:]
        self._crowded = len(batch) > 1
        return [asked for asked in batch if not asked.future.done()]

    async def _quiet(self) -> None:
        loop = asyncio.get_running_loop()
        seen, quiet, until = 0, 0, loop.time() + self._patience
        while quiet < QUIET_TURNS and len(self._asked) < TOGETHER and loop.time() <= until:
            quiet = 0 if len(self._asked) > seen else quiet + 1
            seen = len(self._asked)
            await asyncio.sleep(0)
