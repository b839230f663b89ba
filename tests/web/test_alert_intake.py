"""Alerts in: who may send them, real bodies, garbage, and a database that refuses."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sites import Site, refusal, webhook

from tocsin.incident.policy import Role
from tocsin.store.errors import StoreUnavailable

Opener = Callable[..., Awaitable[Site]]
PATH = "/api/v1/alerts/alertmanager"
GENERIC = {"title": "Checkout is down", "severity": "critical", "service": "backend", "key": "checkout"}


async def local(site: Site) -> httpx.AsyncClient:
    return await site.of(None, address="127.0.0.1")


async def outcomes(answer: httpx.Response) -> list[tuple[str, int | None]]:
    assert answer.status_code == 200, answer.text
    return [(a["outcome"], a["incident"]) for a in answer.json()["alerts"]]


async def test_what_came_of_alerts_is_told_as_json(site: Site) -> None:
    answer = await (await local(site)).post(PATH, content=webhook("firing-group2"))
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_body_that_is_no_json_is_said_to_be_none(site: Site) -> None:
    said = refusal(await (await local(site)).post(PATH, content=b"garbage"), 400)["detail"]
    assert said.startswith("the alerts cannot be read: the body is not JSON: JSON is malformed")


async def test_a_real_webhook_body_opens_one_incident(site: Site) -> None:
    sender = await local(site)
    answer = await sender.post(PATH, content=webhook("firing-group2"))
    assert await outcomes(answer) == [("opened", 1), ("attached", 1)]
    assert await outcomes(await sender.post(PATH, content=webhook("firing-group2"))) == [("repeated", 1)] * 2
    assert (await site.shown())["alerts_firing"] == 2


async def test_resolved_alerts_are_shown_and_resolve_nothing(site: Site) -> None:
    sender = await local(site)
    await sender.post(PATH, content=webhook("firing-group2"))
    assert await outcomes(await sender.post(PATH, content=webhook("resolved-group2"))) == [("resolved", 1)] * 2
    shown = await site.shown()
    assert (shown["status"], shown["alerts_firing"]) == ("open", 0)


async def test_a_heartbeat_is_no_incident(site: Site) -> None:
    answer = await (await local(site)).post(PATH, content=webhook("heartbeat-watchdog"))
    assert {outcome for outcome, _ in await outcomes(answer)} == {"recorded"}
    assert (await site.get("/incidents"))["incidents"] == []


async def test_grafana_and_anything_else_send_alerts_too(site: Site) -> None:
    sender = await local(site)
    grafana = {"alerts": [{"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-01-05T03:00:00Z"}]}
    assert await outcomes(await sender.post("/api/v1/alerts/grafana", json=grafana)) == [("opened", 1)]
    assert await outcomes(await sender.post("/api/v1/alerts/generic", json=[GENERIC])) == [("opened", 2)]
    stopped = GENERIC | {"status": "resolved"}
    assert await outcomes(await sender.post("/api/v1/alerts/generic", json=stopped)) == [("resolved", 2)]


# who may send


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_without_a_token_this_machine_may_send(site: Site, address: str) -> None:
    sender = await site.of(None, address=address)
    assert (await sender.post("/api/v1/alerts/generic", json=GENERIC)).status_code == 200


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "testclient"])
async def test_without_a_token_nobody_else_may_and_the_remedy_is_named(site: Site, address: str) -> None:
    answer = await (await site.of(None, address=address)).post("/api/v1/alerts/generic", json=GENERIC)
    assert "set [sources.alerts] token" in refusal(answer, 401)["detail"]
    assert (await site.get("/alerts"))["alerts"] == []


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Origin"])
async def test_a_proxy_or_a_browser_on_this_machine_speaks_for_others(site: Site, header: str) -> None:
    answer = await (await local(site)).post("/api/v1/alerts/generic", json=GENERIC, headers={header: "127.0.0.1"})
    refusal(answer, 401)


@pytest.mark.parametrize("way", ["bearer", "basic", "query"])
@pytest.mark.parametrize(("token", "status"), [("alert token", 200), ("alert toke", 401), ("", 401), ("ž", 401)])
async def test_the_token_is_taken_three_ways(opener: Opener, way: str, token: str, status: int) -> None:
    site = await opener(alert_token="alert token")
    sender = await site.of(None)
    basic = b64encode(f"tocsin:{token}".encode()).decode()
    headers = {
        "bearer": {b"Authorization": b"Bearer " + token.encode()},
        "basic": {b"Authorization": f"Basic {basic}".encode()},
    }
    query = {"token": token} if way == "query" else {}
    answer = await sender.post("/api/v1/alerts/generic", json=GENERIC, params=query, headers=headers.get(way, {}))
    assert answer.status_code == status


@pytest.mark.parametrize("credential", ["Basic !!!", "Basic", "Basic /////w==", "Negotiate x"])
async def test_a_credential_that_cannot_be_read_is_refused(opener: Opener, credential: str) -> None:
    site = await opener(alert_token="alert token")
    headers = {"Authorization": credential}
    refusal(await (await site.of(None)).post("/api/v1/alerts/generic", json=GENERIC, headers=headers), 401)


async def test_with_a_token_being_on_this_machine_is_not_enough(opener: Opener) -> None:
    site = await opener(alert_token="alert token")
    refusal(await (await local(site)).post("/api/v1/alerts/generic", json=GENERIC), 401)


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.RESPONDER, 200), (Role.ADMIN, 200)])
async def test_an_api_token_of_a_responder_sends_too(opener: Opener, role: Role, status: int) -> None:
    site = await opener(alert_token="alert token")
    assert (await (await site.of(role)).post("/api/v1/alerts/generic", json=GENERIC)).status_code == status


async def test_the_alert_token_opens_nothing_else(opener: Opener) -> None:
    site = await opener(alert_token="alert token")
    sender = await site.of(None)
    refusal(await sender.get("/api/v1/incidents", headers={"Authorization": "Bearer alert token"}), 401)


# what cannot be read


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"), (b"{", "body"), (b"[]", "body"), (b"\xff", "body"), (b"{}", "alerts"),
        (b'{"alerts": [{"status": "firing", "labels": {}}]}', "alerts[0].startsAt"),
        (b'{"alerts": [{"status": "on", "labels": {}, "startsAt": "2026-01-05T03:00:00Z"}]}', "alerts[0].status"),
        (b"[" * 100_000, "body"),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_read_is_refused_for_good(site: Site, body: bytes, field: str) -> None:
    problem = refusal(await (await local(site)).post(PATH, content=body), 400)
    assert field in problem["errors"][0]["name"] or field in problem["detail"]


async def test_of_a_body_with_one_bad_alert_nothing_is_kept(site: Site) -> None:
    group = json.loads(webhook("firing-group2"))
    del group["alerts"][1]["startsAt"]
    refusal(await (await local(site)).post(PATH, json=group), 400)
    assert (await site.get("/alerts"))["alerts"] == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ALERT = st.fixed_dictionaries(
    {},
    optional={
        "title": st.text() | JSON, "key": st.text(), "severity": st.text(), "service": st.text() | JSON,
        "status": st.sampled_from(["firing", "resolved", "x"]), "labels": st.dictionaries(st.text(), JSON, max_size=3),
        "starts_at": st.datetimes().map(lambda at: at.isoformat() + "+14:00") | st.text(), "url": JSON,
    },
)  # fmt: skip
WIRE = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["firing", "resolved"]),
        "labels": st.dictionaries(st.text(), st.text(), max_size=3),
        "startsAt": st.datetimes().map(lambda at: at.isoformat() + "-12:00"),
    },
    optional={"endsAt": st.datetimes().map(lambda at: at.isoformat() + "Z"), "fingerprint": st.text()},
)
ANY = (
    st.binary(max_size=200).map(lambda raw: ("generic", raw))
    | JSON.map(lambda any_: ("alertmanager", json.dumps(any_).encode()))
    | ALERT.map(lambda one: ("generic", json.dumps(one).encode()))
    | WIRE.map(lambda one: ("grafana", json.dumps({"alerts": [one]}).encode()))
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=ANY)
async def test_no_body_whatever_breaks_the_server(site: Site, sent: tuple[str, bytes]) -> None:
    source, body = sent
    answer = await (await local(site)).post(f"/api/v1/alerts/{source}", content=body)
    assert answer.status_code in (200, 400), (body, answer.text)


@pytest.mark.parametrize("body", [
    b'{"title": "\\ud800"}', b'{"title": "a\\u0000b", "service": "\\u0000"}', b'{"title": "x", "labels": {"n": 1e400}}',
    b'{"title": "x", "labels": {"n": ' + b"9" * 5000 + b"}}", b'{"title": "' + b"x" * 100_000 + b'"}',
    b'{"title": "x", "starts_at": "9999-12-31T23:59:59-12:00"}', b'{"title": "x", "starts_at": "0001-01-01T00:00:00Z"}',
])  # fmt: skip
async def test_odd_texts_numbers_and_times_break_nothing(site: Site, body: bytes) -> None:
    answer = await (await local(site)).post("/api/v1/alerts/generic", content=body)
    assert answer.status_code in (200, 400), answer.text
    for path in ("/incidents", "/incidents/1/timeline", "/alerts") if answer.status_code == 200 else ():
        await site.get(path)


# sizes and a database that refuses


@pytest.mark.parametrize(("size", "status"), [(5_000_000, 200), (5_000_001, 413)])
async def test_alerts_may_be_five_megabytes(site: Site, size: int, status: int) -> None:
    body = webhook("firing-group2").ljust(size)
    assert (await (await local(site)).post(PATH, content=body)).status_code == status


async def test_a_database_that_refuses_is_a_503_so_that_the_sender_tries_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(job: Any) -> Any:
        raise StoreUnavailable("the database refuses to write: database or disk is full")

    sender = await local(site)
    monkeypatch.setattr(site.house.core.storage, "write", refused)
    answer = await sender.post(PATH, content=webhook("firing-group2"))
    assert "disk is full" in refusal(answer, 503)["detail"]
    assert answer.headers["retry-after"] == "5"
