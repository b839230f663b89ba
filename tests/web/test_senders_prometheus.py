"""Prometheus posts straight to Tocsin as if it were an Alertmanager."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sites import Site, refusal, webhook

from tocsin.store.errors import StoreUnavailable

PATH = "/api/v2/alerts"


async def local(site: Site) -> httpx.AsyncClient:
    return await site.of(None, address="127.0.0.1")


def posted(site: Site, *, ends_in: float, **labels: str) -> dict[str, object]:
    """As Prometheus resends it: firing, it ends some minutes from now."""
    now = site.clock.now()
    return {
        "labels": {"alertname": "Down", "service": "backend", "severity": "critical"} | labels,
        "annotations": {"summary": "The backend is down"},
        "startsAt": "2026-01-05T02:50:00.123456789Z",
        "endsAt": (now + timedelta(minutes=ends_in)).isoformat(),
        "generatorURL": "http://prometheus/graph",
    }


async def test_an_alert_that_ends_later_fires_and_one_that_ended_is_resolved(site: Site) -> None:
    ask = await local(site)
    for _ in range(3):
        answer = await ask.post(PATH, json=[posted(site, ends_in=4)])
        assert (answer.status_code, answer.content) == (200, b"")
    assert ((await site.shown())["title"], (await site.shown())["alerts_firing"]) == ("The backend is down", 1)
    await ask.post(PATH, json=[posted(site, ends_in=0)])
    assert ((await site.shown())["alerts_firing"], (await site.shown())["alerts_total"]) == (0, 1)


async def test_the_silence_of_prometheus_is_no_end_of_its_alerts(site: Site) -> None:
    await (await local(site)).post(PATH, json=[posted(site, ends_in=4)])
    await site.pass_(hours=1)
    assert (await site.shown())["alerts_firing"] == 1


async def test_prometheus_and_the_webhook_of_its_alertmanager_tell_of_one_alert(site: Site) -> None:
    ask = await local(site)
    group = json.loads(webhook("firing-group2"))
    direct = [{k: a[k] for k in ("labels", "annotations", "startsAt")} for a in group["alerts"]]
    await ask.post(PATH, json=direct)
    await ask.post("/api/v1/alerts/alertmanager", json=group)
    assert (await site.shown())["alerts_total"] == 2
    assert len((await site.get("/incidents"))["incidents"]) == 1


async def test_it_asks_for_the_credential_of_every_alert(opener: Any) -> None:
    site = await opener(alert_token="alerts-only")
    ask = await site.of(None)
    body = [posted(site, ends_in=4)]
    refusal(await ask.post(PATH, json=body), 401)
    assert (await ask.post(PATH, json=body, headers={"Authorization": "Bearer alerts-only"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "body"), (b"", "body"), (b"[1]", "[0]"), (b"[{}]", "[0].labels"), (b'[{"labels": {}}]', "[0].labels"),
        (b'[{"labels": {"a": ""}}]', "[0].labels"), (b'[{"labels": {"a": 1}}]', "[0].labels"),
        (b'[{"labels": {"a": "b"}, "startsAt": "yesterday"}]', "[0].startsAt"),
    ],
)  # fmt: skip
async def test_a_bad_body_is_refused_by_field_and_leaves_nothing(site: Site, body: bytes, field: str) -> None:
    problem = refusal(await (await local(site)).post(PATH, content=body), 400)
    assert field.split("[...")[0].split(".")[0] in problem["errors"][0]["name"] or field == "[0]"
    assert (await site.get("/alerts"))["alerts"] == []


async def test_a_database_that_refuses_is_a_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(job: Any) -> Any:
        raise StoreUnavailable("the database refuses to write")

    ask = await local(site)
    body = [posted(site, ends_in=4)]
    monkeypatch.setattr(site.house.core.storage, "write", refused)
    refusal(await ask.post(PATH, json=body), 503)
