"""PagerDuty's senders, served unchanged: events in, acknowledges and resolves by key, answers in PagerDuty's words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sites import Site, webhook

from tocsin.store.errors import StoreUnavailable

Opener = Callable[..., Awaitable[Site]]
RECORDED = Path(__file__).parents[1] / "fixtures" / "senders"
PATH, V1 = "/v2/enqueue", "/generic/2010-04-15/create_event.json"
KEY = "alerts-only"


def recorded(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((RECORDED / f"pagerduty-v2-{name}.json").read_bytes())["body"]
    return body | {"routing_key": KEY}


def event(action: str = "trigger", key: str | None = "disk", **more: object) -> dict[str, object]:
    payload = {"summary": "Disk full", "source": "db-1", "severity": "critical", "component": "database"}
    said = {"routing_key": KEY, "event_action": action, "dedup_key": key, "payload": payload} | more
    return {name: value for name, value in said.items() if value is not None}


@pytest.fixture
async def sender(opener: Opener) -> tuple[Site, httpx.AsyncClient]:
    site = await opener(alert_token=KEY)
    return site, await site.of(None)


Sender = tuple[Site, httpx.AsyncClient]


def taken(answer: httpx.Response) -> str:
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert (said["status"], said["message"]) == ("success", "Event processed")
    key: str = said["dedup_key"]
    return key


async def test_a_trigger_opens_an_incident_and_the_same_key_again_is_the_same_alert(sender: Sender) -> None:
    site, ask = sender
    assert taken(await ask.post(PATH, json=event())) == "disk"
    taken(await ask.post(PATH, json=event(payload={"summary": "Disk is fuller", "source": "x", "severity": "error"})))
    shown = await site.shown()
    assert (shown["title"], shown["severity"], shown["service"]) == ("Disk full", "SEV1", "database")
    assert [alert["summary"] for alert in shown["alerts"]] == ["Disk is fuller"]


async def test_an_absent_key_is_minted_and_can_be_resolved_by(sender: Sender) -> None:
    site, ask = sender
    key = taken(await ask.post(PATH, json=event(key=None)))
    taken(await ask.post(PATH, json=event("resolve", key, payload=None)))
    assert (await site.shown())["alerts_firing"] == 0


async def test_an_acknowledge_coming_in_owns_the_incident(sender: Sender) -> None:
    site, ask = sender
    await ask.post(PATH, json=event())
    taken(await ask.post(PATH, json=event("acknowledge", client="Bot", payload=None)))
    shown = await site.shown()
    assert (shown["status"], shown["acknowledged_by"]) == ("acknowledged", "Bot")


async def test_without_a_client_pagerduty_acknowledges(sender: Sender) -> None:
    site, ask = sender
    await ask.post(PATH, json=event())
    await ask.post(PATH, json=event("acknowledge", payload=None))
    assert (await site.shown())["acknowledged_by"] == "pagerduty"


async def test_a_resolve_keeps_what_the_alert_was(sender: Sender) -> None:
    site, ask = sender
    await ask.post(PATH, json=event())
    taken(await ask.post(PATH, json=event("resolve", payload=None)))
    shown = await site.shown()
    (alert,) = shown["alerts"]
    assert (alert["status"], alert["labels"]["component"], shown["status"]) == ("resolved", "database", "open")


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
async def test_a_key_nobody_knows_is_taken_and_makes_no_ghost(sender: Sender, action: str) -> None:
    site, ask = sender
    taken(await ask.post(PATH, json=event(action, "unknown", payload=None)))
    assert (await site.get("/incidents"))["incidents"] == []
    assert (await site.get("/alerts"))["alerts"] == []


async def test_an_acknowledge_after_the_end_is_taken_and_changes_nothing(sender: Sender) -> None:
    site, ask = sender
    await ask.post(PATH, json=event())
    await site.post("/1/resolve", {"reason": "known"})
    taken(await ask.post(PATH, json=event("acknowledge", payload=None)))
    assert (await site.shown())["acknowledged_by"] == "Ana"


async def test_recorded_bodies_of_alertmanager_are_about_the_service_their_alerts_share(sender: Sender) -> None:
    site, ask = sender
    taken(await ask.post(PATH, json=recorded("trigger-mixed")))
    shown = await site.shown()
    assert (shown["service"], shown["severity"]) == ("cart", "SEV3")
    assert shown["alerts"][0]["labels"]["alertname"] == "KubePodCrashLooping"


async def test_the_webhook_and_pagerduty_of_one_group_make_one_incident(sender: Sender) -> None:
    site, ask = sender
    taken(await ask.post(PATH, json=recorded("trigger-group2")))
    headers = {"Authorization": f"Bearer {KEY}"}
    await ask.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"), headers=headers)
    assert len((await site.get("/incidents"))["incidents"]) == 1
    assert (await site.shown())["alerts_total"] == 3


async def test_two_peers_in_the_same_instant_are_one_alert(sender: Sender) -> None:
    site, ask = sender
    for answer in await asyncio.gather(*(ask.post(PATH, json=event()) for _ in range(8))):
        taken(answer)
    assert len((await site.get("/incidents"))["incidents"]) == 1


async def test_version_1_is_answered_in_its_own_words(sender: Sender) -> None:
    site, ask = sender
    body = {"service_key": KEY, "event_type": "trigger", "description": "Disk full", "details": {"service": "db"}}
    said = (await ask.post(V1, json=body)).json()
    assert said["status"] == "success"
    stop = {"service_key": KEY, "event_type": "resolve", "incident_key": said["incident_key"]}
    assert (await ask.post(V1, json=stop)).status_code == 200
    shown = await site.shown()
    assert (shown["service"], shown["alerts_firing"]) == ("db", 0)


# refusals


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (event(routing_key="alerts-onl"), "routing_key"), (event(routing_key=""), "routing_key"),
        (event(routing_key=None), "routing_key: missing"), (event(action="explode"), "event_action"),
        (event(payload=None), "payload: missing"), (event(payload={}), "payload.summary: missing"),
        (event(payload={"summary": " "}), "payload.summary: missing"), (event("resolve", None), "dedup_key: missing"),
        (event(key="k" * 256), "dedup_key: longer"), (event() | {"dedup_key": 5}, "dedup_key"), ([], "expected"),
    ],
)  # fmt: skip
async def test_a_bad_event_is_told_in_pagerdutys_form(sender: Sender, body: object, said: str) -> None:
    site, ask = sender
    answer = await ask.post(PATH, json=body)
    assert answer.status_code == 400
    refused = answer.json()
    assert refused["status"] == "invalid event"
    assert said in refused["errors"][0]
    assert KEY not in answer.text
    assert (await site.get("/alerts"))["alerts"] == []


@pytest.mark.parametrize(("size", "status"), [(512_000, 202), (512_001, 413)])
async def test_bodies_have_pagerdutys_bound(sender: Sender, size: int, status: int) -> None:
    _, ask = sender
    assert (await ask.post(PATH, content=json.dumps(event()).encode().ljust(size))).status_code == status


async def test_a_database_that_refuses_is_a_429_so_that_the_sender_tries_again(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, ask = sender

    def refused(job: Any) -> Any:
        raise StoreUnavailable("the database refuses to write")

    monkeypatch.setattr(site.house.core.storage, "write", refused)
    answer = await ask.post(PATH, json=event())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


async def test_without_a_token_any_routing_key_of_this_machine_will_do(site: Site) -> None:
    here, elsewhere = await site.of(None, address="127.0.0.1"), await site.of(None)
    assert taken(await here.post(PATH, json=event())) == "disk"
    assert (await elsewhere.post(PATH, json=event())).status_code == 400
