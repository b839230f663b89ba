"""Something that must keep telling us that it lives: silence past its interval is an alert.

Refuses to blame others for our own absence: while nobody here listened, nobody was silent.

A beat is a request to the heartbeat's address, or an alert that carries the labels of `match` (Prometheus's Watchdog).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.ledger import Ledger
from tocsin.engine.ports import Clock
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.watching import Emit, Handover, OnTrouble, Subject, Trouble, firing_since, log_trouble

SOURCE = "heartbeat"
LOOKS = timedelta(seconds=5)
"""How often a heartbeat is looked at, at most; shorter intervals are looked at four times as often as they are long."""
ABSENT = 6
"""Looks missed in a row that mean that it was us who were away: a paused machine, a clock that was set."""

LastBeat = Callable[[], Awaitable[datetime | None]]


class Heartbeat(Struct, frozen=True):
    """A beat is due `every` so often; `grace` later its absence is an alert with `labels`."""

    name: str
    every: timedelta
    grace: timedelta = timedelta(0)
    labels: Mapping[str, str] = field(default_factory=dict)
    match: Mapping[str, str] = field(default_factory=dict)

    @property
    def patience(self) -> timedelta:
        return self.every + self.grace

    def is_beaten_by(self, alert: Alert) -> bool:
        """Whether this alert, firing, is a beat."""
        firing = alert.status is AlertStatus.FIRING and bool(self.match)
        return firing and self.match.items() <= alert.labels.items()


class Beats:
    """When each heartbeat was last heard, kept with the database."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def hear(self, *names: str) -> datetime:
        """Notes a beat of each, now; durable when it returns the instant."""
        now = self._core.clock.now()

        def note(ledger: Ledger) -> None:
            for name in names:
                ledger.tx.put_setting(_setting(name), now.isoformat())

        await self._core.transact(note)
        return now

    async def last(self, name: str) -> datetime | None:
        """The last beat, aware UTC; None when there never was one."""
        kept = await self._core.read(lambda tx: tx.setting(_setting(name)))
        return datetime.fromisoformat(kept) if kept else None


def told_apart(alerts: Sequence[Alert], heartbeats: Sequence[Heartbeat]) -> tuple[list[Alert], tuple[str, ...]]:
    """The alerts, and the names of the heartbeats that they beat. An alert that is a beat is no incident."""
    if not heartbeats:
        return list(alerts), ()
    heard: dict[str, None] = {}
    kept: list[Alert] = []
    for alert in alerts:
        beaten = [h.name for h in heartbeats if h.is_beaten_by(alert)]
        heard |= dict.fromkeys(beaten)
        kept.append(replace(alert, labels=alert.labels | {"severity": "none"}) if beaten else alert)
    return kept, tuple(heard)


def beat(*names: str, at: datetime) -> dict[str, str]:
    """What is written when each of these was heard `at`: settings, by name."""
    return {_setting(name): at.isoformat() for name in names}


class HeartbeatWatch:
    """A watcher of one heartbeat. `firing` are alerts that an earlier run left firing."""

    def __init__(
        self,
        heartbeat: Heartbeat,
        last: LastBeat,
        *,
        emit: Emit,
        clock: Clock,
        on_trouble: OnTrouble = log_trouble,
        firing: Iterable[Alert] = (),
    ) -> None:
        self._heartbeat = heartbeat
        self._last = last
        self._clock = clock
        self._trouble = Trouble(heartbeat.name, on_trouble)
        self._handover = Handover(emit, self._trouble)
        self._subject = Subject(heartbeat.name, source=SOURCE, labels=heartbeat.labels)
        self._silent_since = firing_since(firing, self._subject.fingerprint)
        self._pause = min(LOOKS, heartbeat.every / 4)
        self._listening_since = self._looked_at = clock.now()

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await self.poll()
            await asyncio.sleep(self._pause.total_seconds())

    async def poll(self) -> None:
        """Looks once and hands over what changed."""
        now = self._clock.now()
        if not timedelta(0) <= now - self._looked_at <= self._pause * ABSENT:
            self._listening_since = now
        self._looked_at = now
        try:
            last = await self._last()
        except Unavailable as exc:
            self._trouble.is_now(f"the last beat cannot be read: {exc}")
            self._listening_since = now
            return
        self._trouble.is_now(None)
        await self._judge(last, now)

    async def _judge(self, last: datetime | None, now: datetime) -> None:
        heard = max(last, self._listening_since) if last else self._listening_since
        if self._silent_since is None and now - heard >= self._heartbeat.patience:
            self._silent_since = now
            await self._handover.give(self._subject.firing(now, self._said(last)))
        elif self._silent_since is not None and last is not None and now - last < self._heartbeat.patience:
            said = {"summary": f"{self._heartbeat.name} is heard again"}
            since, self._silent_since = self._silent_since, None
            await self._handover.give(self._subject.resolved(since, max(last, since), said))

    def _said(self, last: datetime | None) -> dict[str, str]:
        every = f"{self._heartbeat.every.total_seconds():g} s"
        since = f"since {last:%Y-%m-%d %H:%M:%S} UTC" if last else "since Tocsin started to listen"
        told = f"No beat {since}; one is due every {every}."
        return {"summary": f"{self._heartbeat.name} is silent", "description": told}


def _setting(name: str) -> str:
    return f"heartbeat:{name}"
