"""What time it is: the machine's clock, or a database's as far as it was last heard."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tocsin.store.times import from_db, to_db

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


class HostClock:
    """The machine's clock, in UTC: where one process is alone with its database, nothing else counts."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class DatabaseClock:
    """The database's clock: with many replicas only one clock may say what is due.

    Never ahead of the database, behind it by the time that its word travelled: so what a transaction writes is never
    from before what the transaction ahead of it wrote. A replica whose own clock is wrong, or is set, says the same.
    """

    def __init__(self) -> None:
        self._offset = to_db(datetime.now(UTC)) - elapsed()
        self._known = False

    def heard(self, instant: int, *, asked: int) -> None:
        """The database's answer, in microseconds since the epoch, has just arrived; it was `asked` at that `elapsed()`.

        It was true somewhere between the two: only what lies outside is corrected; a slow answer spoils nothing.
        """
        least, most = instant - elapsed(), instant - asked
        if not self._known or not least <= self._offset <= most:
            self._offset, self._known = least, True

    def now(self) -> datetime:
        return from_db(elapsed() + self._offset)


def elapsed() -> int:
    """Microseconds that only grow, on Linux also while the machine sleeps."""
    return (time.clock_gettime_ns(_BOOTTIME) if _BOOTTIME is not None else time.monotonic_ns()) // 1000
