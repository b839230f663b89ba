"""A real server whose database is away, killed with -9 meanwhile: every alert that it promised is taken in once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from serving import Server

pytestmark = pytest.mark.e2e
SETTINGS = """
public_url = "http://127.0.0.1:{port}"
[people.ana]
[roles]
"*" = "ana"
[sources.alerts]
token = "env:TOCSIN_ALERT_TOKEN"
[ingest]
spool = "spool"
[procedures.environment]
PATH = "/nonexistent"
"""
SERVICES = 12


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path, SETTINGS)
    yield found
    found.stop()
    found.client.close()


def firing(number: int) -> bytes:
    alert = {
        "status": "firing",
        "labels": {"alertname": "Down", "service": f"service-{number}", "severity": "critical"},
        "annotations": {"summary": "It is down"},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }
    return json.dumps({"version": "4", "status": "firing", "groupKey": "{}", "alerts": [alert]}).encode()


def fired(server: Server) -> list[str]:
    """The fingerprints that timelines say began, each as often as they say so."""
    with closing(sqlite3.connect(server.folder / "tocsin.db")) as database:
        rows = database.execute("SELECT data FROM event ORDER BY position").fetchall()
    events = (json.loads(data) for (data,) in rows)
    return [event["fingerprint"] for event in events if event["type"] == "AlertFired"]


def test_what_was_promised_while_the_database_was_away_survives_the_server(server: Server) -> None:
    server.start()
    holder = sqlite3.connect(server.folder / "tocsin.db", isolation_level=None, timeout=10)
    holder.execute("BEGIN IMMEDIATE")
    promised = set()
    for number in range(SERVICES):
        (alert,) = server.alert(firing(number)).raise_for_status().json()["alerts"]
        assert alert["outcome"] == "spooled"
        promised.add(alert["fingerprint"])
    assert f"{SERVICES} alerts wait in the spool" in server.client.get("/readyz").json()["detail"]
    assert server.client.get("/readyz?to=alerts").is_success
    server.kill()
    holder.close()
    server.start()
    server.until(lambda: server.client.get("/readyz").json().get("spooled") == 0)
    assert sorted(fired(server)) == sorted(promised)
