"""What senders sent, what came of it and why; bounded, and without a secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sites import SETTINGS, Site, refusal, webhook

from tocsin.incident.policy import Role
from tocsin.web.inspector import ALERTS, BODY_BYTES, KEPT, KEPT_A_SECOND, _text, sender_of

Opener = Callable[..., Awaitable[Site]]
AM = "/api/v1/alerts/alertmanager"
GENERIC = {"title": "Checkout is down", "severity": "critical", "service": "backend", "key": "checkout"}


async def sent(site: Site, path: str, body: Any, **headers: str) -> httpx.Response:
    sender = await site.of(None, address="127.0.0.1")
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await sender.post(path, content=content, headers=headers)
    await asyncio.sleep(0)
    return answer


async def newest(site: Site) -> dict[str, Any]:
    found = (await site.get("/signals"))["signals"]
    whole: dict[str, Any] = await site.get(f"/signals/{found[0]['id']}")
    return whole


async def test_a_body_is_shown_with_what_came_of_each_alert_and_why(site: Site) -> None:
    await sent(site, AM, webhook("firing-group2"))
    seen = await newest(site)
    assert (seen["sender"], seen["status"], seen["who"], seen["alerts_total"]) == (
        "alertmanager",
        200,
        "this machine",
        2,
    )
    assert [(a["outcome"], a["incident"]) for a in seen["alerts"]] == [("opened", 1), ("attached", 1)]
    assert seen["alerts"][0]["severity"] == "SEV1"
    assert "severity=critical" in seen["alerts"][0]["severity_by"]
    assert json.loads(seen["body"]) == json.loads(webhook("firing-group2"))


@pytest.mark.parametrize(
    ("labels", "service", "why"),
    [
        ({"service": "backend"}, "backend", '[services.backend] matches service = "backend"'),
        ({"service": "cart"}, "cart", "its label service; no [services] entry matches"),
        ({"job": "node"}, "node", "its label job; no [services] entry matches"),
        ({}, "Down", "the alert's name; no [services] entry matches, no label service or job"),
    ],
)
async def test_the_rule_that_named_the_service_is_said(
    site: Site, labels: dict[str, str], service: str, why: str
) -> None:
    alert = {"status": "firing", "labels": {"alertname": "Down"} | labels, "startsAt": "2026-01-05T03:00:00Z"}
    await sent(site, AM, {"alerts": [alert]})
    (seen,) = (await newest(site))["alerts"]
    assert (seen["service"], seen["service_by"]) == (service, why)


async def test_repeated_stale_resolved_and_recorded_are_told_apart(site: Site) -> None:
    begun = {"status": "firing", "labels": {"alertname": "Down"}, "startsAt": "2026-01-05T03:00:00Z"}
    over = begun | {"status": "resolved", "endsAt": "2026-01-05T03:05:00Z"}
    found = []
    for alert in (begun, begun, over, begun, begun | {"labels": {"alertname": "Dead", "severity": "none"}}):
        await sent(site, AM, {"alerts": [alert]})
        found.append((await newest(site))["alerts"][0])
    assert [a["outcome"] for a in found] == ["opened", "repeated", "resolved", "stale", "recorded"]
    assert found[4]["severity"] is None
    assert found[4]["because"] == "its severity is no incident: kept and shown"


async def test_what_cannot_be_read_is_shown_with_the_reason(site: Site) -> None:
    await sent(site, AM, b'{"alerts": 3}')
    seen = await newest(site)
    assert (seen["status"], seen["alerts"], seen["body"]) == (400, [], '{"alerts": 3}')
    assert "alerts" in seen["reason"]


async def test_half_a_character_in_a_body_harms_nothing(site: Site) -> None:
    answer = await sent(site, AM, b'{"alerts": [{"status": "\\ud800", "labels": {"\\udfff": "\\ud800"}}]}')
    assert answer.status_code == 400
    assert (await newest(site))["status"] == 400
    named = {"title": "\ud800", "service": "\udfff"}
    assert (await sent(site, "/api/v1/alerts/generic", named)).status_code < 500
    assert (await newest(site))["sender"] == "generic"


async def test_of_somebody_unknown_nothing_but_the_refusal_is_kept(opener: Opener) -> None:
    site = await opener(alert_token="the token")
    await sent(site, AM, webhook("firing-group2"), Authorization="Bearer wrong-and-secret")
    seen = await newest(site)
    assert (seen["status"], seen["body"], seen["who"], seen["bytes"]) == (401, "", "", 0)


async def test_refusals_in_the_words_of_pagerduty_and_opsgenie_are_shown_too(site: Site) -> None:
    await sent(site, "/v2/enqueue", {"routing_key": "x", "event_action": "dance"})
    assert ((await newest(site))["sender"], (await newest(site))["status"]) == ("pagerduty", 400)
    assert "event_action" in (await newest(site))["reason"]
    await sent(site, "/v2/alerts", {})
    assert ((await newest(site))["sender"], (await newest(site))["status"]) == ("opsgenie", 422)


async def test_no_credential_is_kept(opener: Opener) -> None:
    site = await opener(alert_token="s3cr3t-alert-token")
    event = {"routing_key": "s3cr3t-alert-token", "event_action": "trigger", "dedup_key": "k",
             "payload": {"summary": "see https://h/?token=s3cr3t-1 and Bearer s3cr3t-bearer", "source": "s",
                         "severity": "error", "custom_details": {"db_password": "s3cr3t-2"}}}  # fmt: skip
    await sent(site, "/v2/enqueue", event)
    await sent(site, f"{AM}?token=s3cr3t-alert-token", webhook("firing-group2"))
    await sent(site, AM, webhook("firing-group2"), Authorization="Bearer s3cr3t-alert-token")
    shown = await site.ask.get("/api/v1/signals")
    bodies = [await site.get(f"/signals/{s['id']}") for s in shown.json()["signals"]]
    assert {b["status"] for b in bodies} == {202, 200}
    assert "s3cr3t" not in shown.text + json.dumps(bodies)


@examples(max_examples=60, deadline=None)
@given(
    st.sampled_from(["routing_key", "service_key", "api_key", "apiToken", "password", "Integration-Key"]),
    st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=40),
    st.integers(0, 30),
)
def test_a_secret_is_taken_out_even_where_the_body_is_cut(name: str, secret: str, cut: int) -> None:
    body = json.dumps({name: f"zz{secret}zz"}).encode()
    assert f"zz{secret}" not in _text(body[: len(body) - min(cut, len(secret) - 6)])


async def test_a_viewer_sees_what_came_of_it_but_not_the_body(site: Site) -> None:
    await sent(site, AM, webhook("firing-group2"))
    viewer = await site.of(Role.VIEWER)
    found = (await viewer.get("/api/v1/signals")).json()["signals"][0]
    one = (await viewer.get(f"/api/v1/signals/{found['id']}")).json()
    assert (one["body"], len(one["alerts"])) == (None, 2)
    assert (await (await site.of(None)).get("/api/v1/signals")).status_code == 401


async def test_large_bodies_and_many_alerts_are_kept_in_part(site: Site) -> None:
    many = [GENERIC | {"key": str(n), "description": "x" * 1_000} for n in range(ALERTS + 5)]
    await sent(site, "/api/v1/alerts/generic", many)
    seen = await newest(site)
    assert (len(seen["body"]), seen["bytes"]) == (BODY_BYTES, len(json.dumps(many)))
    assert (len(seen["alerts"]), seen["alerts_total"]) == (ALERTS, ALERTS + 5)
    long = [{"title": "t" * 5_000, "service": "s" * 5_000}]
    await sent(site, "/api/v1/alerts/generic", long)
    assert max(len(v) for v in (await newest(site))["alerts"][0]["labels"].values()) <= 500


async def test_in_a_storm_the_first_of_each_second_are_kept_and_all_are_counted(site: Site) -> None:
    for _ in range(KEPT_A_SECOND + 5):
        await sent(site, "/api/v1/alerts/generic", GENERIC)
    assert len((await site.get("/signals?limit=100"))["signals"]) == KEPT_A_SECOND
    assert site.app.state.inspector.tallies["generic"].requests == KEPT_A_SECOND + 5
    site.clock.move(seconds=1)
    await sent(site, "/api/v1/alerts/generic", GENERIC)
    assert len((await site.get("/signals?limit=100"))["signals"]) == KEPT_A_SECOND + 1


async def test_the_ring_forgets_the_oldest_and_is_read_page_by_page(site: Site) -> None:
    for _ in range(KEPT + 3):
        site.clock.move(seconds=1)
        await sent(site, "/api/v1/heartbeats/unknown", b"")
    first = await site.get(f"/signals?limit={KEPT}")
    assert ([first["signals"][0]["id"], first["signals"][-1]["id"]], first["next"]) == ([KEPT + 3, 4], None)
    page = await site.get("/signals?limit=150")
    rest = await site.get(f"/signals?limit=150&below={page['next']}")
    assert len(rest["signals"]) == KEPT - 150
    assert rest["signals"][0]["id"] == page["signals"][-1]["id"] - 1


async def test_one_senders_signals_are_found_and_one_that_is_gone_is_a_404(site: Site) -> None:
    await sent(site, "/api/v1/alerts/generic", GENERIC)
    await sent(site, AM, webhook("firing-group2"))
    assert [s["sender"] for s in (await site.get("/signals?sender=generic"))["signals"]] == ["generic"]
    refusal(await site.ask.get("/api/v1/signals/999"), 404)


async def test_tallies_are_by_the_minute_and_of_a_hundred_addresses_at_most(site: Site) -> None:
    await sent(site, "/api/v1/alerts/generic", GENERIC)
    site.clock.move(minutes=2)
    await sent(site, "/api/v1/alerts/generic", GENERIC)
    tally, now = site.app.state.inspector.tallies["generic"], site.clock.now()
    assert [tally.in_last(timedelta(minutes=m), now) for m in (1, 2, 3, 60)] == [1, 1, 2, 2]
    assert tally.in_last(timedelta(minutes=1), now + timedelta(minutes=1)) == 0
    for number in range(120):
        await sent(site, f"/api/v1/alerts/mapped/{number}", b"{}")
    assert len(site.app.state.inspector.tallies) <= 101


async def test_a_beat_is_shown_as_no_incident(opener: Opener) -> None:
    site = await opener(settings=f'{SETTINGS}\n[[sources.heartbeats]]\nname = "wd"\nmatch = {{alertname = "Down"}}\n')
    beat = {"status": "firing", "labels": {"alertname": "Down"}, "startsAt": "2026-01-05T03:00:00Z"}
    await sent(site, AM, {"alerts": [beat]})
    (seen,) = (await newest(site))["alerts"]
    assert (seen["outcome"], seen["severity"]) == ("recorded", None)
    assert seen["labels"]["severity"] == "none"


@pytest.mark.parametrize(
    ("path", "sender"),
    [
        (AM, "alertmanager"), ("/api/v1/alerts/mapped/shop", "mapped/shop"), ("/v2/enqueue", "pagerduty"),
        ("/generic/2010-04-15/create_event.json", "pagerduty"), ("/v2/alerts/x/close", "opsgenie"),
        ("/v2/heartbeats/x/ping", "heartbeats"), ("/api/v1/heartbeats/x", "heartbeats"),
        ("/api/v2/alerts", "prometheus"),
    ],
)  # fmt: skip
def test_senders_are_named_by_their_address(path: str, sender: str) -> None:
    assert sender_of(path) == sender
