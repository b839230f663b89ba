"""When repeated observations begin and end an alert: pure state, told the time. Refuses to observe anything itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct


class Transition(StrEnum):
    FIRED = "fired"
    RESOLVED = "resolved"


class Threshold:
    """Fires at `fails` failures among the last `of` observations, resolves after `passes` successes in a row.

    Without `of` the failures must stand in a row. Raises ValueError for numbers that can never be met.
    """

    def __init__(
        self, *, fails: int, passes: int, of: int | None = None, firing_since: datetime | None = None
    ) -> None:  # fmt: skip
        if fails < 1 or passes < 1 or (of is not None and of < fails):
            raise ValueError("fails and passes must be at least 1, and of no less than fails")
        self._fails, self._passes = fails, passes
        self._last: deque[tuple[bool, datetime]] = deque(maxlen=of or fails)
        self._passed = 0
        self.firing_since = firing_since

    def observe(self, ok: bool, at: datetime) -> Transition | None:
        """What this observation changed, if anything. After FIRED, `firing_since` is the first of the failures."""
        if self.firing_since is not None:
            return self._while_firing(ok)
        self._last.append((ok, at))
        failed = [then for good, then in self._last if not good]
        if len(failed) < self._fails:
            return None
        self.firing_since = failed[0]
        self._last.clear()
        self._passed = 0
        return Transition.FIRED

    def _while_firing(self, ok: bool) -> Transition | None:
        self._passed = self._passed + 1 if ok else 0
        if self._passed < self._passes:
            return None
        self.firing_since = None
        return Transition.RESOLVED


class MatchWindow:
    """Fires at the `threshold`-th match within `window`, inclusive; resolves once no match came for `resolve_after`."""

    def __init__(
        self, *, threshold: int, window: timedelta, resolve_after: timedelta, firing_since: datetime | None = None
    ) -> None:
        self._window = window
        self._resolve_after = resolve_after
        self._recent: deque[datetime] = deque(maxlen=threshold)
        self._last = firing_since
        self.firing_since = firing_since

    def matched(self, at: datetime) -> Transition | None:
        """Counts one match. After FIRED, `firing_since` is the first of the matches that made it fire."""
        self._recent.append(at)
        self._last = at
        full = len(self._recent) == self._recent.maxlen
        if self.firing_since is not None or not full or at - self._recent[0] > self._window:
            return None
        self.firing_since = self._recent[0]
        return Transition.FIRED

    def passed(self, at: datetime) -> Transition | None:
        """What the time that went by without a match changed, if anything."""
        if self.firing_since is None or self._last is None or at - self._last < self._resolve_after:
            return None
        self.firing_since = None
        self._recent.clear()
        return Transition.RESOLVED


class Changes(Struct, frozen=True):
    """Keys that began and ended firing, in no particular order."""

    fired: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()


class Pending:
    """Fires each key once present for `hold`, inclusive; resolves it when absent. As Prometheus's `for`."""

    def __init__(self, hold: timedelta, firing_since: dict[str, datetime] | None = None) -> None:
        self._hold = hold
        self._first_seen = dict(firing_since or {})
        self._firing = set(self._first_seen)

    def observe(self, present: Collection[str], at: datetime) -> Changes:
        """What this answer changed. Keys that were only waiting and are gone are forgotten without a word."""
        gone = [key for key in self._first_seen if key not in present]
        resolved = tuple(key for key in gone if key in self._firing)
        for key in gone:
            del self._first_seen[key]
        self._firing.difference_update(gone)
        for key in present:
            self._first_seen.setdefault(key, at)
        fired = tuple(k for k, since in self._first_seen.items() if k not in self._firing and at - since >= self._hold)
        self._firing.update(fired)
        return Changes(fired, resolved)

    def since(self, key: str) -> datetime | None:
        """When `key` was first seen of late, None when it is absent."""
        return self._first_seen.get(key)
