from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from listening import Listener, WallClock, running, until
from recorders import Answer, HttpRecorder
from silent import serving

from tocsin.incident.alert import AlertStatus
from tocsin.signals.probe import HealthCheck, Probe


def check(url: str, *, expect: tuple[int, ...] = (), timeout: float = 5) -> HealthCheck:
    return HealthCheck(
        name="Checkout health", url=url, every=timedelta(milliseconds=5), timeout=timedelta(seconds=timeout),
        fails=2, passes=2, expect=expect, labels={"service": "checkout"},
    )  # fmt: skip


def probe(of: HealthCheck, listener: Listener) -> Probe:
    return Probe(of, emit=listener.emit, clock=WallClock(), on_trouble=listener.on_trouble)


async def test_a_failing_address_fires_once_and_resolves_when_it_answers() -> None:
    listener = Listener()
    async with HttpRecorder(Answer(503)) as http, running(probe(check(http.url), listener).run()):
        fired = await listener.next()
        asked = len(http.requests)
        await until(lambda: len(http.requests) > asked + 4)
        assert listener.quiet
        http.then([Answer(200)])
        ended = await listener.next()
    assert (fired.status, fired.annotations["reason"], fired.source) == (AlertStatus.FIRING, "answered 503", "probe")
    assert fired.labels == {"alertname": "Checkout health", "service": "checkout"}
    assert (ended.status, ended.fingerprint) == (AlertStatus.RESOLVED, fired.fingerprint)
    assert ended.starts_at == fired.starts_at
    assert ended.ends_at is not None
    assert ended.ends_at > fired.starts_at


async def test_an_address_nobody_listens_on_fires_and_the_watch_goes_on() -> None:
    listener = Listener()
    async with HttpRecorder() as http:
        gone = http.url
    async with running(probe(check(gone), listener).run()) as task:
        assert (await listener.next()).annotations["reason"]
        assert not task.done()


async def test_a_hanging_address_fires_with_the_time_it_was_given() -> None:
    listener = Listener()
    async with HttpRecorder(Answer(hang=True)) as http, running(probe(check(http.url, timeout=0.02), listener).run()):
        assert (await listener.next()).annotations["reason"] == "no answer within 0.02 s"


@pytest.mark.parametrize(
    ("status", "expect", "fires"), [(399, (), False), (400, (), True), (500, (500,), False), (200, (500,), True)]
)
async def test_a_status_is_good_below_400_or_when_expected(status: int, expect: tuple[int, ...], fires: bool) -> None:
    listener = Listener()
    async with HttpRecorder(Answer(status)) as http:
        async with running(probe(check(http.url, expect=expect), listener).run()):
            await until(lambda: len(http.requests) > 4)
        assert listener.quiet is not fires


async def test_the_password_of_an_address_is_not_shown() -> None:
    listener = Listener()
    async with HttpRecorder(Answer(500)) as http:
        url = http.url.replace("//", "//watch:hunter2@") + "/health?token=hunter2"
        async with running(probe(check(url), listener).run()):
            alert = await listener.next()
    assert http.requests[0].path == "/health?token=hunter2"
    assert "hunter2" not in repr(alert)


async def test_an_alert_the_database_could_not_take_is_given_again() -> None:
    listener = Listener(failures=1)
    async with HttpRecorder(Answer(500)) as http, running(probe(check(http.url), listener).run()):
        assert (await listener.next()).status is AlertStatus.FIRING
    assert listener.troubles == [
        ("Checkout health", "an alert could not be stored, trying again: ConnectionError: the database is away"),
        ("Checkout health", None),
    ]


async def test_an_alert_left_firing_by_an_earlier_run_is_resolved() -> None:
    listener, again = Listener(), Listener()
    async with HttpRecorder(Answer(500)) as http:
        async with running(probe(check(http.url), listener).run()):
            left = await listener.next()
        http.then([Answer(200)])
        second = Probe(check(http.url), emit=again.emit, clock=WallClock(), firing=[left])
        async with running(second.run()):
            ended = await again.next()
    assert (ended.status, ended.starts_at) == (AlertStatus.RESOLVED, left.starts_at)


@pytest.mark.parametrize("url", ["ftp://host/", "localhost:80", "http://", "http://host:99999999/"])
def test_an_address_that_cannot_be_asked_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="probe Checkout health: url"):
        probe(check(url), Listener())


async def test_a_slow_answer_fails_where_a_latency_is_set() -> None:
    listener = Listener()
    async with HttpRecorder(Answer(200)) as http:
        slow = msgspec.structs.replace(check(http.url), latency=timedelta(0))
        async with running(probe(slow, listener).run()):
            assert "more than 0 s" in (await listener.next()).annotations["reason"]


async def test_a_port_fails_while_it_is_closed() -> None:
    listener = Listener()
    with serving() as port:
        address = f"tcp://127.0.0.1:{port}"
        async with running(probe(check(address), listener).run()):
            await asyncio.sleep(0.05)
        assert listener.quiet
    async with running(probe(check(address), listener).run()):
        alert = await listener.next()
    assert (alert.annotations["reason"], alert.generator_url) == ("Connection refused", "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "tcp://host"}, "must name a port"),
        ({"of": 1}, "no less than fails"),
        ({"url": "dns://example.com", "record": "WKS"}, "record must be one of"),
    ],
)
def test_a_check_that_cannot_be_made_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        probe(msgspec.structs.replace(check("http://host"), **change), Listener())
