"""How fast alerts are taken, durably, over HTTP, with everything on: told apart, grouped, incidents, events, pages.

Nineteen in twenty are copies, as they come from a storm. Beside
it what the same server does with a route that stores nothing, and how often the database alone can commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from bench import wrk
from bench.client import hammer, request
from bench.figures import Figure, Yardstick, median, percentile
from bench.postgres import cluster, programs
from bench.servers import Server, bare, settings, tocsin

BODIES, DISTINCT, SERVICES = 400, 30, 5
PATH = "/api/v1/alerts/alertmanager"
SINGLE = {"SQLite": 4000.0, "PostgreSQL": 3500.0}
GROUPED = 20_000.0
SLOWEST_MS = 60.0
COMMITS = 300


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        settings(Path(folder))
        with tocsin(Path(folder)) as ours, bare(Path(folder)) as theirs:
            _warm(ours.port)
            found = _one_at_a_time(ours.port, theirs.port)
            return found + (_stormed(ours, theirs) if wrk.present() else [])


def _stormed(ours: Server, theirs: Server) -> list[Figure]:
    plain = wrk.load(theirs.port, "/alerts", each=1)
    found = _loaded("SQLite", ours.port, plain)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        found.append(_commits("SQLite", _sqlite_commits(Path(folder))))
    if programs() is None:
        return found
    with _on_postgresql() as (server, commits):
        return [*found, *_loaded("PostgreSQL", server.port, plain), _commits("PostgreSQL", commits)]


def _loaded(database: str, port: int, plain: wrk.Load) -> list[Figure]:
    single = wrk.load(port, PATH, each=1)
    grouped = wrk.load(port, PATH, each=50)
    beside = "bare route, 202"
    return [
        Figure(
            f"{database}: one alert a body, 64 connections", single.rate, "/s", Yardstick(beside, plain.rate),
            least=SINGLE[database],
        ),
        Figure(
            f"{database}: one alert a body, p99", single.p99, "ms", Yardstick(beside, plain.p99), target=SLOWEST_MS
        ),
        Figure(f"{database}: alerts, 50 a body", grouped.rate * 50, "/s", Yardstick(beside, plain.rate), least=GROUPED),
    ]  # fmt: skip


def _commits(database: str, seconds: float) -> Figure:
    return Figure(f"{database}: commits of one row, one after the other", COMMITS / seconds, "/s")


@contextmanager
def _on_postgresql() -> Iterator[tuple[Server, float]]:
    with cluster(durable=True) as database, tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        settings(Path(folder), database=database.create("ingest"))
        with tocsin(Path(folder)) as server:
            _warm(server.port)
            yield server, _postgresql_commits(database.create("commits"))


def _warm(port: int) -> None:
    """Opens the incidents, and lets their assessments end."""
    asyncio.run(hammer(port, _requests(PATH, DISTINCT), connections=1))
    time.sleep(3)


def _timed(commit: Callable[[int], object]) -> float:
    begun = time.perf_counter()
    for number in range(COMMITS):
        commit(number)
    return time.perf_counter() - begun


def _sqlite_commits(folder: Path) -> float:
    database = sqlite3.connect(folder / "plain.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)")
    seconds = _timed(lambda n: database.execute("INSERT INTO entry (text) VALUES (?)", (f"entry {n}",)))
    database.close()
    return seconds


def _postgresql_commits(url: str) -> float:
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("CREATE TABLE entry (id bigserial PRIMARY KEY, text text)")
        return _timed(lambda n: database.execute("INSERT INTO entry (text) VALUES (%s)", (f"entry {n}",)))


def _one_at_a_time(ours: int, theirs: int) -> list[Figure]:
    taken, _ = asyncio.run(hammer(ours, _requests(PATH, BODIES), connections=1))
    plain, _ = asyncio.run(hammer(theirs, _requests("/alerts", BODIES), connections=1))
    name, beside = "alert to 2xx, 1 connection", "bare route, 202"
    return [
        Figure(f"{name}, p50", 1000 * median(taken), "ms", Yardstick(beside, 1000 * median(plain))),
        Figure(f"{name}, p99", 1000 * percentile(taken, 0.99), "ms", Yardstick(beside, 1000 * percentile(plain, 0.99))),
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
