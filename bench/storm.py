"""Storms: a thousand services at once, and ten thousand alerts of one service within a minute."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.client import Connection, request
from bench.figures import Figure, Yardstick, percentile
from bench.ingest import PATH, body, summary
from bench.receiver import Receiver, receiving
from bench.servers import settings, tocsin

SERVICES, ALERTS = 1000, 10_000
CONNECTIONS = 64
MINUTE = 60.0
TARGET_SECONDS, PAGES_A_MINUTE = 1.0, 3.0


def measure() -> list[Figure]:
    return asyncio.run(_thousand_services()) + asyncio.run(_one_service())


async def _thousand_services() -> list[Figure]:
    """Each service's first page: from the instant when all the alerts were there, to its arrival."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        async with receiving() as receiver:
            settings(Path(folder), webhook=receiver.port)
            with tocsin(Path(folder)) as server:
                asked = [_alert(n, service=f"service-{n}") for n in range(SERVICES)]
                begun = time.perf_counter()
                _, came = await asyncio.gather(_posted(server.port, asked), _all_paged(receiver))
    late = [at - begun for at in came]
    rings = len({at for at, _ in receiver.pages})
    return [
        Figure("1,000 services at once: first page, p50", percentile(late, 0.5), "s"),
        Figure("1,000 services at once: first page, p99", percentile(late, 0.99), "s", target=TARGET_SECONDS),
        Figure("1,000 services at once: hand-overs that carried them", rings, ""),
    ]


async def _all_paged(receiver: Receiver) -> list[float]:
    return await asyncio.gather(*(receiver.arrived("page", summary(n)) for n in range(SERVICES)))


async def _one_service() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        async with receiving() as receiver:
            settings(Path(folder), webhook=receiver.port)
            with tocsin(Path(folder)) as server:
                asked = [_alert(n, service="one") for n in range(ALERTS)]
                begun = time.perf_counter()
                refused, first = await asyncio.gather(
                    _posted(server.port, asked, within=MINUTE), receiver.arrived("page", summary(0))
                )
                stored = await _stored(server.port)
    worst = _most_in_a_minute(receiver.pages)
    return [
        Figure("10,000 alerts of one service: not stored", float(ALERTS - stored), "", target=0.5),
        Figure("10,000 alerts of one service: refused", float(refused), "", target=0.5),
        Figure("10,000 alerts of one service: first page", first - begun, "s", target=TARGET_SECONDS),
        Figure(
            "10,000 alerts of one service: pages a person, worst minute", worst, "",
            Yardstick("alerts in that minute", float(ALERTS)), target=PAGES_A_MINUTE + 0.5,
        ),
    ]  # fmt: skip


def _alert(number: int, *, service: str) -> bytes:
    return request("POST", PATH, body(number, service=service), {"Content-Type": "application/json"})


async def _posted(port: int, asked: Sequence[bytes], *, within: float = 0.0) -> int:
    """Posts all of them, evenly over so many seconds; how many were refused."""
    begun = time.perf_counter()
    waiting = iter(enumerate(asked))
    refused = 0

    async def post() -> None:
        nonlocal refused
        connection = await Connection.open(port)
        for number, one in waiting:
            early = begun + within * number / len(asked) - time.perf_counter()
            await asyncio.sleep(max(0.0, early))
            status, _ = await connection.ask(one)
            refused += status >= 300
        await connection.close()

    await asyncio.gather(*(post() for _ in range(CONNECTIONS)))
    return refused


async def _stored(port: int) -> int:
    """How many alerts the metrics say were taken and told apart as new."""
    connection = await Connection.open(port)
    _, text = await connection.ask(request("GET", "/metrics"))
    await connection.close()
    lines = (line.rpartition(" ") for line in text.decode().splitlines() if line.startswith("tocsin_alerts_total"))
    return int(sum(float(count) for name, _, count in lines if "opened" in name or "attached" in name))


def _most_in_a_minute(pages: Sequence[tuple[float, str]]) -> float:
    worst: Counter[str] = Counter()
    for at, person in pages:
        count = sum(person == other and at <= then < at + MINUTE for then, other in pages)
        worst[person] = max(worst[person], count)
    return float(max(worst.values(), default=0))
