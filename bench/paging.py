"""From an alert's first byte to its page in the hands of a webhook's far end, one incident after the other."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.client import Connection, request
from bench.figures import Figure, Yardstick, percentile
from bench.ingest import PATH, body, summary
from bench.receiver import Receiver, receiving
from bench.servers import bare, settings, tocsin

COUNT, PAUSE = 60, 0.3
"""So many incidents, each when the last one's assessment is over: the server is idle when an alert comes."""
WARMING, WARMING_PAUSE = 2, 1.5
"""So many before them, not counted: a server that has just begun compiles its pages and opens its connections."""
P50_MS, P99_MS = 20.0, 60.0


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    async with receiving() as receiver:
        settings(folder, webhook=receiver.port)
        with tocsin(folder) as ours, bare(folder, forward_to=receiver.port) as theirs:
            paged = await _pages(ours.port, receiver)
            handed = await _handed_on(theirs.port)
    name, beside = "alert to page at the webhook", "bare route that hands it on"
    return [
        Figure(f"{name}, p50", _ms(paged, 0.5), "ms", Yardstick(beside, _ms(handed, 0.5)), target=P50_MS),
        Figure(f"{name}, p99", _ms(paged, 0.99), "ms", Yardstick(beside, _ms(handed, 0.99)), target=P99_MS),
    ]


def _ms(seconds: list[float], share: float) -> float:
    return 1000 * percentile(seconds, share)


async def _pages(port: int, receiver: Receiver) -> list[float]:
    connection = await Connection.open(port)
    taken = []
    for number in range(-WARMING, COUNT):
        begun = time.perf_counter()
        await connection.timed(
            request("POST", PATH, body(number, service=f"shop-{number}"), {"Content-Type": "application/json"})
        )
        taken.append(await receiver.arrived("page", summary(number)) - begun)
        await asyncio.sleep(PAUSE if number >= 0 else WARMING_PAUSE)
    await connection.close()
    return taken[WARMING:]


async def _handed_on(port: int) -> list[float]:
    connection = await Connection.open(port)
    posted = b'{"kind": "yardstick", "incident": {"title": "none"}}'
    taken = [await connection.timed(request("POST", "/forward", posted)) for _ in range(COUNT)]
    await connection.close()
    return taken
