"""The practice production as its owner holds it: start, break, look, stop."""

import asyncio
import fcntl
import http.client
import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

from tocsin.lab import lifeline, rollout
from tocsin.lab.errors import LabError
from tocsin.lab.inventory import IMAGE, new_cluster
from tocsin.lab.state import Cluster, edit, load, save

READY_WITHIN_S = 20.0
LOAD_PER_SECOND = 20.0


class Answer(NamedTuple):
    """What a command gave back."""

    rc: int
    stdout: str
    stderr: str


class Production:
    """A production of real processes, all of it in `state_dir`.

    `gateway_port` 0 takes a free port; `port` tells which. Nothing outlives the process that started it. Methods
    block for moments only; `async with` does its waiting in a thread.
    """

    def __init__(self, state_dir: Path, *, gateway_port: int = 0, load_per_second: float = LOAD_PER_SECOND) -> None:
        self.state_dir = state_dir.resolve()
        self.port = gateway_port
        self._load_per_second = load_per_second
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start everything and wait until version v1 answers in each of its pods.

        Raises:
            LabError: the port is taken, another production runs in the directory, or it is not ready in 20 s.
        """
        (self.state_dir / "bin").mkdir(parents=True, exist_ok=True)
        self._refuse_company()
        save(self.state_dir, new_cluster(time.time()))
        self._write_kubectl()
        log = self.state_dir / "cluster.log"
        log.write_bytes(b"")
        arguments = [str(self.state_dir), str(self.port)]
        self._processes.append(lifeline.spawn("tocsin.lab.cluster", arguments, log=log))
        try:
            self._wait_until_ready(log)
        except LabError:
            self.stop()
            raise
        visitors = [str(self.port), str(self._load_per_second)]
        self._processes.append(lifeline.spawn("tocsin.lab.load", visitors, log=self.state_dir / "load.log"))

    def stop(self) -> None:
        """End every process; the directory stays, to be read."""
        while self._processes:
            lifeline.stop(self._processes.pop())

    def deploy(self, version: str) -> None:
        """Release a version of the backend, as a delivery pipeline would: `v1` is good, `v2` fails 40 % of requests."""
        with edit(self.state_dir) as cluster:
            rollout.release(cluster["deployments"]["backend"], f"{IMAGE}:{version}", time.time())

    def version(self) -> str:
        """The version that the backend's deployment wants now."""
        return rollout.current(self.cluster()["deployments"]["backend"])["version"]

    def cluster(self) -> Cluster:
        """All that the cluster remembers at this moment."""
        return load(self.state_dir)

    def health(self) -> int:
        """The HTTP status that users get from the product's health endpoint."""
        return self._get("/health")[0]

    def error_ratio(self, *, seconds: int = 3) -> float:
        """Share of the last `seconds`' requests that failed, 0 to 1; 0 when there were none."""
        window = f"[{seconds}s]"
        expression = f'sum(rate(http_requests_total{{status=~"5.."}}{window})) / sum(rate(http_requests_total{window}))'
        answer = json.loads(self._get(f"/api/v1/query?query={quote(expression)}")[1])
        ratio = float(answer["data"]["result"][0]["value"][1]) if answer["data"]["result"] else 0.0
        return 0.0 if ratio != ratio else ratio

    def environment(self) -> dict[str, str]:
        """What to add to a step's environment so that the runbook's own commands reach this production.

        Addresses on loopback are left out of the proxy, so that the product's own API stays in reach.
        """
        address = f"http://127.0.0.1:{self.port}"
        return {
            "PATH": f"{self.state_dir / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "http_proxy": address,
            "no_proxy": "127.0.0.1,localhost",
            "KUBECONFIG": str(self.state_dir / "kubeconfig"),
        }

    def run(self, command: str, *, seconds: float = 60.0) -> Answer:
        """What `command` answers in bash with this production's environment and nothing else.

        Raises:
            LabError: it took longer than `seconds`.
        """
        environment = {"HOME": str(self.state_dir), **self.environment()}
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                env=environment,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise LabError(f"{command}: no end after {seconds:.0f} s") from exc
        return Answer(done.returncode, done.stdout, done.stderr)

    @property
    def prometheus_url(self) -> str:
        """Where `GET /api/v1/query` and `/metrics` answer."""
        return f"http://127.0.0.1:{self.port}"

    def _get(self, target: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise LabError(f"the practice production on port {self.port} does not answer: {exc}") from exc
        finally:
            connection.close()

    def _refuse_company(self) -> None:
        if self._processes:
            raise LabError("this practice production is running already")
        with (self.state_dir / "running.lock").open("a") as running:
            try:
                fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(f"another practice production is running in {self.state_dir}: stop it first") from None

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self._processes[0].poll() is not None:
                raise LabError(lifeline.last_words(log) or "the practice cluster ended at once")
            cluster = load(self.state_dir)
            self.port = cluster["port"] or self.port
            backend = cluster["deployments"]["backend"]
            if cluster["port"] and rollout.progress(backend, rollout.pods_of(cluster, "backend")).done:
                return
            time.sleep(0.03)
        raise LabError(f"the practice production was not ready within {READY_WITHIN_S:.0f} s: see {log}")

    def _write_kubectl(self) -> None:
        command = [*lifeline.python_command("tocsin.lab.kubectl"), str(self.state_dir)]
        script = self.state_dir / "bin" / "kubectl"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        (self.state_dir / "kubeconfig").write_text(_KUBECONFIG, encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


_KUBECONFIG = """\
# The practice cluster's stand-in for kubectl knows its cluster by itself; this file is for those who look for one.
apiVersion: v1
kind: Config
current-context: production
contexts:
- name: production
  context:
    cluster: practice
    namespace: default
    user: practice
clusters: []
users: []
"""
