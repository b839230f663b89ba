"""When alerts are to disturb nobody: silences that people set, maintenance windows of the settings. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from tocsin.incident.errors import CommandError
from tocsin.incident.matchers import Matchers, parse_all

LONGEST = timedelta(days=90)
"""Of a silence: whoever means longer means another routing."""
LONGEST_WINDOW = timedelta(days=7)


class Silence(Struct, frozen=True):
    """From `starts_at` on, until before `ends_at`; both aware UTC. `matchers` must all match an alert's labels."""

    id: str
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    created_at: datetime

    def active(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at

    def status(self, now: datetime) -> str:
        """pending, active or expired."""
        return "pending" if now < self.starts_at else "active" if now < self.ends_at else "expired"


class Window(Struct, frozen=True):
    """A maintenance window: weekly on `days` (0 is Monday) `at` a local time for `length`, or once from `starts_at` to
    `ends_at`."""

    name: str
    matchers: Matchers
    comment: str = ""
    days: tuple[int, ...] = ()
    at: time = time()
    length: timedelta = timedelta()
    timezone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def active(self, now: datetime) -> bool:
        return ends(self, now) is not None


@lru_cache(maxsize=256)
def ends(window: Window, now: datetime) -> datetime | None:
    """When the window that is open at `now` ends (UTC); None when none is open.

    A local time that a change of the clock leaves out begins an hour later, one that comes twice at its first coming.
    """
    if window.starts_at is not None and window.ends_at is not None:
        return window.ends_at if window.starts_at <= now < window.ends_at else None
    zone = ZoneInfo(window.timezone)
    today = now.astimezone(zone).date()
    found = []
    for back in range(window.length.days + 3):
        day = today + timedelta(days=1 - back)
        if day.weekday() not in window.days:
            continue
        begins = datetime.combine(day, window.at, zone).astimezone(UTC)
        if begins <= now < begins + window.length:
            found.append(begins + window.length)
    return max(found, default=None)


def silence(
    id_: str, matchers: list[str], *, starts_at: datetime, ends_at: datetime, author: str, comment: str, now: datetime
) -> Silence:
    """A new silence. Raises CommandError naming what is wrong."""
    try:
        meant = parse_all(matchers)
    except ValueError as exc:
        raise CommandError(str(exc), {"matchers": str(exc)}) from exc
    if ends_at <= max(starts_at, now):
        raise CommandError(
            "the silence would be over already", {"ends_at": "must be after the beginning, and after now"}
        )
    if ends_at - starts_at > LONGEST:
        raise CommandError(f"a silence lasts {LONGEST.days} days at most", {"ends_at": "too late"})
    if not comment.strip():
        raise CommandError("say why: a comment is needed", {"comment": "must not be empty"})
    return Silence(id_, meant, starts_at, ends_at, author, comment.strip(), now)
