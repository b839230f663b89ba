"""How many requests a sender may make a minute. Off unless `[sources.limits]` says so; never answers 2xx and drops.

What is over the limit is told so in the words that make its sender try again (hard case 8): 503 to Alertmanager,
Grafana and the like, which give a body up for good on any 4xx; 429 to those of PagerDuty and Opsgenie; Retry-After to
all.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from tocsin.engine.errors import Unavailable

MINUTE = timedelta(minutes=1)
_KNOWN_AT_MOST = 1_000
_EACH: Mapping[str, int] = MappingProxyType({})


class Throttled(Unavailable):
    """A sender asks too often. `seconds` is when its next request is taken, at the soonest."""

    def __init__(self, sender: str, who: str, *, per_minute: int, seconds: int) -> None:
        super().__init__(
            f"{who} sends {sender} more than {per_minute} times a minute ([sources.limits]): "
            f"send it again in {seconds} s"
        )
        self.seconds = seconds


class Limits:
    """Of each sender and credential apart: `per_minute` at once, and from then on as they trickle in again.

    `senders` has the numbers of single senders, by name; None is no limit. Costs the same however many there are: of
    the least recent beyond a thousand nothing is remembered.
    """

    def __init__(self, per_minute: int | None = None, senders: Mapping[str, int] = _EACH) -> None:
        self._per_minute = per_minute
        self._senders = dict(senders)
        self._left: OrderedDict[tuple[str, str], tuple[float, datetime]] = OrderedDict()

    def of(self, sender: str) -> int | None:
        """Requests a minute that this sender may make; None is as many as it likes."""
        return self._senders.get(sender, self._per_minute)

    def take(self, sender: str, who: str, now: datetime) -> None:
        """Counts one request. Raises Throttled when it is one too many; that one does not count."""
        most = self.of(sender)
        if most is None:
            return
        left = self._left_at(sender, who, now, most)
        if left < 1:
            seconds = max(math.ceil((1 - left) * MINUTE.total_seconds() / most), 1)
            raise Throttled(sender, who, per_minute=most, seconds=seconds)
        self._left[sender, who] = (left - 1, now)
        self._left.move_to_end((sender, who))
        if len(self._left) > _KNOWN_AT_MOST:
            self._left.popitem(last=False)

    def _left_at(self, sender: str, who: str, now: datetime, most: int) -> float:
        before, at = self._left.get((sender, who), (float(most), now))
        passed = (now - at) / MINUTE
        if passed < 0:  # the clock was set back: nobody waits for it to come round again
            return float(most)
        return min(before + passed * most, float(most)) + 1e-9  # a whole one is whole, whatever the fractions


def retry_after(exc: Unavailable, usual: str) -> str:
    """Seconds for a Retry-After header."""
    return str(exc.seconds) if isinstance(exc, Throttled) else usual
