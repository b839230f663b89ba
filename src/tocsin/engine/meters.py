"""What the engine counts of itself, in memory: plain counters and histograms, filled from any thread. No I/O, no clock.

Every length is in seconds. `/metrics` shows them; a count that reaches no scrape is no loss.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping

from msgspec import Struct

LENGTHS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
MOST_LABELS = 64
OTHER = "other"
"""Where label values go beyond the first `MOST_LABELS`: what Prometheus keeps must not grow with what is sent."""


class Filled(Struct, frozen=True):
    """A histogram at one instant: `below[i]` observations at or below `bounds[i]`, `count` in all, their `sum`."""

    bounds: tuple[float, ...]
    below: tuple[int, ...]
    count: int
    sum: float


class Histogram:
    """Observations counted into buckets; a bucket's bound belongs to it."""

    def __init__(self, bounds: tuple[float, ...] = LENGTHS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float, times: int = 1) -> None:
        """`value` once, or `times` times; below zero counts as zero."""
        value = max(0.0, value)
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += times
            self._sum += value * times

    def read(self) -> Filled:
        with self._lock:
            counts, total = tuple(self._counts), self._sum
        below = tuple(sum(counts[: i + 1]) for i in range(len(self._bounds)))
        return Filled(self._bounds, below, sum(counts), total)


class Counter:
    """Counts by label values, at most `MOST_LABELS` of them told apart."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, times: int = 1) -> None:
        with self._lock:
            if labels not in self._counts and len(self._counts) >= MOST_LABELS:
                labels = (OTHER,) * len(labels)
            self._counts[labels] = self._counts.get(labels, 0) + times

    def read(self) -> Mapping[tuple[str, ...], int]:
        with self._lock:
            return dict(self._counts)

    def of(self, *labels: str) -> int:
        with self._lock:
            return self._counts.get(labels, 0)


class Meters:
    """One process's counts. The methods are what engine and store call; the fields are what a scrape reads."""

    def __init__(self) -> None:
        self.decided_late = Histogram()
        self.begun_late = {kind: Histogram() for kind in ("send", "execute", "mitigate")}
        self.turn_seconds = Histogram()
        self.turns = Counter()
        self.commit_jobs = Histogram(SIZES)
        self.commit_seconds = Histogram()
        self.refusals = Counter()
        self.alerts = Counter()
        self.deliveries = Counter()
        self.delivery_seconds = Histogram()
        self.spooled = Counter()
        self.repairs = Counter()
        self.trimmed = Counter()
        self.pings = Counter()
        self.levels: dict[str, float] = {}
        self.refusing = False

    def decided(self, late: float, times: int = 1) -> None:
        """A deadline's decision is committed, so long after it fell due."""
        self.decided_late.observe(late, times)

    def begun(self, kind: str, late: float, times: int = 1) -> None:
        """Work of that kind (send, execute, mitigate) is claimed and begun, so long after its `next_at`."""
        if kind in self.begun_late:
            self.begun_late[kind].observe(late, times)

    def turned(self, seconds: float) -> None:
        """The engine looked at everything due, and it took so long."""
        self.turns.add("ok")
        self.turn_seconds.observe(seconds)

    def turn_failed(self) -> None:
        self.turns.add("failed")

    def committed(self, jobs: int, seconds: float) -> None:
        """A transaction of so many jobs is durable; `seconds` from its begin to its end."""
        self.refusing = False
        self.commit_jobs.observe(jobs)
        self.commit_seconds.observe(seconds)

    def refused(self, what: str) -> None:
        """The database refused: `what` is read or write. `refusing` says so until something was written again."""
        self.refusing = self.refusing or what == "write"
        self.refusals.add(what)

    def took_alerts(self, outcome: str, times: int = 1) -> None:
        """Alerts are durable; `outcome` is what their receipts say."""
        self.alerts.add(outcome, times=times)

    def delivered(self, channel: str, outcome: str, seconds: float | None = None) -> None:
        """An attempt to hand a message over ended: `outcome` is delivered, retried, unreached (a page tried
        for long, and still), failed or unwanted.

        `seconds` is how long the other side took; None when it was not asked.
        """
        self.deliveries.add(channel, outcome)
        if seconds is not None:
            self.delivery_seconds.observe(seconds)

    def spool(self, what: str, times: int = 1) -> None:
        """Alerts that took the spool's way: `what` is kept, drained or refused."""
        self.spooled.add(what, times=times)

    def repaired(self, what: str, times: int = 1) -> None:
        """The auditor found something wrong and put it right; `what` is its name for it."""
        self.repairs.add(what, times=times)

    def trimmed_rows(self, table: str, times: int) -> None:
        self.trimmed.add(table, times=times)

    def level(self, name: str, value: float) -> None:
        """How much there is of something now; `name` is one of a few."""
        self.levels[name] = value

    def pinged(self, outcome: str) -> None:
        """The outgoing heartbeat: ok, failed or withheld."""
        self.pings.add(outcome)
