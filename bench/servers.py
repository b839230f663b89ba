"""Real processes to measure: `tocsin serve` on a folder of its own, and the bare server beside it. Loopback only."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

PATIENCE = 60.0
SETTINGS = """\
[people.ana]
name = "Ana"
[roles]
"*" = "ana"
[channels.webhook]
url = "http://127.0.0.1:{webhook}/"
[procedures.environment]
PATH = "/nonexistent"
"""
"""No program is found, so that the steps of the example runbook reach nothing outside."""


class Server(Struct, frozen=True):
    """A process that answers. `seconds` it took to its first 200 on /readyz, `cpu_seconds` of them on a core."""

    port: int
    pid: int
    seconds: float
    cpu_seconds: float

    @property
    def rss_mb(self) -> float:
        """Resident memory now, in MB of 10^6 bytes (proc_pid_status(5))."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        return kib * 1024 / 1e6


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def settings(folder: Path, *, webhook: int = 9, database: str = "") -> Path:
    """A settings file in the folder; messages go to that port. Without a database it is a SQLite file in the folder."""
    path = folder / "tocsin.toml"
    named = f'database = "{database}"\n' if database else ""
    path.write_text(named + SETTINGS.format(webhook=webhook), encoding="utf-8")
    return path


@contextmanager
def tocsin(folder: Path) -> Iterator[Server]:
    """`tocsin serve` on the settings and database of the folder."""
    port = free_port()
    command = [sys.executable, "-m", "tocsin.cli.main", "serve", "--config", "tocsin.toml", "--port", str(port)]
    with _running(command, port, folder, {}) as server:
        yield server


@contextmanager
def bare(folder: Path, *, forward_to: int = 9) -> Iterator[Server]:
    port = free_port()
    told = {"BENCH_PORT": str(port), "BENCH_FORWARD_TO": f"http://127.0.0.1:{forward_to}/"}
    with _running([sys.executable, "-m", "bench.bare"], port, folder, told) as server:
        yield server


@contextmanager
def _running(command: Sequence[str], port: int, folder: Path, told: Mapping[str, str]) -> Iterator[Server]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    environment = inherited | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)} | dict(told)
    log = folder / "server.log"
    with log.open("wb") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment
        )
    try:
        while not _ready(port):
            if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                raise RuntimeError(f"{command[2]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.005)
        yield Server(port, process.pid, time.perf_counter() - begun, _cpu_seconds(process.pid))
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
        process.wait()


def _cpu_seconds(pid: int) -> float:
    """What the process has used of a core since it began (proc_pid_stat(5): utime, stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return asked.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
