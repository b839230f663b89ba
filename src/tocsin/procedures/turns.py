"""Whose step may run next: so many at once, shared fairly between incidents."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """`at_once` steps run, the others wait. A turn that comes free goes to the incident with the fewest running steps,
    among equals to the one that has waited longest: one room with a hundred steps holds up no other."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._running: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, whose: str) -> AsyncIterator[None]:
        """Holds a turn for `whose`, an incident, for as long as the block lasts."""
        await self._enter(whose)
        try:
            yield
        finally:
            self._leave(whose)

    async def _enter(self, whose: str) -> None:
        if self._free > 0:
            self._free -= 1
            self._running[whose] += 1
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.cancelled():
                self._forget(whose, given)
            else:  # it was given the turn in the moment it was cancelled
                self._leave(whose)
            raise

    def _leave(self, whose: str) -> None:
        self._running[whose] -= 1
        if not self._running[whose]:
            del self._running[whose]
        if not self._waiting:
            self._free += 1
            return
        following = min(self._waiting, key=lambda one: self._running[one])
        queue = self._waiting.pop(following)
        given = queue.popleft()
        if queue:
            self._waiting[following] = queue  # behind those that wait longer
        self._running[following] += 1
        given.set_result(None)

    def _forget(self, whose: str, given: asyncio.Future[None]) -> None:
        queue = self._waiting.get(whose)
        if queue is None or given not in queue:
            return
        queue.remove(given)
        if not queue:
            del self._waiting[whose]
