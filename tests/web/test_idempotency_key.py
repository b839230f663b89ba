"""`Idempotency-Key`: the same request is done once and answered alike."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sites import Site, at_fault, reaching, refusal, webhook

from tocsin.incident.policy import Role
from tocsin.web.app import create_app

KEY = {"Idempotency-Key": "3c1f"}
DECLARED = {"title": "Checkout is down", "severity": "SEV1"}


async def declare(client: httpx.AsyncClient, key: dict[str, str] = KEY, **said: Any) -> httpx.Response:
    return await client.post("/api/v1/incidents", json=DECLARED | said, headers=key)


async def numbers(site: Site) -> list[int]:
    return [i["number"] for i in (await site.get("/incidents"))["incidents"]]


async def test_the_same_request_is_answered_alike_and_done_once(site: Site) -> None:
    first, second = await declare(site.ask), await declare(site.ask)
    assert (first.status_code, first.content) == (second.status_code, second.content) == (201, first.content)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["content-type"] == first.headers["content-type"]
    assert await numbers(site) == [1]


async def test_requests_at_the_same_time_are_done_once(site: Site) -> None:
    answers = await asyncio.gather(*(declare(site.ask) for _ in range(8)))
    assert {a.content for a in answers} == {answers[0].content}
    assert sum("idempotency-replayed" in a.headers for a in answers) == 7
    assert await numbers(site) == [1]


async def test_a_key_used_for_another_request_is_refused(site: Site) -> None:
    await declare(site.ask)
    assert at_fault(await declare(site.ask, title="Another")) == ["idempotency-key"]
    other = await site.ask.post("/api/v1/incidents/1/acknowledge", json={}, headers=KEY)
    assert "another request" in refusal(other, 422)["detail"]
    assert (await site.shown())["status"] == "open"


async def test_other_keys_and_no_key_are_other_requests(site: Site) -> None:
    for key in (KEY, {"Idempotency-Key": "other"}, {}, {}):
        await declare(site.ask, key)
    assert await numbers(site) == [4, 3, 2, 1]


async def test_peoples_keys_do_not_meet(site: Site) -> None:
    await declare(site.ask)
    dana = await site.of(Role.RESPONDER, name="Dana")
    assert "idempotency-replayed" not in (await declare(dana)).headers
    refusal(await declare(await site.of(None)), 401)
    assert await numbers(site) == [2, 1]


async def test_a_refusal_that_was_decided_is_replayed(site: Site) -> None:
    await declare(site.ask, {})
    first = await site.ask.post("/api/v1/incidents/1/severity", json={"severity": "SEV1"}, headers=KEY)
    await site.post("/1/severity", {"severity": "SEV2"})
    again = await site.ask.post("/api/v1/incidents/1/severity", json={"severity": "SEV1"}, headers=KEY)
    assert refusal(first, 409) == refusal(again, 409)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_refusal_for_another_reason_is_not_kept(site: Site) -> None:
    path = "/api/v1/incidents/1/acknowledge"
    refusal(await site.ask.post(path, json={}, headers=KEY), 404)
    await declare(site.ask, {})
    assert (await site.ask.post(path, json={}, headers=KEY)).status_code == 200


async def test_a_key_is_kept_for_a_day(site: Site) -> None:
    await declare(site.ask)
    site.clock.move(hours=23, minutes=59)
    assert "idempotency-replayed" in (await declare(site.ask)).headers
    site.clock.move(minutes=1)
    assert "idempotency-replayed" not in (await declare(site.ask)).headers
    assert await numbers(site) == [2, 1]


@pytest.mark.parametrize(("key", "status"), [("x" * 255, 201), ("x" * 256, 400), ("", 400), (" ", 400)])
async def test_a_key_has_one_to_255_characters(site: Site, key: str, status: int) -> None:
    assert (await declare(site.ask, {"Idempotency-Key": key})).status_code == status


async def test_alerts_are_replayed_too(site: Site) -> None:
    sender = await site.of(None, address="127.0.0.1")
    answers = [
        await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"), headers=KEY) for _ in "12"
    ]
    assert answers[0].content == answers[1].content
    assert b"opened" in answers[1].content


async def test_a_key_survives_a_restart(site: Site) -> None:
    first = await declare(site.ask)
    restarted = reaching(create_app(site.house), dict(site.ask.headers), "203.0.113.9")
    async with restarted:
        assert (await declare(restarted)).content == first.content
