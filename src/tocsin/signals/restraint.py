"""How much strangers may say: a report can wake a person, so nobody may send many. Kept in memory only."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta

EACH, EACH_WITHIN = 5, timedelta(minutes=10)
ALL, ALL_WITHIN = 40, timedelta(hours=1)


class Restraint:
    """Counts what strangers sent, by their address and all together."""

    def __init__(self) -> None:
        self._by_address: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._all: deque[datetime] = deque()

    def allows(self, address: str, now: datetime) -> bool:
        """Whether one more may come from `address` at `now`; it is counted when it may."""
        mine = self._by_address[address]
        _forget(mine, now - EACH_WITHIN)
        _forget(self._all, now - ALL_WITHIN)
        if len(mine) >= EACH or len(self._all) >= ALL:
            return False
        mine.append(now)
        self._all.append(now)
        self._sweep(now)
        return True

    def _sweep(self, now: datetime) -> None:
        """Addresses that have been quiet are forgotten, so that memory stays bounded by `ALL`."""
        for address in [a for a, times in self._by_address.items() if not times or times[-1] <= now - EACH_WITHIN]:
            del self._by_address[address]


def _forget(times: deque[datetime], before: datetime) -> None:
    while times and times[0] <= before:
        times.popleft()
