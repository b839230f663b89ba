"""`/sources`, its test alerts, and `/signals`: for whom, what they show, and what they never do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sites import SETTINGS, Site, webhook

from tocsin.incident.policy import Role
from tocsin.web.sources_catalogue import kinds

Opener = Callable[..., Awaitable[Site]]
Opened = Callable[..., Awaitable[Any]]
Shown = Callable[[httpx.Response], str]
AM = "/api/v1/alerts/alertmanager"
MAPPING = '\n[[sources.mappings]]\nname = "shop"\ntitle = "event"\n'
TESTABLE = ["alertmanager", "prometheus", "grafana", "pagerduty", "opsgenie", "datadog", "sentry", "sns",
            "uptime-kuma", "healthchecks", "generic"]  # fmt: skip


async def post(site: Site, body: bytes, **headers: str) -> None:
    sender = await site.of(None, address="127.0.0.1")
    await sender.post(AM, content=body, headers=headers)
    await asyncio.sleep(0)


async def test_every_sender_is_shown_with_its_address_and_a_snippet(browse: Opened, shown: Shown, site: Site) -> None:
    text = shown(await (await browse()).get("/sources"))
    for kind in kinds(site.house.settings):
        assert kind.title in text
        assert f"http://tocsin.test{kind.path}" in text
    assert "opsgenie_configs: - api_url: http://tocsin.test/ api_key: TOKEN" in text
    assert "tocsin token create alertmanager --role responder" in text


async def test_what_was_heard_is_counted_and_refusals_are_said(site: Site, browse: Opened, shown: Shown) -> None:
    await post(site, webhook("firing-group2"))
    await post(site, b'{"alerts": 3}')
    text = shown(await (await browse()).get("/sources"))
    assert "2 this minute, 2 in the last hour" in text
    assert "Alerts 2 in 2 requests" in text
    assert "Refused 1 , last" in text
    assert "last one refused, 400" in text


async def test_what_is_watched_from_here_is_listed(opener: Opener, shown: Shown) -> None:
    own = """
[sources.email]
listen = "127.0.0.1:2599"
[[sources.heartbeats]]
name = "nightly"
[[sources.probes]]
name = "home"
url = "https://example.com"
"""
    site = await opener(settings=SETTINGS + own)
    text = shown(await (await site.signed_in(Role.RESPONDER)).get("/sources"))
    assert "E-mail alerts+TOKEN@HOST for alerts, reports@HOST for what people report, by SMTP at 127.0.0.1:2599" in text
    assert "nightly every 5 min http://tocsin.test/api/v1/heartbeats/nightly?token=TOKEN" in text
    assert "home (probe) asked every 30 s" in text


async def test_nobody_unknown_sees_the_pages(site: Site) -> None:
    client = await site.of(None)
    for path in ("/sources", "/signals", "/signals/1"):
        assert (await client.get(path, headers={"Accept": "text/html"})).status_code in (303, 401)


async def test_the_token_is_shown_only_when_a_responder_asks(opener: Opener) -> None:
    site = await opener(alert_token="s3cr3t-alert-token")
    browser = await site.signed_in(Role.RESPONDER)
    csrf = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    page = await browser.get("/sources")
    assert "s3cr3t" not in page.text
    assert "Show the token" in page.text
    answer = await browser.post("/sources/token", data={"csrf": csrf})
    assert "s3cr3t-alert-token" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert (await browser.post("/sources/token", data={"csrf": "wrong"})).status_code == 403


async def test_a_viewer_sees_no_token_no_button_and_may_not_test(opener: Opener) -> None:
    site = await opener(alert_token="s3cr3t-alert-token")
    browser = await site.signed_in(Role.VIEWER, name="Eve")
    csrf = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    page = await browser.get("/sources")
    assert page.status_code == 200
    assert "Show the token" not in page.text
    assert "Send a test alert" not in page.text
    for path in ("/sources/token", "/sources/alertmanager/test"):
        assert (await browser.post(path, data={"csrf": csrf})).status_code == 403


@pytest.mark.parametrize("name", TESTABLE)
async def test_a_test_alert_goes_in_and_pages_nobody(site: Site, browse: Opened, shown: Shown, name: str) -> None:
    answer = await (await browse()).send(f"/sources/{name}/test")
    assert answer.status_code == 200, answer.text
    text = shown(answer)
    assert "recorded its severity is no incident" in text
    assert "What a real one would bring about now" in text
    (alert,) = (await site.get("/alerts?status=all"))["alerts"]
    assert (alert["status"], alert["incident"], alert["labels"]["tocsin_test"]) == ("resolved", None, "Ana")
    assert (await site.get("/incidents"))["incidents"] == []
    assert site.channel.messages == []


async def test_a_test_foresees_who_would_be_paged_when(browse: Opened, shown: Shown) -> None:
    text = shown(await (await browse()).send("/sources/alertmanager/test"))
    assert '[services.backend] matches service = "backend"' in text
    assert "At once On-call: Ana" in text
    assert "After 30 min DevOps Lead: Dana" in text


async def test_a_test_foresees_that_an_open_incident_would_take_it(site: Site, browse: Opened, shown: Shown) -> None:
    await site.declare(service="backend")
    text = shown(await (await browse()).send("/sources/alertmanager/test"))
    assert "put to #1 , which backend has open: nobody is paged anew" in text


async def test_tests_are_among_the_signals_and_may_be_sent_again(site: Site, browse: Opened, shown: Shown) -> None:
    browser = await browse()
    for _ in range(2):
        site.clock.move(minutes=1)
        assert "recorded" in shown(await browser.send("/sources/datadog/test"))
    await asyncio.sleep(0)
    assert "datadog: A test: CPU is high" in shown(await browser.get("/signals"))
    assert "test by Ana" in shown(await browser.get("/signals/1"))


async def test_there_is_no_test_for_an_unknown_or_a_declared_sender(opener: Opener) -> None:
    site = await opener(settings=SETTINGS + MAPPING)
    browser = await site.signed_in(Role.RESPONDER)
    csrf = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    assert "/api/v1/alerts/mapped/shop" in (await browser.get("/sources")).text
    for name in ("mapped/shop", "nobody"):
        assert (await browser.post(f"/sources/{name}/test", data={"csrf": csrf})).status_code == 404


async def test_a_signal_shows_outcome_rules_and_body(site: Site, browse: Opened, shown: Shown) -> None:
    await post(site, webhook("firing-group2"))
    browser = await browse()
    listed = shown(await browser.get("/signals"))
    assert "alertmanager:" in listed
    assert "opened, attached #1" in listed
    one = shown(await browser.get("/signals/1"))
    assert "the first of its service: an incident was opened" in one
    assert '"groupKey"' in one
    assert (await browser.get("/signals/99")).status_code == 404


async def test_a_hostile_body_is_shown_and_harmless(site: Site, browse: Opened) -> None:
    alert = {"status": "firing", "labels": {"alertname": "<script>alert(1)</script>"},
             "annotations": {"summary": "\u202egnp.exe <img src=x>"}, "startsAt": "2026-01-05T03:00:00Z"}  # fmt: skip
    await post(site, json.dumps({"alerts": [alert]}).encode())
    browser = await browse()
    for path in ("/signals", "/signals/1", "/sources"):
        page = await browser.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src" not in page.text
        assert "\u202e" not in page.text


async def test_a_viewer_sees_no_body(site: Site, browse: Opened, shown: Shown) -> None:
    await post(site, webhook("firing-group2"))
    text = shown(await (await browse(Role.VIEWER, name="Eve")).get("/signals/1"))
    assert "Responders see the body." in text
    assert '"groupKey"' not in text
