"""How long the clock takes to decide a thousand incidents that fall due in the same instant. Nothing is delivered."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.figures import Figure, Yardstick
from bench.seeding import alert
from bench.servers import settings
from tocsin.bootstrap import compose
from tocsin.config import load
from tocsin.store.database import Store

INCIDENTS = 1000
LATER = timedelta(minutes=16)
"""Past the acknowledge of every level that the alerts carry, and past the first rung of the matrix."""


class SetClock:
    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        seconds = asyncio.run(_decide(Path(folder)))
        plain = _plain(Path(folder))
    beside = f"{INCIDENTS:,} durable one-row commits"
    return [Figure(f"{INCIDENTS:,} incidents due at once, decided", seconds, "s", Yardstick(beside, plain))]


async def _decide(folder: Path) -> float:
    found = load(settings(folder), environ={})
    store = Store(found.database.get_secret_value())
    clock = SetClock(datetime.now(UTC))
    try:
        house = compose(found, store=store, clock=clock)
        await house.desk.receive([alert(n, service=f"service-{n}", at=clock.instant) for n in range(INCIDENTS)])
        clock.instant += LATER
        begun = time.perf_counter()
        while await house.engine.tick():
            pass
        return time.perf_counter() - begun
    finally:
        store.close()


def _plain(folder: Path) -> float:
    """Seconds for as many commits of one row, as durable as ours, on the same disk."""
    database = sqlite3.connect(folder / "plain.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)")
    begun = time.perf_counter()
    for number in range(INCIDENTS):
        database.execute("INSERT INTO entry (text) VALUES (?)", (f"entry {number}",))
    seconds = time.perf_counter() - begun
    database.close()
    return seconds
