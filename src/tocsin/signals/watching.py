"""What every watcher shares: how an alert is handed over and how trouble is told. Refuses to watch anything itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from tocsin.incident.alert import Alert, AlertStatus, fingerprint

Emit = Callable[[Alert], Awaitable[None]]
"""Takes an alert; returns once it is durable."""

OnTrouble = Callable[[str, str | None], None]
"""Told a watcher's name and why it cannot see, once for each new reason; None when it sees again."""

FIRST_PAUSE = timedelta(seconds=0.5)
LONGEST_PAUSE = timedelta(seconds=30)


def log_trouble(name: str, reason: str | None) -> None:
    """Writes trouble to the log: what a watcher does when nobody asked to be told."""
    logging.getLogger(__name__).warning("watcher %s: %s", name, reason or "sees again")


class Trouble:
    """Tells each change of a watcher's trouble once, not at every poll."""

    def __init__(self, name: str, on_trouble: OnTrouble) -> None:
        self._name = name
        self._on_trouble = on_trouble
        self._reason: str | None = None

    def is_now(self, reason: str | None) -> None:
        if reason != self._reason:
            self._reason = reason
            self._on_trouble(self._name, reason)


class Handover:
    """Hands alerts over until they are taken: an alert seen while the database is away must not be lost."""

    def __init__(self, emit: Emit, trouble: Trouble, *, first_pause: timedelta = FIRST_PAUSE) -> None:
        self._emit = emit
        self._trouble = trouble
        self._first_pause = first_pause

    async def give(self, alert: Alert) -> None:
        """Returns once the alert is durable; tries again with growing pauses for as long as it is not."""
        pauses = backoff(self._first_pause, LONGEST_PAUSE)
        while True:
            try:
                await self._emit(alert)
            except Exception as exc:  # noqa: BLE001 - the barrier: whatever fails behind `emit` must not end the watch
                self._trouble.is_now(f"an alert could not be stored, trying again: {type(exc).__name__}: {exc}")
                await asyncio.sleep(next(pauses).total_seconds())
            else:
                self._trouble.is_now(None)
                return


class Subject:
    """One thing watched, as the alert it may become. `alertname` is its name unless `labels` say another."""

    def __init__(self, name: str, *, source: str, labels: Mapping[str, str], url: str = "") -> None:
        self._labels = {"alertname": name} | dict(labels)
        self._source = source
        self._url = url
        self.fingerprint = fingerprint(self._labels)

    def firing(self, since: datetime, annotations: Mapping[str, str]) -> Alert:
        return self._alert(AlertStatus.FIRING, since, None, annotations)

    def resolved(self, since: datetime, at: datetime, annotations: Mapping[str, str]) -> Alert:
        return self._alert(AlertStatus.RESOLVED, since, at, annotations)

    def _alert(
        self, status: AlertStatus, since: datetime, ended: datetime | None, annotations: Mapping[str, str]
    ) -> Alert:
        return Alert(
            fingerprint=self.fingerprint,
            status=status,
            labels=self._labels,
            annotations=dict(annotations),
            starts_at=since,
            ends_at=ended,
            source=self._source,
            generator_url=self._url,
        )


def firing_since(firing: Iterable[Alert], fingerprint: str) -> datetime | None:
    """When the alert of that fingerprint began, if it is among those left firing by an earlier run."""
    found = (a.starts_at for a in firing if a.fingerprint == fingerprint and a.status is AlertStatus.FIRING)
    return next(found, None)


def backoff(first: timedelta, longest: timedelta) -> Iterator[timedelta]:
    """Pauses that double from `first` up to `longest`, without end."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 2, longest)
