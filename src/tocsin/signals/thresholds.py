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
    """Fires after `fails` failures in a row, resolves after `passes` successes in a row."""

    def __init__(self, *, fails: int, passes: int, firing_since: datetime | None = None) -> None:
        self._needed = {False: fails, True: passes}
        self._streak = 0
        self._streak_since: datetime | None = None
        self.firing_since = firing_since

    def observe(self, ok: bool, at: datetime) -> Transition | None:
        """What this observation changed, if anything. After FIRED, `firing_since` is the streak's first failure."""
        firing = self.firing_since is not None
        if ok is not firing:
            self._streak, self._streak_since = 0, None
            return None
        self._streak_since = self._streak_since or at
        self._streak += 1
        if self._streak < self._needed[ok]:
            return None
        self.firing_since = None if firing else self._streak_since
        self._streak, self._streak_since = 0, None
        return Transition.RESOLVED if firing else Transition.FIRED


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
