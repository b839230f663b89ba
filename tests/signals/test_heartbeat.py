"""Silence past the interval is an alert; our own absence is nobody's silence."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from listening import Listener, SetClock
from senders import AT

from tocsin.engine.errors import Unavailable
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.signals.heartbeat import Heartbeat, HeartbeatWatch, told_apart

MINUTE = timedelta(minutes=1)
BACKUP = Heartbeat("backup", 5 * MINUTE, grace=MINUTE, labels={"service": "db", "severity": "critical"})


class Rig:
    """A watch whose last beat is set by hand; `look` polls every few seconds of a length of time, as `run` does."""

    def __init__(self, *, firing: list[Alert] | None = None, clock: SetClock | None = None) -> None:
        self.clock = clock or SetClock()
        self.listener = Listener()
        self.beat_at: datetime | None = None
        self.away = False
        self.watch = HeartbeatWatch(
            BACKUP,
            self._last,
            emit=self.listener.emit,
            clock=self.clock,
            on_trouble=self.listener.on_trouble,
            firing=firing or [],
        )

    async def _last(self) -> datetime | None:
        if self.away:
            raise Unavailable("locked")
        return self.beat_at

    def beat(self) -> None:
        self.beat_at = self.clock.now()

    async def look(self, **length: float) -> list[Alert]:
        """What was handed over while that long passed."""
        for _ in range(int(timedelta(**length) / timedelta(seconds=5))):
            self.clock.pass_(5)
            await self.watch.poll()
        return [await self.listener.next() for _ in range(self.listener._alerts.qsize())]


async def test_silence_fires_once_at_interval_and_grace_and_a_beat_resolves_it() -> None:
    rig = Rig()
    rig.beat()
    assert await rig.look(minutes=5, seconds=55) == []
    (fired,) = await rig.look(seconds=5)
    assert (fired.status, fired.name, fired.labels["severity"]) == (AlertStatus.FIRING, "backup", "critical")
    assert await rig.look(minutes=30) == []
    rig.beat()
    (resolved,) = await rig.look(seconds=5)
    assert (resolved.status, resolved.fingerprint) == (AlertStatus.RESOLVED, fired.fingerprint)
    assert resolved.starts_at == fired.starts_at


async def test_beats_in_time_keep_it_quiet() -> None:
    rig = Rig()
    for _ in range(12):
        rig.beat()
        assert await rig.look(minutes=5) == []


async def test_what_was_never_heard_is_silent_from_our_start_on() -> None:
    rig = Rig()
    assert await rig.look(minutes=5, seconds=55) == []
    (fired,) = await rig.look(seconds=5)
    assert "since Tocsin started to listen" in fired.annotations["description"]


async def test_the_time_before_our_start_does_not_count() -> None:
    clock = SetClock()
    rig = Rig(clock=clock)
    rig.beat_at = clock.now() - timedelta(days=2)
    assert await rig.look(minutes=5, seconds=55) == []
    assert len(await rig.look(seconds=5)) == 1


async def test_after_a_pause_of_the_machine_it_is_listened_for_anew() -> None:
    rig = Rig()
    rig.beat()
    rig.clock.pass_(6 * 3600)
    assert await rig.look(minutes=5, seconds=55) == []
    assert len(await rig.look(seconds=15)) == 1


@pytest.mark.parametrize("back", [-3600.0, -10.0])
async def test_a_clock_set_back_fires_nothing(back: float) -> None:
    rig = Rig()
    rig.beat()
    rig.clock.pass_(back)
    assert await rig.look(minutes=5) == []


async def test_while_beats_cannot_be_read_nobody_is_silent() -> None:
    rig = Rig()
    rig.away = True
    assert await rig.look(minutes=30) == []
    rig.away = False
    assert await rig.look(minutes=5) == []
    assert [reason is None for _, reason in rig.listener.troubles] == [False, True]


async def test_an_alert_left_firing_is_resolved_by_a_beat_and_not_told_twice() -> None:
    before = Rig()
    (fired,) = await before.look(minutes=6)
    rig = Rig(firing=[fired], clock=before.clock)
    assert await rig.look(minutes=10) == []
    rig.beat()
    assert [a.status for a in await rig.look(seconds=5)] == [AlertStatus.RESOLVED]


def watchdog(status: AlertStatus = AlertStatus.FIRING, **labels: str) -> Alert:
    said = {"alertname": "Watchdog", "severity": "critical"} | labels
    return Alert("f", status, said, {}, starts_at=AT, ends_at=None, source="alertmanager")


def test_an_alert_that_is_a_beat_is_told_apart_and_is_no_incident() -> None:
    beaten = Heartbeat("am", MINUTE, match={"alertname": "Watchdog"})
    kept, heard = told_apart([watchdog(), watchdog(alertname="Down")], [beaten, BACKUP])
    assert heard == ("am",)
    assert [a.labels["severity"] for a in kept] == ["none", "critical"]


def test_a_resolved_alert_is_no_beat() -> None:
    beaten = Heartbeat("am", MINUTE, match={"alertname": "Watchdog"})
    assert told_apart([watchdog(AlertStatus.RESOLVED)], [beaten])[1] == ()
