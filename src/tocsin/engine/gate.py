"""In a storm first pages go first: what else there is to do waits until they have gone, but not for ever. Pure."""

from __future__ import annotations

from collections import deque
from math import inf

MANY, WITHIN = 30, 2.0
"""So many first pages begun within so many seconds are a storm."""
LONGEST = 10.0
"""Seconds that anything waits for them; a storm that lasts longer shares with the rest until it is over."""


class Gate:
    """Remembers the first pages begun a moment ago. Instants are seconds of one clock that only goes forward."""

    def __init__(self) -> None:
        self._begun: deque[float] = deque(maxlen=MANY)
        self._since: float | None = None

    def paged(self, count: int, at: float) -> None:
        """So many first pages were begun."""
        self._begun.extend([at] * min(count, MANY))

    def calm(self, at: float) -> float:
        """How many more first pages may begin now before a storm does; infinite while one is, see `shut`."""
        lately = sum(at - begun < WITHIN for begun in self._begun)
        return MANY - 1 - lately if lately < MANY else inf

    def shut(self, at: float) -> bool:
        """Whether assessments and messages that only inform should wait now."""
        if len(self._begun) < MANY or at - self._begun[0] >= WITHIN:
            self._since = None
            return False
        if self._since is None:
            self._since = at
        return at - self._since < LONGEST
