"""Alive, ready, counted: what probes and Prometheus ask, without a credential."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from listening import until
from prometheus_client.parser import text_string_to_metric_families
from sites import Site, refusal, webhook

from tocsin.engine.ingest_log import Spooled
from tocsin.incident.policy import Role
from tocsin.store.errors import StoreUnavailable
from tocsin.store.spool import Spool

LOCAL = "127.0.0.1"


@contextmanager
def spooling(site: Site, folder: Path, *, limit: int = 10**6) -> Iterator[Spool]:
    """The site with a spool, while another process holds its database's lock to write."""
    spool = Spool(folder, limit=limit)
    site.house.spooled = Spooled(site.house.desk, spool, on_trouble=lambda name, said: _note(site, name, said))
    holder = sqlite3.connect(site.store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield spool
    finally:
        holder.close()
        spool.close()


def _note(site: Site, name: str, said: str | None) -> None:
    site.house.troubles[name] = said or ""


async def scraped(site: Site) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample by its name and label values."""
    answer = await (await site.of(None)).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


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
    assert "refuses to read" in refusal(await anybody.get("/readyz"), 503)["detail"]
    assert (await anybody.get("/healthz")).status_code == 200
    found = await scraped(site)
    assert found["tocsin_database_up"] == {(): 0}
    assert "tocsin_queue_depth" not in found


async def test_it_says_that_the_database_is_away_and_how_many_alerts_wait(site: Site, tmp_path: Path) -> None:
    await site.house.engine.tick()
    sender = await site.of(None, address=LOCAL)
    with spooling(site, tmp_path / "spool"):
        taken = await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"))
        assert {alert["outcome"] for alert in taken.json()["alerts"]} == {"spooled"}
        many = len(taken.json()["alerts"])
        assert f"{many} alerts wait" in refusal(await sender.get("/readyz"), 503)["detail"]
        assert (await sender.get("/readyz?to=alerts")).json() == {"status": "ready", "spooled": many}
        assert (await scraped(site))["tocsin_spool_waiting_alerts"] == {(): many}


async def test_the_page_says_plainly_that_the_database_is_away(site: Site, tmp_path: Path) -> None:
    person, sender = await site.signed_in(Role.RESPONDER), await site.of(None, address=LOCAL)
    with spooling(site, tmp_path / "spool"):
        await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"))
        page = (await person.get("/", headers={"Accept": "text/html"})).text
        assert "the database refuses to write: database is locked; 2 alerts wait in the spool" in page


async def test_what_is_said_of_an_alert_waits_for_the_spool(site: Site, tmp_path: Path) -> None:
    sender = await site.of(None, address=LOCAL)
    end = {"routing_key": "", "event_action": "resolve", "dedup_key": "k"}
    with spooling(site, tmp_path / "spool"):
        await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"))
        assert (await sender.post("/v2/enqueue", json=end)).status_code == 429
        closed = await sender.post("/v2/alerts/k/close?identifierType=alias", json={})
        assert closed.status_code == 429
        assert "send it again once they are taken in" in closed.json()["message"]


async def test_a_full_spool_takes_no_alerts(site: Site, tmp_path: Path) -> None:
    sender = await site.of(None, address=LOCAL)
    with spooling(site, tmp_path / "spool", limit=1):
        refused = await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"))
        assert "is full" in refusal(refused, 503)["detail"]


async def test_metrics_count_incidents_work_and_deliveries(site: Site) -> None:
    await site.declare()
    async with site.turning():
        await until(lambda: site.channel.messages)
        await until(lambda: site.house.core.meters.deliveries.read())
    found = await scraped(site)
    assert found["tocsin_open_incidents"]["SEV1", "open"] == 1
    assert found["tocsin_open_incidents"]["SEV4", "open"] == 0
    assert found["tocsin_deliveries_total"]["recording", "delivered"] >= 1
    assert found["tocsin_engine_turns_total"]["ok",] >= 1
    assert found["tocsin_engine_last_turn_age_seconds"] == {(): 0}
    assert found["tocsin_queue_depth"].keys() == {
        (kind, state) for kind in ("send", "execute", "mitigate") for state in ("pending", "leased")
    }


async def test_the_text_names_nothing_of_an_incident(site: Site) -> None:
    await site.declare(title="Checkout is down")
    assert "Checkout" not in (await (await site.of(None)).get("/metrics")).text


async def test_every_metric_is_there_before_anything_happened(site: Site) -> None:
    found = await scraped(site)
    assert found["tocsin_database_refusals_total"] == {("read",): 0, ("write",): 0}
    assert found["tocsin_deadline_lateness_seconds_count"] == {(): 0}
    assert found["tocsin_work_lateness_seconds_bucket"]["send", "+Inf"] == 0
    assert found["tocsin_database_up"] == {(): 1}
