"""The process that is the practice cluster: the API, the gateway, and the loop of the controllers."""

import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import uvicorn

from tocsin.lab import lifeline
from tocsin.lab.counters import Counters
from tocsin.lab.gateway import Endpoints, Gateway, Handler, Server
from tocsin.lab.kube.api import Api
from tocsin.lab.kube.argo import Argo
from tocsin.lab.kube.autoscaler import Autoscaler
from tocsin.lab.kube.inventory import Shape, objects
from tocsin.lab.kube.kubelet import Kubelet
from tocsin.lab.kube.measuring import Measuring
from tocsin.lab.kube.nodes import Scheduler, Services
from tocsin.lab.kube.store import Store
from tocsin.lab.kube.workloads import Workloads
from tocsin.lab.world import Watched, world_file, write

TICK_S = 0.1


class Cluster:
    """Everything of one cluster that lives in this process."""

    def __init__(self, state_dir: Path, shape: Shape) -> None:
        self.store = Store()
        for resource, each in objects(shape, time.time()):
            self.store.create(resource, each)
        self.kubelet = Kubelet(self.store, state_dir)
        self.api = Api(self.store, self.kubelet, state_dir)
        self.endpoints, self.counters = Endpoints(), Counters(namespace=shape.namespace)
        self._rounds = (
            Workloads(self.store),
            Scheduler(self.store),
            self.kubelet,
            Services(self.store, self.kubelet, state_dir),
            Autoscaler(self.store, self.api.usage),
            Argo(self.store),
            Measuring(self.store, self.kubelet, self.endpoints, self.counters, Watched(world_file(state_dir))),
        )

    def tick(self) -> None:
        """One round of every controller."""
        for each in self._rounds:
            each.tick()


def main(arguments: list[str]) -> int:
    """Run the cluster until stopped: `arguments` are its directory, the gateway's port (0: any free one), its shape."""
    state_dir, port = Path(arguments[0]), int(arguments[1])
    shape = Shape(**json.loads(arguments[2]))
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
        _run(Cluster(state_dir, shape), state_dir, server)
    return 0


def _run(cluster: Cluster, state_dir: Path, gateway: Server) -> None:
    ended = threading.Event()

    def _terminate(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, _terminate)
    Handler.gateway = Gateway(cluster.endpoints, cluster.counters, cluster.kubelet.processes)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    api_port = _serve_api(cluster.api)
    write(state_dir / "ports.json", {"gateway": gateway.server_address[1], "api": api_port, "pid": os.getpid()})
    try:
        while not ended.wait(TICK_S):
            cluster.tick()
    finally:
        cluster.kubelet.stop()


def _serve_api(api: Api) -> int:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    config = uvicorn.Config(api.app, log_config=None, access_log=False, ws="wsproto", lifespan="off", loop="asyncio")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api", daemon=True).start()
    port: int = listener.getsockname()[1]
    return port
