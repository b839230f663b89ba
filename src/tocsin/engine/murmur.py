"""A trouble that lasts, told without noise: a line when it begins, one a minute with how often, one when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()
EVERY = 60.0


class Murmur:
    """One kind of trouble. `seconds` is a clock that only goes forward."""

    def __init__(self, event: str, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._event = event
        self._seconds = seconds
        self._since: float | None = None
        self._told = 0.0
        self._times = 0

    def trouble(self, **said: object) -> None:
        """It happened once; `said` stands in the line, if there is one."""
        now = self._seconds()
        self._times += 1
        if self._since is None:
            self._since = self._told = now
            log.warning(self._event, **said)
        elif now - self._told >= EVERY:
            self._told = now
            log.warning(self._event, times=self._times, seconds=round(now - self._since), **said)

    def over(self, **said: object) -> None:
        """It went well."""
        if self._since is None:
            return
        log.info(f"{self._event}_over", times=self._times, seconds=round(self._seconds() - self._since), **said)
        self._since, self._times = None, 0
