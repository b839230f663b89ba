"""How fast alerts are taken, durably, over HTTP: one alert a body, most of them copies, as they come from a storm."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.client import hammer, request
from bench.figures import Figure, Yardstick, median, percentile
from bench.servers import bare, settings, tocsin

BODIES, DISTINCT, SERVICES = 400, 30, 5
PATH = "/api/v1/alerts/alertmanager"


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        settings(Path(folder))
        with tocsin(Path(folder)) as ours, bare(Path(folder)) as theirs:
            asyncio.run(hammer(ours.port, _requests(PATH, DISTINCT), connections=1))  # opens the incidents
            asyncio.run(asyncio.sleep(2))  # lets their assessments end
            return [figure for count in (1, 16) for figure in _at(ours.port, theirs.port, connections=count)]


def _at(ours: int, theirs: int, *, connections: int) -> list[Figure]:
    taken, seconds = asyncio.run(hammer(ours, _requests(PATH, BODIES), connections=connections))
    plain, plainly = asyncio.run(hammer(theirs, _requests("/alerts", BODIES), connections=connections))
    name = f"alert to 2xx, {connections} connection{'s' * (connections > 1)}"
    beside = "bare route, 202"
    return [
        Figure(f"{name}, p50", 1000 * median(taken), "ms", Yardstick(beside, 1000 * median(plain))),
        Figure(f"{name}, p99", 1000 * percentile(taken, 0.99), "ms", Yardstick(beside, 1000 * percentile(plain, 0.99))),
        Figure(f"{name}, rate", BODIES / seconds, "/s", Yardstick(beside, BODIES / plainly)),
    ]


def _requests(path: str, count: int) -> list[bytes]:
    return [request("POST", path, body(n % DISTINCT), {"Content-Type": "application/json"}) for n in range(count)]


def body(number: int, *, service: str = "") -> bytes:
    """One alert as Alertmanager sends it."""
    labels = {
        "alertname": "HighErrorRate",
        "service": service or f"service-{number % SERVICES}",
        "severity": "critical",
        "pod": f"pod-{number}",
    }
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": summary(number)},
        "startsAt": datetime(2026, 1, 1, tzinfo=UTC),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
    }
    return msgspec.json.encode({"version": "4", "groupKey": "{}", "status": "firing", "alerts": [alert]})


def summary(number: int) -> str:
    return f"More than 5 % of the requests to pod-{number} fail"
