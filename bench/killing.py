"""Real servers killed while alerts come in: what was answered 2xx is there, who had to be paged was, and how late.

`python -m bench.killing [--seconds 60] [--rate 200] [--sqlite]`: three replicas on one PostgreSQL, killed with -9 and
started again one after the other, one frozen for a third of the time, the database restarted twice, once as in a crash;
or one server on an embedded file. A client posts as a balancer would: to each in turn, what one refuses to the next.
`--beside REVISION` runs the second replica from that revision of the project, as in the middle of an upgrade.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from msgspec import Struct

from bench.client import Connection, request
from bench.figures import percentile
from bench.postgres import Cluster, cluster
from bench.servers import free_port
from tocsin.incident.fold import fold
from tocsin.store.database import Store
from tocsin.store.tx import Tx

RATE = 200
"""Alerts a second, each with a fingerprint of its own. The alerts of one second are of one service: they open one
incident, which pages one person at once and another one later. More of them would share hand-overs, and be paced."""
RUNG = 4.0
ANSWER_SECONDS, AGAIN_SECONDS = 2.0, 0.1
"""How long a balancer waits for an answer, and how long it rests when nobody is there."""
AT_ONCE = 64
"""So many posts are under way at most; the others wait their turn, as a sender's do."""
PATIENCE = 90.0
RUNBOOK = """\
# Incidents

## Severity levels

| Severity | Description | Response Time | Examples |
|----------|-------------|---------------|----------|
| SEV1 | Nothing works | Immediate | All requests fail |
| SEV2 | Something does not work | 1 hour | One page fails |

## Escalation matrix

| Severity | Immediate | 4 seconds |
|----------|-----------|-----------|
| SEV1 | On-call | Lead |
"""
SETTINGS = """\
runbook = "runbook.md"
database = "{database}"
[people.ana]
name = "Ana"
[people.dana]
name = "Dana"
[roles]
On-call = "ana"
Lead = "dana"
[channels.webhook]
url = "http://127.0.0.1:{webhook}/"
"""
_TAKEN = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Part(Struct):
    idempotency_key: str


class Posted(Struct):
    kind: str
    idempotency_key: str
    possible_duplicate: bool
    bundle: list[Part] = []


@dataclass
class Arrivals:
    """What a webhook's far end was handed: for each key when, by `time.time`, and whether marked as a duplicate."""

    pages: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").casefold().split("\r\n")
                length = next(int(x.partition(":")[2]) for x in lines if x.startswith("content-length:"))
                self._note(msgspec.json.decode(await reader.readexactly(length), type=Posted))
                writer.write(_TAKEN)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return  # the sender is gone
        finally:
            writer.close()

    def _note(self, posted: Posted) -> None:
        keys = [part.idempotency_key for part in posted.bundle] or [posted.idempotency_key]
        for key in keys if posted.kind == "page" else ():
            self.pages.setdefault(key, []).append((time.time(), posted.possible_duplicate))


class Replica:
    """One `tocsin serve`, which can be killed and started again on the same port."""

    def __init__(self, folder: Path, number: int, *, source: Path | None = None) -> None:
        """`source` is where another version's packages lie; without it this one's are run."""
        self.port = free_port()
        self._source = source
        self._folder = folder
        self._log = folder / f"server-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        if self._source is not None:
            environment["PYTHONPATH"] = str(self._source)
        tocsin = [sys.executable, "-m", "tocsin.cli.main"]
        command = [*tocsin, "serve", "--config", "tocsin.toml", "--port", str(self.port)]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment
            )

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill_and_start(self) -> None:
        self.kill()
        self.start()

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


class Balancer:
    """Posts to each server in turn; what one does not take, the next one is given, until one does."""

    def __init__(self, ports: Sequence[int], *, each: int) -> None:
        """`each` is how many alerts a service has."""
        self._ports = tuple(ports)
        self._each = each
        self._turn = 0
        self._idle: dict[int, list[Connection]] = {port: [] for port in ports}
        self.taken: dict[str, tuple[float, float]] = {}
        """Fingerprint -> when it was first posted, and when it was answered 2xx, by `time.time`."""
        self.refusals: Counter[str] = Counter()
        self.by: Counter[int] = Counter()
        """How many each port has taken."""
        self._places = asyncio.Semaphore(AT_ONCE)

    async def post(self, number: int) -> None:
        """Comes back once somebody has answered 2xx."""
        async with self._places:
            await self._post(number)

    async def _post(self, number: int) -> None:
        name = f"alert-{number}"
        asked, began = _alert(name, f"service-{number // self._each}"), time.time()
        while True:
            port = self._ports[self._turn % len(self._ports)]
            self._turn += 1
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    status = await self._ask(port, asked)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as exc:
                self.refusals[type(exc).__name__] += 1
                await asyncio.sleep(AGAIN_SECONDS / len(self._ports))
                continue
            if status < 300:
                self.taken[name] = (began, time.time())
                self.by[port] += 1
                return
            self.refusals[str(status)] += 1
            await asyncio.sleep(AGAIN_SECONDS)

    async def ready(self, port: int) -> None:
        """Comes back once the server says that it is."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(OSError, asyncio.IncompleteReadError):
                if await self._ask(port, request("GET", "/readyz")) == 200:
                    return
            await asyncio.sleep(AGAIN_SECONDS)
        raise RuntimeError(f"the server on port {port} does not start")

    async def _ask(self, port: int, asked: bytes) -> int:
        while self._idle[port]:
            connection = self._idle[port].pop()
            with suppress(OSError, asyncio.IncompleteReadError):  # closed while it lay idle, or its server is gone
                return await self._answer(port, connection, asked)
        return await self._answer(port, await Connection.open(port), asked)

    async def _answer(self, port: int, connection: Connection, asked: bytes) -> int:
        try:
            status, _ = await connection.ask(asked)
        except BaseException:  # a cancellation too leaves an answer unread; raised on
            connection.drop()
            raise
        self._idle[port].append(connection)
        return status

    def drop(self) -> None:
        """Lets go of every connection."""
        for connections in self._idle.values():
            while connections:
                connections.pop().drop()


def _alert(name: str, service: str) -> bytes:
    labels = {"alertname": name, "service": service, "severity": "critical"}
    one = {"status": "firing", "labels": labels, "annotations": {"summary": name}, "startsAt": "2026-01-05T03:00:00Z"}
    body = json.dumps({"version": "4", "status": "firing", "alerts": [one]}).encode()
    return request("POST", "/api/v1/alerts/alertmanager", body, {"Content-Type": "application/json"})


class Outcome(Struct):
    """What was asked of the servers, and what came of it. Times in seconds."""

    taken: int
    refusals: dict[str, int]
    lost: list[str]
    incidents: int
    missing: list[str]
    doubled: int
    unmarked: list[str]
    first_pages: list[float]
    rungs: list[float]
    slowest_answer: float
    late: list[str]
    by: list[int]
    misread: list[str]

    @property
    def sound(self) -> bool:
        """Nothing lost or read wrongly, nobody left unpaged, nothing twice without a mark."""
        return not self.lost and not self.missing and not self.unmarked and not self.misread

    def told(self) -> str:
        lines = [
            f"alerts answered 2xx        {self.taken}, slowest {self.slowest_answer:.2f} s; refused and posted again: "
            f"{', '.join(f'{n} {what}' for what, n in sorted(self.refusals.items())) or 'none'}",
            f"taken by each server       {', '.join(map(str, self.by))}",
            f"of them lost               {len(self.lost)}",
            f"unlike their timelines     {len(self.misread)} {' '.join(self.misread[:5])}",
            f"incidents                  {self.incidents}",
            f"pages missing              {len(self.missing)} {' '.join(self.missing[:5])}",
            f"pages twice                {self.doubled}, unmarked {len(self.unmarked)} {' '.join(self.unmarked[:5])}",
            f"first page after its 2xx   {_spread(self.first_pages)}",
            f"rung after it fell due     {_spread(self.rungs)}",
            *(f"  {line}" for line in self.late),
        ]
        return "\n".join(lines)


def _spread(late: Sequence[float]) -> str:
    if not late:
        return "none"
    return f"p50 {percentile(late, 0.5):.3f} s, p99 {percentile(late, 0.99):.3f} s, worst {max(late):.3f} s"


Act = tuple[float, str, Callable[[], None]]


@dataclass
class Trial:
    """Servers, a load and what befalls them. `acts` are (when, what it is, what to do)."""

    folder: Path
    database: str
    replicas: list[Replica]
    acts: list[Act]
    seconds: float
    rate: float = RATE
    when: list[tuple[float, str]] = field(default_factory=list)

    async def run(self) -> Outcome:
        async with _arrivals() as arrivals:
            (self.folder / "runbook.md").write_text(RUNBOOK, encoding="utf-8")
            settings = SETTINGS.format(database=self.database, webhook=arrivals.port)
            (self.folder / "tocsin.toml").write_text(settings, encoding="utf-8")
            balancer = Balancer([replica.port for replica in self.replicas], each=self._each)
            try:
                await self._play(arrivals, balancer)
                return self._judge(arrivals, balancer)
            finally:
                balancer.drop()
                for replica in self.replicas:
                    replica.kill()

    async def _play(self, arrivals: Arrivals, balancer: Balancer) -> None:
        for replica in self.replicas:
            replica.start()
        for replica in self.replicas:
            await balancer.ready(replica.port)
        await balancer.post(0)
        began = time.monotonic()
        acting = asyncio.create_task(self._act(began))
        posts = []
        for number in range(1, round(self.seconds * self.rate)):
            await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))
            posts.append(asyncio.create_task(balancer.post(number)))
        await asyncio.gather(acting, *posts)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and len(arrivals.pages) < 2 * self._incidents:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await asyncio.sleep(1.0)  # for what would come twice

    async def _act(self, began: float) -> None:
        for at, what, act in sorted(self.acts, key=lambda a: a[0]):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            self.when.append((time.time(), what))
            await asyncio.to_thread(act)

    @property
    def _each(self) -> int:
        return max(1, round(self.rate))

    @property
    def _incidents(self) -> int:
        return -(-round(self.seconds * self.rate) // self._each)

    def _judge(self, arrivals: Arrivals, balancer: Balancer) -> Outcome:
        known = {str(name) for (name,) in self._rows("SELECT name FROM alert")}
        told = {
            event["name"] for (data,) in self._rows("SELECT data FROM event")
            if (event := json.loads(data))["type"] == "AlertFired"
        }  # fmt: skip
        opened = {
            id_: (service, at / 1e6) for id_, service, at in self._rows("SELECT id, service, opened_at FROM incident")
        }
        pages, missing, late = arrivals.pages, list[str](), list[str]()
        first, rungs = list[float](), list[float]()
        for id_, (service, at) in opened.items():
            for person, due, into in (("ana", self._answered(balancer, service), first), ("dana", at + RUNG, rungs)):
                keys = [key for key in pages if key.startswith(f"{id_}:") and key.endswith(f":{person}:webhook")]
                if not keys:
                    missing.append(f"{service}/{person}")
                    continue
                came = min(moment for key in keys for moment, _ in pages[key])
                into.append(max(0.0, came - due))
                if came - due > 1.0:
                    late.append(f"{person} of {service}: {came - due:.2f} s late, due {self._since(due)}")
        unmarked = [key for key, came in pages.items() if sum(not marked for _, marked in came) > 1]
        return Outcome(
            taken=len(balancer.taken),
            refusals=dict(balancer.refusals),
            lost=[name for name in balancer.taken if name not in known or name not in told],
            incidents=len(opened),
            missing=missing,
            doubled=sum(len(came) > 1 for came in pages.values()),
            unmarked=unmarked,
            first_pages=first,
            rungs=rungs,
            slowest_answer=max(answered - began for began, answered in balancer.taken.values()),
            late=late,
            by=[balancer.by[replica.port] for replica in self.replicas],
            misread=self._misread(opened),
        )

    def _misread(self, opened: Iterable[str]) -> list[str]:
        """The incidents that are not what their timelines make of them, whichever version wrote them."""
        found = self.database.removeprefix("sqlite:///")
        store = Store(self.database if found == self.database else f"sqlite:///{self.folder / found}")
        try:
            return [id_ for id_ in opened if not store.read(partial(_as_told, id_))]
        finally:
            store.close()

    def _answered(self, balancer: Balancer, service: str) -> float:
        """When the first alert of the service was answered."""
        first = int(service.rpartition("-")[2]) * self._each
        mine = (balancer.taken.get(f"alert-{n}") for n in range(first, first + self._each))
        return min(one[1] for one in mine if one is not None)

    def _since(self, moment: float) -> str:
        """What had last befallen the servers by then."""
        before = [(moment - at, what) for at, what in self.when if at <= moment]
        return f"{before[-1][0]:.2f} s after {before[-1][1]}" if before else "before anything befell them"

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        if self.database.startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / self.database.removeprefix("sqlite:///"))) as file:
                return file.execute(statement).fetchall()
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement.encode()).fetchall()


def _as_told(id_: str, tx: Tx) -> bool:
    incident = tx.incident(id_)
    return incident is not None and fold(id_, incident.number, tx.timeline(id_)) == incident


@asynccontextmanager
async def _arrivals() -> AsyncIterator[Arrivals]:
    arrivals = Arrivals()
    server = await asyncio.start_server(arrivals.serve, "127.0.0.1", 0)
    arrivals.port = server.sockets[0].getsockname()[1]
    try:
        yield arrivals
    finally:
        server.close()


def on_postgres(
    folder: Path, server: Cluster, *, seconds: float, rate: float = RATE, beside: Path | None = None
) -> Trial:
    """Three replicas: the first two killed in turn, the last frozen for a third, the database restarted twice.

    The second one is run from the packages in `beside`, where that is given.
    """
    database = server.create("killing")
    replicas = [Replica(folder, n, source=beside if n == 1 else None) for n in range(3)]
    acts: list[Act] = []
    for n, at in enumerate(_kills(seconds)):
        victim = replicas[n % 2]
        acts.append((at, f"kill -9 of {n % 2}", victim.kill_and_start))
    frozen = replicas[2]
    acts.append((seconds * 0.22, "freezing of 2", lambda: frozen.send(signal.SIGSTOP)))
    acts.append((seconds * 0.55, "thawing of 2", lambda: frozen.send(signal.SIGCONT)))
    acts.append((seconds * 0.70, "restart of PostgreSQL", server.restart))
    acts.append((seconds * 0.88, "crash of PostgreSQL", lambda: server.restart(signal.SIGQUIT)))
    return Trial(folder, database, replicas, acts, seconds, rate)


def checked_out(revision: str, folder: Path) -> Path:
    """The packages of that revision of the project, unpacked in the folder. Raises RuntimeError for what is none."""
    here = Path(__file__).resolve().parent.parent
    packed = folder / "source.tar"
    made = subprocess.run(
        ["git", "-C", str(here), "archive", "--output", str(packed), revision, "src", "examples"], capture_output=True
    )
    if made.returncode:
        raise RuntimeError(f"{revision} is no revision of this project: {made.stderr.decode(errors='replace').strip()}")
    source = folder / "source"
    with tarfile.open(packed) as archive:
        archive.extractall(source, filter="data")
    return source / "src"


def on_sqlite(folder: Path, *, seconds: float, rate: float = RATE) -> Trial:
    """One server, killed now and then and started again at once."""
    replica = Replica(folder, 0)
    acts: list[Act] = [(at, "kill -9", replica.kill_and_start) for at in _kills(seconds)]
    return Trial(folder, "sqlite:///tocsin.db", [replica], acts, seconds, rate)


def _kills(seconds: float) -> Iterator[float]:
    """Every five seconds; twice as often when there is little time."""
    step = 5.0 if seconds > 20 else 2.5
    at = step
    while at < seconds:
        yield at
        at += step


def main() -> int:
    """0 when everything held."""
    asked = argparse.ArgumentParser(prog="python -m bench.killing", description="Kill servers under load.")
    asked.add_argument("--seconds", type=float, default=60.0)
    asked.add_argument("--rate", type=float, default=RATE, help="alerts a second")
    asked.add_argument("--sqlite", action="store_true", help="one server on an embedded file")
    asked.add_argument("--beside", metavar="REVISION", help="run one of the replicas from another revision")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-killing-") as name:
        folder = Path(name)
        if given.sqlite:
            outcome = asyncio.run(on_sqlite(folder, seconds=given.seconds, rate=given.rate).run())
        else:
            beside = checked_out(given.beside, folder) if given.beside else None
            with cluster(durable=True) as server:
                trial = on_postgres(folder, server, seconds=given.seconds, rate=given.rate, beside=beside)
                outcome = asyncio.run(trial.run())
    print(f"{'one server on SQLite' if given.sqlite else 'three replicas on PostgreSQL'}, {given.seconds:g} s")
    print(outcome.told())
    return 0 if outcome.sound else 1


if __name__ == "__main__":
    sys.exit(main())
