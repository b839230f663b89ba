"""Beats over HTTP: plain, in Opsgenie's form, and as an alert that keeps coming."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sites import SETTINGS, Site, refusal, webhook

from tocsin.signals.heartbeat import Beats
from tocsin.store.errors import StoreUnavailable

Opener = Callable[..., Awaitable[Site]]
BEATING = """
[[sources.heartbeats]]
name = "nightly backup"
every = "1d"
[[sources.heartbeats]]
name = "prometheus"
match = {alertname = "Watchdog"}
"""
KEY = "alerts-only"
PLAIN, OPSGENIE = "/api/v1/heartbeats/nightly backup", "/v2/heartbeats/nightly backup/ping"


@pytest.fixture
async def site(opener: Opener) -> Site:
    return await opener(settings=SETTINGS + BEATING, alert_token=KEY)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_is_a_beat(site: Site, method: str) -> None:
    answer = await (await site.of(None)).request(method, PLAIN, params={"token": KEY})
    assert (answer.status_code, answer.json()["name"]) == (200, "nightly backup")
    assert await Beats(site.house.core).last("nightly backup") == site.clock.now()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_opsgenies_ping_is_a_beat(site: Site, method: str) -> None:
    answer = await (await site.of(None)).request(method, OPSGENIE, headers={"Authorization": f"GenieKey {KEY}"})
    assert (answer.status_code, answer.json()["result"]) == (202, "PONG - Heartbeat received")
    assert await Beats(site.house.core).last("nightly backup") == site.clock.now()


async def test_a_watchdog_alert_is_a_beat_and_no_incident(site: Site) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    body = webhook("heartbeat-watchdog").replace(b'"none"', b'"critical"')
    answer = await (await site.of(None)).post("/api/v1/alerts/alertmanager", content=body, headers=headers)
    assert answer.json()["alerts"][0]["outcome"] == "recorded"
    assert await Beats(site.house.core).last("prometheus") == site.clock.now()


async def test_the_last_beat_outlives_the_process(site: Site) -> None:
    await (await site.of(None)).get(PLAIN, params={"token": KEY})
    then = site.clock.now()
    site.clock.move(days=2)
    assert await Beats(site.house.core).last("nightly backup") == then
    assert await Beats(site.house.core).last("prometheus") is None


async def test_a_beat_of_an_unknown_name_is_refused_with_the_remedy(site: Site) -> None:
    ask = await site.of(None)
    problem = refusal(await ask.get("/api/v1/heartbeats/other", params={"token": KEY}), 404)
    assert "[[sources.heartbeats]]" in problem["detail"]
    answer = await ask.get("/v2/heartbeats/other/ping", headers={"Authorization": f"GenieKey {KEY}"})
    assert answer.status_code == 404


async def test_beats_take_the_credential_of_alerts(site: Site) -> None:
    ask = await site.of(None)
    refusal(await ask.get(PLAIN), 401)
    assert (await ask.get(OPSGENIE, headers={"Authorization": "GenieKey x"})).status_code == 401


async def test_a_beat_that_cannot_be_kept_is_to_be_sent_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(job: Any) -> Any:
        raise StoreUnavailable("the database refuses to write")

    ask = await site.of(None)
    monkeypatch.setattr(site.house.core.storage, "write", refused)
    refusal(await ask.get(PLAIN, params={"token": KEY}), 503)
    assert (await ask.get(OPSGENIE, headers={"Authorization": f"GenieKey {KEY}"})).status_code == 429
