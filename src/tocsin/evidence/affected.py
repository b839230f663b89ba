"""The share of users affected, asked of Prometheus in calm and kept: a page never waits for it. Refuses to judge it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from tocsin.diagnosis.impact import Impact
from tocsin.engine.ports import EvidenceError
from tocsin.evidence.prometheus import Sample, Vector

Query = Callable[[str], Awaitable[Vector]]
OnTrouble = Callable[[str, str | None], None]
NAME = "affected"
EVERY = timedelta(seconds=15)
FRESH = timedelta(minutes=1)
"""What was measured longer ago says nothing of now."""


class Affected:
    """`queries` are by service; the one under the empty name is of all, apart by the label `service` where it has it.

    Each gives the share as a number from 0 to 1.
    """

    def __init__(
        self, query: Query, queries: Mapping[str, str], *, now: Callable[[], datetime], on_trouble: OnTrouble
    ) -> None:
        self._query = query
        self._queries = queries
        self._now = now
        self._on_trouble = on_trouble
        self._kept: dict[tuple[str, str], Impact] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY.total_seconds())

    async def look(self) -> None:
        """Asks all of them once, side by side. What cannot be had any more grows old."""
        answers = await asyncio.gather(*(self._asked(name, expr) for name, expr in self._queries.items()))
        self._on_trouble(NAME, next(filter(None, answers), None))

    async def _asked(self, name: str, expr: str) -> str | None:
        """Why nothing can be had; None when it was."""
        try:
            found = await self._query(expr)
        except EvidenceError as exc:
            return str(exc)
        self._kept = {key: impact for key, impact in self._kept.items() if key[0] != name}
        by = f"[services.{name}] affected" if name else "[evidence.prometheus] affected"
        for service, share in _shares(found):
            self._kept[name, service] = Impact(share, self._now(), by)
        return None

    def of(self, service: str) -> Impact | None:
        """By the service's own query, else by its series in the common one, else by that one's only series."""
        places = ((service, ""), (service, service), ("", service), ("", ""))
        found = next((self._kept[place] for place in places if place in self._kept), None)
        return found if found is not None and self._now() - found.at <= FRESH else None


def _shares(vector: Sequence[Sample]) -> list[tuple[str, float]]:
    """(service, share) of each series that gives a share; one without a service counts when it is the only one."""
    good = [s for s in vector if math.isfinite(s.value) and 0 <= s.value <= 1]
    named = [(s.labels.get("service", ""), s.value) for s in good]
    return [(service, share) for service, share in named if service or len(good) == 1]
