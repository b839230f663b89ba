"""Alive, ready, counted: what probes and Prometheus ask, without a credential."""

from __future__ import annotations

from typing import Any

import pytest
from listening import until
from sites import Site, refusal

from tocsin.store.errors import StoreUnavailable


async def test_the_process_is_alive(site: Site) -> None:
    assert (await (await site.of(None)).get("/healthz")).json() == {"status": "ok"}


async def test_it_is_ready_while_the_engine_turns(site: Site) -> None:
    anybody = await site.of(None)
    assert "not turned yet" in refusal(await anybody.get("/readyz"), 503)["detail"]
    await site.house.engine.tick()
    site.clock.move(seconds=5)
    assert (await anybody.get("/readyz")).json()["status"] == "ready"
    site.clock.move(seconds=1)
    assert "the engine has not turned for 6 s" in refusal(await anybody.get("/readyz"), 503)["detail"]


async def test_it_is_not_ready_without_its_database(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(job: Any) -> Any:
        raise StoreUnavailable("the database refuses to read: unable to open database file")

    await site.house.engine.tick()
    monkeypatch.setattr(site.house.core.storage, "read", refused)
    anybody = await site.of(None)
    assert "database" in refusal(await anybody.get("/readyz"), 503)["detail"]
    refusal(await anybody.get("/metrics"), 503)
    assert (await anybody.get("/healthz")).status_code == 200


async def test_metrics_count_incidents_and_work(site: Site) -> None:
    await site.declare()
    async with site.turning():
        await until(lambda: site.channel.messages)
    text = (await (await site.of(None)).get("/metrics")).text
    assert 'tocsin_incidents{status="open"} 1.0' in text
    assert 'tocsin_incidents{status="resolved"} 0.0' in text
    assert 'tocsin_work_items{state="done"}' in text
    assert "tocsin_engine_last_turn_age_seconds 0.0" in text
    assert "Checkout" not in text
