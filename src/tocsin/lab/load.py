"""The users of the practice production: about 20 requests a second through the gateway, as many at once as it takes."""

import http.client
import itertools
import threading
import time
from pathlib import Path

from tocsin.lab import lifeline
from tocsin.lab.world import Watched, world_file

PATHS = ("/api/scenarios", "/api/projects", "/api/runs", "/api/scenarios/17", "/api/me")


VISITORS = 80


def main(arguments: list[str]) -> int:
    """Make requests until stopped: `arguments` are the gateway's port and the lab's directory, whose world says how
    many requests a second."""
    port, world = int(arguments[0]), Watched(world_file(Path(arguments[1])))
    lifeline.hold()
    turns = Turns(world)
    workers = [threading.Thread(target=_visit, args=(port, turns), daemon=True) for _ in range(VISITORS)]
    for worker in workers:
        worker.start()
    workers[0].join()
    return 0


class Turns:
    """When the next request is due, shared by all visitors: the rate holds however long each answer takes."""

    def __init__(self, world: Watched) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._due = time.monotonic()
        self._paths = itertools.cycle(PATHS)

    def wait(self) -> str:
        """Wait for one's turn; the path to ask for."""
        with self._lock:
            rate = float(str(self._world.read().get("load", 20.0)))
            self._due = max(self._due + 1 / max(rate, 0.1), time.monotonic() - 0.2)
            due, path = self._due, next(self._paths)
        time.sleep(max(0.0, due - time.monotonic()))
        return path


def _visit(port: int, turns: Turns) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    while True:
        path = turns.wait()
        try:
            connection.request("GET", path, headers={"Host": "qawave.example"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
