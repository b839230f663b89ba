"""The outgoing heartbeat: an address asked so often, so that somebody else notices when Tocsin falls silent.

It is asked only while the engine turns and the database has just been written: that it works is told, not that it runs.
The address is the operator's own setting; redirects are not followed and nothing of the answer is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import structlog

from tocsin import __version__
from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.loop import Engine

log = structlog.get_logger()
NAME = "heartbeat_url"
STALE = timedelta(seconds=5)
TIMEOUT_SECONDS = 10.0
OnTrouble = Callable[[str, str | None], None]


class DeadMan:
    """Pings until cancelled. The address may hold a secret: it is told by its host alone."""

    def __init__(self, url: str, every: timedelta, *, core: Core, engine: Engine, on_trouble: OnTrouble) -> None:
        self._url = url
        self._every = every
        self._core = core
        self._engine = engine
        self._on_trouble = on_trouble
        self._said: str | None = None

    async def run(self) -> None:
        async with httpx.AsyncClient(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, headers={"User-Agent": f"tocsin/{__version__}"}
        ) as client:
            while True:
                await asyncio.sleep(self._every.total_seconds())
                await self.beat(client)

    async def beat(self, client: httpx.AsyncClient) -> bool:
        """One ping, if there is reason for it; whether the other side took it."""
        reason = await self._unwell()
        if reason is not None:
            self._core.meters.pinged("withheld")
            self._tell(f"withheld: {reason}")
            return False
        reason = await self._ping(client)
        self._core.meters.pinged("ok" if reason is None else "failed")
        if reason is None:
            self._core.meters.level("heartbeat", self._core.clock.now().timestamp())
        self._tell(reason)
        return reason is None

    async def _unwell(self) -> str | None:
        """Why nobody should believe that all is well; None when it is."""
        alive, now = self._engine.alive, self._core.clock.now()
        if alive is None or now - alive > STALE:
            return "the engine does not turn"
        try:
            await self._core.transact(lambda ledger: ledger.tx.put_setting("heartbeat", ledger.now.isoformat()))
        except Unavailable as exc:
            return str(exc)
        return None

    async def _ping(self, client: httpx.AsyncClient) -> str | None:
        """Why the other side did not take it; None when it did."""
        host = urlsplit(self._url).hostname
        try:
            async with client.stream("GET", self._url) as answer:
                return None if answer.is_success else f"{host} answers {answer.status_code}"
        except httpx.HTTPError as exc:
            return f"{host} cannot be reached: {type(exc).__name__}"
        except httpx.InvalidURL:
            return f"{host}: the address cannot be used"

    def _tell(self, reason: str | None) -> None:
        if (reason is None) != (self._said is None):
            log.warning("heartbeat_fails", reason=reason) if reason else log.info("heartbeat_again")
        self._said = reason
        self._on_trouble(NAME, reason)
