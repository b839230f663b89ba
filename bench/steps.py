"""Steps: five side by side, twenty rooms at once beside the API, here and by a runner, and what a bad step costs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

from bench.client import Connection, request
from bench.figures import Figure, Yardstick, percentile
from bench.servers import Server, settings, tocsin
from tocsin.procedures import cgroup
from tocsin.procedures.results import StepResult
from tocsin.procedures.run import run_procedure
from tocsin.procedures.runner import Runner, Settings
from tocsin.runbook.shell import split_fence

SIDE_BY_SIDE = "\n\n".join(f"# Look {n}\nsleep {n / 5}; echo done" for n in range(1, 6))
SLOWEST = 1.0
ROOMS = 20
ROOM_STEPS = "\n\n".join(
    f"# Look {n}\nsleep 0.7; for i in $(seq 300); do echo line $i of many; done | sort | tail -200" for n in range(5)
)
BAD = {
    "prints 1 GB": "yes 'a line of output that nobody needs to see' | head -c 1000000000",
    "hangs": "sleep 60",
    "forks": "while true; do sleep 27.182 & done",
    "ignores SIGTERM": "trap '' TERM; while true; do sleep 27.182; done",
    "fills the disk": "while true; do head -c 30000000 /dev/zero >> filled; head -c 9000000 /dev/zero > f$RANDOM; done",
}


BOMB = "is a fork bomb"
FORKING = ": 27.182; bomb() { bomb | bomb & wait; }; bomb"
"""Only where the kernel bounds it (see `tocsin.procedures.cgroup`): elsewhere it would be this machine's trouble."""


def measure() -> list[Figure]:
    found = [Figure("5 steps side by side, beyond the slowest", _beyond(), "ms", target=300)]
    for near in (False, True):
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
            found += asyncio.run(_rooms(Path(folder), near=near))
    groups = cgroup.base()
    bounded = [BOMB] if groups is not None and cgroup.counts(groups) else []
    return found + [_cost(name) for name in (*BAD, *bounded)]


def _beyond() -> float:
    steps = split_fence(SIDE_BY_SIDE, line=1).steps
    begun = time.perf_counter()
    asyncio.run(run_procedure(Runner(), steps, side_by_side=True))
    return 1000 * (time.perf_counter() - begun - SLOWEST)


async def _rooms(folder: Path, *, near: bool) -> list[Figure]:
    """The API's answers while twenty incidents have just opened and assess, each five steps side by side: in the
    server's process, or by a runner on the same machine."""
    example = Path(__file__).parents[1] / "examples/qawave/incident-response.md"
    text = example.read_text(encoding="utf-8")
    head, _, rest = text.partition("```bash\n")
    runbook = f"{head}```bash\n{ROOM_STEPS}\n```{rest.partition('```')[2]}"
    (folder / "runbook.md").write_text(runbook, encoding="utf-8")
    written = settings(folder).read_text(encoding="utf-8").replace('PATH = "/nonexistent"', "")
    where = '[runner]\nwhere = "remote"\n' if near else ""
    (folder / "tocsin.toml").write_text(f'runbook = "runbook.md"\n{written}{where}', encoding="utf-8")
    with tocsin(folder) as server, _runner(folder, server) if near else nullcontext():
        headers = {"Authorization": f"Bearer {_token(folder, 'responder')}", "Content-Type": "application/json"}
        connection = await Connection.open(server.port)
        for number in range(ROOMS):
            declared = {"title": f"room {number}", "severity": "SEV2"}
            await connection.ask(request("POST", "/api/v1/incidents", json.dumps(declared).encode(), headers))
        last = request("GET", f"/api/v1/incidents/{ROOMS}", b"", headers)
        asked = [request("GET", f"/api/v1/incidents/{1 + n}", b"", headers) for n in range(ROOMS)]
        taken, quiet = [], []
        while _running(await connection.ask(last)):
            taken += [await connection.timed(one) for one in asked]
        for _ in range(len(taken) // ROOMS):
            quiet += [await connection.timed(one) for one in asked]
        await connection.close()
    by = " by a runner" if near else ""
    name, beside = f"API while {ROOMS} rooms run steps{by}", "the same, none running"
    return [
        Figure(f"{name}, {said}", _ms(taken, share), "ms", Yardstick(beside, _ms(quiet, share)), target)
        for said, share, target in (("p50", 0.5, None), ("p95", 0.95, 50.0))
    ]


def _token(folder: Path, role: str) -> str:
    command = [sys.executable, "-m", "tocsin.cli.main", "token", "create", f"bench-{role}", "--role", role]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def _runner(folder: Path, server: Server) -> Iterator[None]:
    """`tocsin runner` with the same runbook, from its first word of being connected on."""
    command = [sys.executable, "-m", "tocsin.cli.main", "runner", "--server", f"http://127.0.0.1:{server.port}"]
    process = subprocess.Popen(
        [*command, "--runbook", "runbook.md"], cwd=folder, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"TOCSIN_TOKEN": _token(folder, "runner")},
    )  # fmt: skip
    try:
        said = process.stdout
        while said is not None and "connected to" not in said.readline():
            if process.poll() is not None:
                raise RuntimeError("the runner did not start")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _ms(seconds: list[float], share: float) -> float:
    return 1000 * percentile(seconds, share)


def _running(answer: tuple[int, bytes]) -> bool:
    return bool(json.loads(answer[1])["runs"][0]["status"] == "running")


def _cost(name: str) -> Figure:
    """Memory that one such step adds to the process that runs it, at its highest; it must leave no process behind."""
    code = f"import bench.steps as s; print(s.cost({name!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return Figure(f"a step that {name}: memory of the server", float(done.stdout), "MB", target=50)


def cost(name: str) -> float:
    """MB that this process grew by while it ran the bad step. Raises RuntimeError for a process left behind."""
    asyncio.run(_once("true"))  # what the first step loads is not the bad one's cost
    before = _highest()
    asyncio.run(_once(BAD.get(name, FORKING)))
    left = [line for line in _processes() if "27.182" in line or "nobody needs" in line]
    if left:
        raise RuntimeError(f"{name}: left {len(left)} processes behind")
    return (_highest() - before) / 1e6


async def _once(command: str) -> StepResult:
    runner = Runner(Settings(timeout=timedelta(seconds=8), grace=timedelta(seconds=0.5)))
    (step,) = split_fence(f"# Misbehave\n{command}", line=1).steps
    return await runner.run_step(step)


def _highest() -> int:
    """The most resident memory this process has had, in bytes (proc_pid_status(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and path.name != "self":
                state = (path / "stat").read_text().rpartition(")")[2].split()[0]
                said = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found += [said] if state not in "ZX" and "bench.steps" not in said else []
        except OSError:
            continue
    return found
