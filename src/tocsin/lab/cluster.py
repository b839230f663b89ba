"""The process that is the practice cluster: the gateway's threads and the controller's loop."""

import fcntl
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from tocsin.lab import lifeline
from tocsin.lab.controller import Controller, Endpoints
from tocsin.lab.counters import Counters
from tocsin.lab.gateway import Gateway, Handler, Server
from tocsin.lab.state import Cluster, edit

TICK_S = 0.1
SAMPLE_EVERY_S = 0.5


def main(arguments: list[str]) -> int:
    """Run the cluster until stopped: `arguments` are its directory and the gateway's port (0: any free one)."""
    state_dir, port = Path(arguments[0]), int(arguments[1])
    lifeline.hold()
    with (state_dir / "running.lock").open("a") as running:
        try:
            fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another practice production is running in {state_dir}", file=sys.stderr)
            return 1
        try:
            server = Server(("127.0.0.1", port), Handler)
        except OSError as exc:
            print(f"port {port} on 127.0.0.1: {exc.strerror}: choose another, or 0 for any free one", file=sys.stderr)
            return 1
        _run(state_dir, server)
    return 0


def _run(state_dir: Path, server: Server) -> None:
    ended = threading.Event()

    def _terminate(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, _terminate)
    endpoints, counters = Endpoints(), Counters()
    Handler.gateway = Gateway(endpoints, counters)
    controller = Controller(state_dir, endpoints)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with edit(state_dir) as cluster:
        cluster["port"] = server.server_address[1]
    sampled_at = 0.0
    try:
        while not ended.wait(TICK_S):
            cluster = controller.tick()
            if time.time() - sampled_at >= SAMPLE_EVERY_S:
                sampled_at = time.time()
                _measure(cluster, counters, sampled_at)
    finally:
        controller.stop()


def _measure(cluster: Cluster, counters: Counters, now: float) -> None:
    pods = [pod for pod in cluster["pods"].values() if pod["real"]]
    counters.gauge("backend_pods_ready", sum(pod["ready"] for pod in pods))
    counters.gauge("backend_connections", sum(pod["connections"] for pod in pods))
    counters.gauge("up", float(any(pod["ready"] for pod in pods)))
    counters.sample(now)
