"""Whatever is posted to a sender's address is taken or refused in its form: never a 500, and nothing half-kept."""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from senders import SENDERS, Sender
from sites import Site

PATHS = {
    "alertmanager-api": "/api/v2/alerts",
    "grafana-legacy": "/api/v1/alerts/grafana",
    "pagerduty": "/v2/enqueue",
    "pagerduty-v1": "/generic/2010-04-15/create_event.json",
    "opsgenie": "/v2/alerts",
}
TAKEN, REFUSED = (200, 202), (400, 413, 422)
every = pytest.mark.parametrize("sender", SENDERS, ids=str)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


async def local(site: Site) -> httpx.AsyncClient:
    return await site.of(None, address="127.0.0.1")


def path(sender: Sender) -> str:
    return PATHS.get(sender.name, f"/api/v1/alerts/{sender.name}")


async def kept(site: Site) -> int:
    return len((await site.get("/alerts"))["alerts"])


@every
async def test_the_example_of_every_sender_opens_an_incident(site: Site, sender: Sender) -> None:
    answer = await (await local(site)).post(path(sender), json=sender.fires)
    assert answer.status_code in TAKEN, answer.text
    shown = await site.shown()
    assert (shown["alerts_total"], shown["status"]) == (1, "open")


GARBAGE = (
    b"", b"{", b"null", b"\xff\xfe{}", b"\x00", b"[" * 200_000, b'{"a":' * 200_000, b'"' + b"x" * 400_000,
)  # fmt: skip


@every
async def test_what_cannot_be_read_is_a_4xx_and_leaves_nothing(site: Site, sender: Sender) -> None:
    ask = await local(site)
    for body in GARBAGE:
        answer = await ask.post(path(sender), content=body)
        assert answer.status_code in REFUSED, (body[:20], answer.text)
        assert answer.headers["content-type"].startswith(("application/json", "application/problem+json"))
    assert await kept(site) == 0


@every
async def test_above_five_megabytes_it_is_a_413(site: Site, sender: Sender) -> None:
    body = json.dumps(sender.fires).encode().ljust(5_000_001)
    assert (await (await local(site)).post(path(sender), content=body)).status_code == 413
    assert await kept(site) == 0


@pytest.mark.parametrize("sender", [s for s in SENDERS if s.many], ids=str)
async def test_of_a_body_with_one_bad_alert_nothing_is_kept(site: Site, sender: Sender) -> None:
    assert sender.many is not None
    body: Any = sender.many(3)
    listed = body if isinstance(body, list) else body["alerts"]
    listed[2] = 5
    answer = await (await local(site)).post(path(sender), json=body)
    assert answer.status_code in REFUSED
    assert "2" in answer.text or "[...]" in answer.text
    assert await kept(site) == 0


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_field_whatever_breaks_the_server(site: Site, data: st.DataObject) -> None:
    sender = data.draw(st.sampled_from(SENDERS))
    body: Any = copy.deepcopy(sender.fires)
    place: Any = body
    for _ in range(data.draw(st.integers(0, 2))):
        inner = [v for v in (place.values() if isinstance(place, dict) else place) if isinstance(v, dict | list) and v]
        place = data.draw(st.sampled_from(inner)) if inner else place
    key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(VALUES)
    answer = await (await local(site)).post(path(sender), content=json.dumps(body).encode())
    assert answer.status_code in TAKEN + REFUSED, (sender.name, body, answer.text)
