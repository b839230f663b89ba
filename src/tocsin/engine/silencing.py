"""Silences set, listed and ended by people. Each change is one transaction, durable when it returns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from tocsin.engine.core import Core, new_id
from tocsin.engine.errors import NotFound
from tocsin.engine.ledger import Ledger
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import Actor
from tocsin.incident.silences import Silence, silence

MOST = 500
"""So many stand at a time; every new alert is held against each."""
PAST = 50


class Silencing:
    def __init__(self, core: Core) -> None:
        self._core = core

    async def add(
        self, actor: Actor, matchers: Sequence[str], *, starts_at: datetime | None, ends_at: datetime, comment: str
    ) -> Silence:
        """A new silence; without a beginning it begins now. Raises CommandError naming what is wrong."""

        def add(ledger: Ledger) -> Silence:
            begins = starts_at or ledger.now
            made = silence(
                new_id(), list(matchers), starts_at=begins, ends_at=ends_at, author=actor.name, comment=comment,
                now=ledger.now,
            )  # fmt: skip
            if len(ledger.tx.silences(ledger.now)) >= MOST:
                raise CommandError(f"{MOST} silences stand already: end some", {"matchers": "too many silences"})
            ledger.tx.put_silence(made)
            return made

        return await self._core.transact(add)

    async def expire(self, id_: str) -> Silence:
        """Ends it now. Raises NotFound, or TransitionError for one that is over."""

        def expire(ledger: Ledger) -> Silence:
            known = ledger.tx.silence(id_)
            if known is None:
                raise NotFound(f"no silence {id_}")
            if known.status(ledger.now) == "expired":
                raise TransitionError("the silence is over already")
            ended = replace(known, starts_at=min(known.starts_at, ledger.now), ends_at=ledger.now)
            ledger.tx.put_silence(ended)
            return ended

        return await self._core.transact(expire)

    async def standing(self) -> tuple[Silence, ...]:
        """Those that hold now or will, the soonest to end first."""
        now = self._core.clock.now()
        return await self._core.read(lambda tx: tx.silences(now))

    async def past(self) -> list[Silence]:
        """The latest of those that are over."""
        now = self._core.clock.now()
        return await self._core.read(lambda tx: tx.past_silences(now, PAST))

    async def holding(self) -> dict[str, int]:
        """How many firing alerts each reason holds back; see `Alert.held`."""
        return await self._core.read(lambda tx: tx.holds())
