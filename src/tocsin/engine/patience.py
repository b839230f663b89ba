"""How long somebody waits for the database: one timer for all, because thousands a second begin to wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any


class Patience:
    """Ends futures with TimeoutError when they are not done `seconds` after they were given. Used in one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, future: asyncio.Future[Any]) -> None:
        """From now on."""
        loop = future.get_loop()
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        self._waiting.append((loop.time() + self._seconds, future))
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends what has waited long enough, and comes back for the next."""
        now = loop.time()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= now):
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_exception(TimeoutError())
        self._timer = loop.call_at(self._waiting[0][0], self._look, loop) if self._waiting else None
