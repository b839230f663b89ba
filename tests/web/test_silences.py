"""Silences over HTTP and on their page; routes said by the inspector."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sites import SETTINGS, Site, webhook

from tocsin.incident.policy import Role

Opener = Callable[..., Awaitable[Site]]
HOOK = {"Content-Type": "application/json"}
WINDOW = """
[[maintenance]]
name = "all of January"
match = 'alertname=~".+"'
starts = 2026-01-01T00:00:00
ends = 2026-02-01T00:00:00
"""
ROUTE = """
[[routes]]
match = 'alertname=~".+"'
incident = false
"""
SAID = {"matchers": ['service="backend"'], "lasts": "2h", "comment": "deploy of 4.2"}


async def outcomes(site: Site) -> set[str]:
    answer = await site.ask.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"), headers=HOOK)
    return {receipt["outcome"] for receipt in answer.json()["alerts"]}


async def test_a_silence_is_set_listed_and_ended(site: Site) -> None:
    made = await site.ask.post("/api/v1/silences", json=SAID)
    assert (made.status_code, made.json()["status"], made.json()["author"]) == (201, "active", "Ana")
    listed = (await site.get("/silences"))["silences"]
    assert [s["matchers"] for s in listed] == [['service="backend"']]
    gone = [await site.ask.delete(f"/api/v1/silences/{id_}") for id_ in (listed[0]["id"], listed[0]["id"], "none")]
    assert [answer.status_code for answer in gone] == [200, 409, 404]
    assert (await site.get("/silences"))["silences"][0]["status"] == "expired"


async def test_a_silence_that_cannot_be_meant_is_refused_by_field(site: Site) -> None:
    for wrong in ({"matchers": ["x"]}, {"matchers": ['a=~"("']}, {"comment": ""}, {"lasts": None}, {"lasts": "1000d"}):
        answer = await site.ask.post("/api/v1/silences", json=SAID | wrong)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"]
    assert (await (await site.of(Role.VIEWER)).post("/api/v1/silences", json=SAID)).status_code == 403


async def test_a_window_of_the_settings_holds_back_and_says_how_many(opener: Opener) -> None:
    site = await opener(settings=SETTINGS + WINDOW)
    assert await outcomes(site) == {"held"}
    window = (await site.get("/silences"))["maintenance"][0]
    assert (window["name"], window["holding"]) == ("all of January", 2)
    assert (await site.get("/incidents"))["incidents"] == []


async def test_the_page_sets_and_ends_a_silence(site: Site) -> None:
    browser = await site.signed_in(Role.RESPONDER)
    csrf = site.house.credentials.csrf(browser.cookies["tocsin_session"])
    form = {"csrf": csrf, "matchers": 'service="backend"\n', "comment": "<b>move</b>", "length": "2h"}
    assert (await browser.post("/silences", data=form)).status_code == 303
    shown = (await browser.get("/silences", headers={"Accept": "text/html"})).text
    assert "&lt;b&gt;move&lt;/b&gt;" in shown
    assert "service=&#34;backend&#34;" in shown
    refused = await browser.post("/silences", data=form | {"length": "soon"})
    assert (refused.status_code, "is not a duration" in refused.text) == (422, True)
    made = (await site.get("/silences"))["silences"][0]["id"]
    assert (await browser.post(f"/silences/{made}/expire", data={"csrf": csrf})).status_code == 303


async def test_the_inspector_names_the_route(opener: Opener) -> None:
    site = await opener(settings=SETTINGS + ROUTE)
    assert await outcomes(site) == {"recorded"}
    found = (await site.get("/signals"))["signals"][0]["alerts"][0]
    assert found["severity_by"] == '[[routes]] entry 1 matches alertname=~".+": no incident'
