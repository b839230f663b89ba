"""The database away while alerts come: how many are lost (none may be), and how soon all of them are in afterwards.

SQLite: another process holds the lock to write. PostgreSQL: the server is stopped. BENCH_OUTAGE_SECONDS shortens it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from bench.client import Connection, request
from bench.figures import Figure, percentile
from bench.postgres import cluster, programs
from bench.servers import SETTINGS, tocsin

SECONDS = float(os.environ.get("BENCH_OUTAGE_SECONDS", "60"))
RATE, BEFORE, AFTER = 500, 3.0, 3.0
CONNECTIONS, SERVICES = 128, 200
DRAIN_TARGET = 10.0
PATIENCE = 120.0
PATH = "/api/v1/alerts/alertmanager"
SPOOL = '[ingest]\nspool = "spool"\n'
_WAITING = re.compile(rb"^tocsin_spool_waiting_alerts (\S+)$", re.MULTILINE)
Told = list[tuple[str, str]]
"""(AlertFired or AlertResolved, fingerprint) in the order committed."""


def measure() -> list[Figure]:
    found = _on_sqlite()
    return found + _on_postgresql() if programs() is not None else found


def _on_sqlite() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        (folder / "tocsin.toml").write_text(SPOOL + SETTINGS.format(webhook=9), encoding="utf-8")
        with tocsin(folder) as server:
            sent = asyncio.run(Load(server.port).run(lambda: _locked(folder / "tocsin.db")))
        with contextlib.closing(sqlite3.connect(folder / "tocsin.db")) as connection:
            rows = connection.execute("SELECT data FROM event ORDER BY position").fetchall()
        return sent.figures("SQLite", _told(data for (data,) in rows))


def _on_postgresql() -> list[Figure]:
    with cluster(durable=True) as server, tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder, url = Path(name), server.create("outage")
        given = f'database = "{url}"\n' + SPOOL + SETTINGS.format(webhook=9)
        (folder / "tocsin.toml").write_text(given, encoding="utf-8")

        @contextmanager
        def stopped() -> Iterator[None]:
            server.stop(signal.SIGQUIT)
            yield
            server.start()

        with tocsin(folder) as replica:
            sent = asyncio.run(Load(replica.port).run(stopped))
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT data FROM event ORDER BY position").fetchall()
        return sent.figures("PostgreSQL", _told(data for (data,) in rows))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    holder = sqlite3.connect(path, isolation_level=None, timeout=10)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.close()


def _told(rows: Iterator[str]) -> Told:
    events = (json.loads(data) for data in rows)
    return [(e["type"], e["fingerprint"]) for e in events if e["type"] in ("AlertFired", "AlertResolved")]


class Load:
    """Alerts at an even rate, each answered before its end is sent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        self._sending: set[asyncio.Task[None]] = set()
        self._fired: list[str] = []
        self._next = 0
        self.taken: list[tuple[str, str]] = []
        self.refused = 0
        self.seconds: list[float] = []
        self.drained = 0.0
        self.spooled = 0

    async def run(self, away: Callable[[], contextlib.AbstractContextManager[None]]) -> Load:
        """Sends before, during and after the outage until everything is taken in, and then a little longer."""
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await Connection.open(self._port))
        await self._send_for(BEFORE)
        with await asyncio.to_thread(_entered, away()) as gone:
            await self._send_for(SECONDS)
            self.spooled = await self._waiting()
            await asyncio.to_thread(gone.close)
        back = time.perf_counter()
        sending = asyncio.create_task(self._send_for(PATIENCE))
        while await self._waiting():
            if time.perf_counter() - back > PATIENCE:
                break
            await asyncio.sleep(0.05)
        self.drained = time.perf_counter() - back
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await self._send_for(AFTER)
        await asyncio.gather(*self._sending)
        return self

    def figures(self, store: str, told: Told) -> list[Figure]:
        """What was promised against what is on the timelines."""
        lost = len(set(self.taken) - set(told))
        twice = len(told) - len(set(told))
        place = {one: n for n, one in enumerate(told)}
        ends = [f for kind, f in self.taken if kind == "AlertResolved"]
        turned = sum(place.get(("AlertResolved", f), 0) < place.get(("AlertFired", f), 0) for f in ends)
        name = f"{store} away for {SECONDS:g} s, {RATE} alerts/s"
        return [
            Figure(f"{name}: answered 2xx", len(self.taken), ""),
            Figure(f"{name}: refused", self.refused, "", target=1),
            Figure(f"{name}: waiting at its return", self.spooled, ""),
            Figure(f"{name}: lost of those answered 2xx", lost, "", target=1),
            Figure(f"{name}: taken in twice", twice, "", target=1),
            Figure(f"{name}: ends before their beginnings", turned, "", target=1),
            Figure(f"{name}: all in after its return", self.drained, "s", target=DRAIN_TARGET),
            Figure(f"{name}: answer, p50", 1000 * percentile(self.seconds, 0.5), "ms"),
            Figure(f"{name}: answer, p99", 1000 * percentile(self.seconds, 0.99), "ms"),
        ]

    async def _waiting(self) -> int:
        connection = await Connection.open(self._port)  # one that lay idle may have been closed
        _, text = await connection.ask(request("GET", "/metrics"))
        await connection.close()
        found = _WAITING.search(text)
        return int(float(found[1])) if found else 0

    async def _send_for(self, seconds: float) -> None:
        begun, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - begun) < seconds:
            while sent < passed * RATE:
                task = asyncio.create_task(self._send())
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
                sent += 1
            await asyncio.sleep(0.005)

    async def _send(self) -> None:
        """The end of an alert whose beginning was answered, else the beginning of one more."""
        connection = await self._free.get()
        ends = len(self._fired) > RATE // 2
        self._next += not ends
        name = self._fired.pop(0) if ends else f"pod-{self._next}"
        begun = time.perf_counter()
        asked = request("POST", PATH, body(name, ends=ends), _HEADERS)
        try:
            status, answer = await connection.ask(asked)
        except (OSError, asyncio.IncompleteReadError):  # it lay idle for long and was closed
            connection = await Connection.open(self._port)
            status, answer = await connection.ask(asked)
        self.seconds.append(time.perf_counter() - begun)
        self._free.put_nowait(connection)
        if status >= 300:
            self.refused += 1
            return
        fingerprint = msgspec.json.decode(answer)["alerts"][0]["fingerprint"]
        self.taken.append(("AlertResolved" if ends else "AlertFired", fingerprint))
        if not ends:
            self._fired.append(name)


_HEADERS = {"Content-Type": "application/json"}


def body(name: str, *, ends: bool) -> bytes:
    """One alert as Alertmanager sends it: one of its own, of one of `SERVICES` services."""
    service = f"service-{int(name.rpartition('-')[2]) % SERVICES}"
    alert = {
        "status": "resolved" if ends else "firing",
        "labels": {"alertname": "HighErrorRate", "service": service, "severity": "critical", "pod": name},
        "annotations": {"summary": f"More than 5 % of the requests to {name} fail"},
        "startsAt": datetime(2026, 1, 1, tzinfo=UTC),
        "endsAt": datetime(2026, 1, 1, 0, 1, tzinfo=UTC) if ends else "0001-01-01T00:00:00Z",
    }
    return msgspec.json.encode({"version": "4", "groupKey": "{}", "status": alert["status"], "alerts": [alert]})


def _entered(away: contextlib.AbstractContextManager[None]) -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    stack.enter_context(away)
    return stack
