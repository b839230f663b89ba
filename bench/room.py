"""How long the incident room's page takes over HTTP on loopback."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.client import hammer, request
from bench.figures import Figure, Yardstick, percentile
from bench.seeding import seed
from bench.servers import settings, tocsin

TARGET_MS = 100
WARM, COUNT = 3, 25
SETTLE_SECONDS = 3
"""The seeded incident's own assessment runs first."""


def measure() -> list[Figure]:
    return [*_room(1000, target=TARGET_MS), *_room(5000, target=None)]


def _room(events: int, *, target: float | None) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        token = seed(settings(Path(folder)), events=events)
        page = request("GET", "/incidents/1", headers={"Authorization": f"Bearer {token}", "Accept": "text/html"})
        with tocsin(Path(folder)) as server:
            time.sleep(SETTLE_SECONDS)
            rooms = _times(server.port, page)
            plain = _times(server.port, request("GET", "/healthz"))
    name = f"incident room, {events:,} events"
    return [
        Figure(f"{name}, median", _ms(rooms, 0.5), "ms", Yardstick("/healthz", _ms(plain, 0.5)), target),
        Figure(f"{name}, p95", _ms(rooms, 0.95), "ms", Yardstick("/healthz, p95", _ms(plain, 0.95))),
    ]


def _ms(seconds: list[float], share: float) -> float:
    return 1000 * percentile(seconds, share)


def _times(port: int, asked: bytes) -> list[float]:
    taken, _ = asyncio.run(hammer(port, [asked] * (WARM + COUNT), connections=1))
    return taken[WARM:]
