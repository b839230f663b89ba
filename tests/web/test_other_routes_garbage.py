"""Garbage on the addresses beside a sender's first: its verbs, mapped bodies, heartbeats, silences. Never a 500."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sites import SETTINGS, Site

from tocsin.incident.policy import Role

Opener = Callable[..., Awaitable[Site]]
MAPPING = """
[[sources.mappings]]
name = "shop"
title = "event.title"
alerts = "items"
[[sources.heartbeats]]
name = "nightly"
"""
GARBAGE = (b"{", b"null", b"[]", b'"x"', b"7", b"\xff\xfe{}", b"\x00", b"[" * 200_000, b'{"a":' * 200_000,
           b'{"a": NaN}', b'{"\\ud800": "\\ud800"}', b"{}".ljust(5_000_001))  # fmt: skip
POSTED = (
    "/api/v1/alerts/mapped/shop", "/v2/alerts/disk/close?identifierType=alias", "/v2/alerts/disk/acknowledge",
    "/v2/alerts/disk/notes", "/v2/alerts/disk/tags", "/v2/alerts/disk/details", "/v2/alerts/disk/responders",
    "/v2/alerts/disk/assign", "/v2/alerts/disk/escalate", "/api/v1/heartbeats/nightly",
    "/v2/heartbeats/nightly/ping", "/api/v1/silences",
)  # fmt: skip
PUT = ("/v2/alerts/disk/message", "/v2/alerts/disk/description", "/v2/alerts/disk/priority")


@pytest.fixture
async def ask(opener: Opener) -> httpx.AsyncClient:
    """An agent, and an alert that it may speak of."""
    site = await opener(settings=SETTINGS + MAPPING)
    client = await site.of(Role.RESPONDER, name="Agent")
    made = await client.post("/v2/alerts", json={"message": "Disk full", "alias": "disk"})
    assert made.status_code == 202
    return client


@pytest.mark.parametrize(("method", "path"), [*(("POST", p) for p in POSTED), *(("PUT", p) for p in PUT)])
async def test_whatever_is_sent_there_is_taken_or_refused_in_its_form(
    ask: httpx.AsyncClient, method: str, path: str
) -> None:
    for body in GARBAGE:
        answer = await ask.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 201, 202, 204, 400, 404, 413, 415, 422), (body[:20], answer.text[:300])
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith(("application/json", "application/problem+json"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"items": [{}]}, "title"),
        ({"items": [{"event": {"title": "x"}}, 7]}, "alerts[1].title"),
        ({"items": 3}, "items"),
        ([], "items"),
    ],
)
async def test_a_mapped_body_that_does_not_fit_names_what_is_missing(
    ask: httpx.AsyncClient, body: object, said: str
) -> None:
    answer = await ask.post("/api/v1/alerts/mapped/shop", content=json.dumps(body).encode())
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text
