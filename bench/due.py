"""The clock: a burst of incidents due in one instant, a steady thousand a second among many that are not due, and what
a look costs however many are not. Nothing is delivered.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import create_engine, text

from bench.figures import Figure, Yardstick, median, percentile
from bench.postgres import cluster, programs
from bench.seeding import alert
from bench.servers import settings
from tocsin.bootstrap import House, compose
from tocsin.cli.serve import collect_seldom
from tocsin.config import load
from tocsin.incident.state import Incident
from tocsin.store.database import Store
from tocsin.store.tx import Tx

BURST = 10_000
OPEN, A_SECOND, SECONDS = 100_000, 1000, 8
STANDING = (1000, 10_000, 100_000, 1_000_000)
CHUNK = 5000
RUNG = timedelta(minutes=15)
"""The matrix's first rung of the level that the alert carries."""
BURST_SECONDS, P50_MS, P99_MS = 2.0, 20.0, 100.0


class SetClock:
    """Stands at an instant until it is `let_go`; then it runs on from there."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant
        self._since: float | None = None

    def let_go(self) -> None:
        self._since = time.perf_counter()

    def now(self) -> datetime:
        passed = 0.0 if self._since is None else time.perf_counter() - self._since
        return self.instant + timedelta(seconds=passed)


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        found = _on("SQLite", Path(folder), ("", "", ""))
    if programs() is None:
        return found
    with cluster(durable=True) as server, tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        urls = (server.create("burst"), server.create("steady"), server.create("standing"))
        return found + _on("PostgreSQL", Path(folder), urls)


def _on(database: str, folder: Path, urls: tuple[str, str, str]) -> list[Figure]:
    with _house(folder / "burst", urls[0]) as (house, store, clock):
        seconds = asyncio.run(_burst(house, store, clock))
    with _house(folder / "steady", urls[1]) as (house, store, clock):
        late = asyncio.run(_steady(house, store, clock))
    with _house(folder / "standing", urls[2]) as (house, _, _):
        looks = asyncio.run(_looks(house, urls[2] or f"sqlite:///{folder / 'standing' / 'tocsin.db'}"))
    name = f"{database}: {A_SECOND:,} a second due among {OPEN:,} open, lateness"
    return [
        Figure(f"{database}: {BURST:,} due in one instant, decided", seconds, "s", target=BURST_SECONDS),
        Figure(f"{name} p50", 1000 * percentile(late, 0.5), "ms", target=P50_MS),
        Figure(f"{name} p99", 1000 * percentile(late, 0.99), "ms", target=P99_MS),
        *(
            Figure(
                f"{database}: a look among {count:,} that are not due", look, "ms", Yardstick("among 1,000", looks[0])
            )
            for count, look in zip(STANDING, looks, strict=True)
        ),
    ]


@contextmanager
def _house(folder: Path, url: str) -> Iterator[tuple[House, Store, SetClock]]:
    folder.mkdir()
    given = settings(folder, database=url or f"sqlite:///{folder / 'tocsin.db'}")
    found = load(given, environ={})
    store = Store(found.database.get_secret_value())
    clock = SetClock(datetime.now(UTC))
    looked = gc.get_threshold()
    try:
        house = compose(found, store=store, clock=clock)
        collect_seldom()  # as `tocsin serve` does
        yield house, store, clock
    finally:
        store.close()
        gc.set_threshold(*looked)
        gc.unfreeze()


async def _burst(house: House, store: Store, clock: SetClock) -> float:
    due = clock.instant + RUNG
    await _seed(house, store, BURST, lambda n: due)
    clock.instant = due
    begun = time.perf_counter()
    while await house.engine.tick():
        pass
    return time.perf_counter() - begun


async def _steady(house: House, store: Store, clock: SetClock) -> list[float]:
    """How late each was decided: from when it was due to when its decision was durable, in seconds."""
    first, each = clock.instant + RUNG, timedelta(seconds=1) / A_SECOND
    count = A_SECOND * SECONDS
    await _seed(house, store, OPEN, lambda n: first + each * n if n < count else first + timedelta(days=1))
    late = Late()
    house.core.meters.decided = late.decided  # type: ignore[method-assign]
    clock.instant = first - timedelta(seconds=0.5)
    clock.let_go()
    while len(late.seconds) < count:
        agenda = await house.engine.agenda()
        if agenda.due is None or agenda.due > clock.now():
            await asyncio.sleep(0.001)
        else:
            await house.engine.tick()
    return late.seconds


class Late:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def decided(self, late: float, times: int = 1) -> None:
        self.seconds += [late] * times


async def _seed(house: House, store: Store, count: int, due_at: Callable[[int], datetime]) -> None:
    """So many open incidents like one that came in by the front door, each due at its own time."""
    await house.desk.receive([alert(0, service="pattern", at=house.core.clock.now())])
    pattern = await house.desk.incident("1")
    store.write(lambda tx: tx.save(pattern, lambda: None, new=False)).result()

    def some(tx: Tx, numbers: range) -> None:
        for number in numbers:
            due = due_at(number)
            tx.save(_like(pattern, number, opened_at=due - RUNG), partial(_same, due), new=True)

    for first in range(0, count, CHUNK):
        numbers = range(first, min(count, first + CHUNK))
        store.write(partial(some, numbers=numbers)).result()


def _like(pattern: Incident, number: int, *, opened_at: datetime) -> Incident:
    return replace(
        pattern,
        id=f"seeded-{number}",
        number=number + 2,
        service=f"service-{number}",
        opened_at=opened_at,
        clock_started_at=opened_at,
        acknowledge_missed=True,
        runs=(),
        updates=(),
    )


def _same(at: datetime) -> datetime:
    return at


async def _looks(house: House, url: str) -> list[float]:
    """What one look at the agenda costs in milliseconds, in the middle, among ever more incidents that are not due."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    found, there = [], 0
    for count in STANDING:
        with engine.begin() as connection:
            connection.execute(text(_STANDING), {"first": there + 1, "last": count})
        there = count
        taken = []
        for _ in range(50):
            begun = time.perf_counter()
            await house.engine.agenda()
            taken.append(1000 * (time.perf_counter() - begun))
        found.append(median(taken))
    engine.dispose()
    return found


_STANDING = """
WITH RECURSIVE numbers(n) AS (SELECT CAST(:first AS integer) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
INSERT INTO incident
    (id, number, status, severity, service, title, opened_at, version, next_due_at, runbook, rev, state)
SELECT 'standing-' || n, n, 'open', 'SEV1', 'standing', 'standing', 0, 1, 9000000000000000, '', 1, '{}' FROM numbers
"""
