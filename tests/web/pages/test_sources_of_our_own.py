"""Mail, probes, logs and queries on `/sources` and `/signals`, and what is held back, like any sender's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sites import SETTINGS, Site

from tocsin.bootstrap.hearing import Heard, Watched
from tocsin.incident.policy import Role
from tocsin.signals.mail import decode
from tocsin.web.sources_watched import watched

Opener = Callable[..., Awaitable[Site]]
Shown = Callable[[httpx.Response], str]
OWN = """
[sources.email]
[[sources.probes]]
name = "home page"
url = "https://example.com"
labels = {service = "backend", severity = "critical"}
[[sources.logs]]
name = "panics"
file = "app.log"
pattern = "panic"
[sources.prometheus]
url = "http://127.0.0.1:9"
[[sources.prometheus.rules]]
name = "Errors"
expr = "up == 0"
"""
MAIL = b"Subject: PROBLEM: disk full\r\nFrom: cron@a.example\r\nX-Token: abc\r\n\r\nx\r\n"


@pytest.fixture
async def own(opener: Opener) -> Site:
    return await opener(settings=SETTINGS + OWN)


async def page(site: Site, path: str) -> httpx.Response:
    return await (await site.signed_in(Role.RESPONDER)).get(path)


async def sees(site: Site, name: str) -> None:
    """The watch of that name hands over what its test would."""
    kind = next(k for k in watched(site.house.settings) if k.name == name)
    watch = Watched(*name.split("/"), ingest=site.house.ingest, hearing=site.house.hearing)
    for alert in kind.decode(kind.body, site.clock.now()):
        await watch.emit(alert)
    await asyncio.sleep(0)


async def test_each_is_listed_with_what_it_watches_before_anything_is_heard(own: Site, shown: Shown) -> None:
    text = shown(await page(own, "/sources"))
    for said in ("E-mail", "home page (probe) asked every 30 s", "panics (log watch) lines that match panic, of a file",
                 "Errors (Prometheus query) up == 0, for 2 min, asked every 30 s"):  # fmt: skip
        assert said in text


async def test_a_watch_that_cannot_see_is_marked_with_the_reason(own: Site, shown: Shown) -> None:
    own.house.troubles["panics"] = "app.log: no such file"
    text = shown(await page(own, "/sources"))
    assert "panics (log watch) cannot see" in text


async def test_what_a_probe_saw_is_a_signal_with_what_came_of_it(own: Site, shown: Shown) -> None:
    await sees(own, "probes/home page")
    (signal,) = (await own.get("/signals?sender=probes/home page"))["signals"]
    assert (signal["sender"], signal["method"], signal["who"]) == ("probes/home page", "probe", "this server")
    assert [(a["outcome"], a["incident"], a["severity"]) for a in signal["alerts"]] == [("opened", 1, "SEV1")]
    assert (await own.get(f"/signals/{signal['id']}"))["body"] == "summary: A test: home page"
    text = shown(await page(own, "/sources"))
    assert "home page (probe) heard asked every 30 s Last heard" in text


async def test_a_mail_is_a_signal_with_its_text_and_a_refused_one_an_error(own: Site, shown: Shown) -> None:
    alerts = decode(MAIL, at=own.clock.now())
    receipts = await own.house.ingest.take(alerts)
    tell = own.house.hearing.tell
    tell(Heard("email", "cron@a.example", "SMTP", "mail to alerts", MAIL, alerts, receipts, status=250))
    tell(Heard("email", "who@b.example", "SMTP", "mail to x", b"", status=550, reason="550 no such address"))
    await asyncio.sleep(0)
    refused, taken = (await own.get("/signals"))["signals"]
    assert (refused["status"], refused["reason"]) == (550, "550 no such address")
    assert [a["outcome"] for a in taken["alerts"]] == ["opened"]
    assert (await own.get(f"/signals/{taken['id']}"))["body"].startswith("Subject: PROBLEM: disk full")
    assert "Refused 1 , last" in shown(await page(own, "/sources"))


@pytest.mark.parametrize("name", ["email", "probes/home page", "logs/panics", "rules/Errors"])
async def test_its_test_alert_pages_nobody(own: Site, shown: Shown, name: str) -> None:
    browser = await own.signed_in(Role.RESPONDER)
    csrf = own.house.credentials.csrf(browser.cookies["tocsin_session"])
    answer = await browser.post(f"/sources/{name}/test", data={"csrf": csrf})
    assert "Taken in, and nobody was paged" in shown(answer)
    assert (await own.get("/incidents"))["incidents"] == []


async def test_a_test_alert_pages_nobody_although_a_route_names_its_severity(opener: Opener, shown: Shown) -> None:
    routes = '[[routes]]\nmatch = \'service="backend"\'\nseverity = "SEV1"\n'
    site = await opener(settings=SETTINGS + OWN + routes)
    browser = await site.signed_in(Role.RESPONDER)
    csrf = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    told = shown(await browser.post("/sources/probes/home page/test", data={"csrf": csrf}))
    assert "SEV1 [[routes]] entry 1" in told
    assert (await site.get("/incidents"))["incidents"] == []


async def silenced(site: Site) -> None:
    answer = await site.ask.post(
        "/api/v1/silences", json={"matchers": ['service="backend"'], "lasts": "1h", "comment": "x"}
    )
    assert answer.status_code == 201, answer.text


async def test_a_held_alert_stands_on_its_sources_page_with_why(own: Site, shown: Shown) -> None:
    await silenced(own)
    await sees(own, "probes/home page")
    for path in ("/sources", "/signals?sender=probes/home page"):
        assert "Held back and flapping now A test: home page probe, since 03:00 UTC born in a silence" in shown(
            await page(own, path)
        )
    assert "Held back" not in (await page(own, "/signals?sender=email")).text
    (signal,) = (await own.get("/signals"))["signals"]
    assert signal["alerts"][0]["because"].startswith("born in a silence: an incident once that is over")


async def test_a_test_alert_foretells_the_silence_and_the_route(opener: Opener, shown: Shown) -> None:
    routes = '[[routes]]\nmatch = \'service="backend"\'\nrole = "DevOps Lead"\n'
    site = await opener(settings=SETTINGS + OWN + routes)
    browser = await site.signed_in(Role.RESPONDER)
    csrf = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    told = shown(await browser.post("/sources/probes/home page/test", data={"csrf": csrf}))
    assert "At once DevOps Lead: Dana" in told
    await silenced(site)
    told = shown(await browser.post("/sources/probes/home page/test", data={"csrf": csrf}))
    assert "none yet: born in a silence" in told
    assert "At once" not in told
