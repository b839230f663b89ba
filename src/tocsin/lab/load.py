"""The users of the practice production: about 20 requests a second through the gateway, two at a time."""

import http.client
import itertools
import threading
import time

from tocsin.lab import lifeline

PATHS = ("/api/scenarios", "/api/projects", "/api/runs", "/api/scenarios/17", "/api/me")


def main(arguments: list[str]) -> int:
    """Make requests until stopped: `arguments` are the gateway's port and the requests a second."""
    port, rate = int(arguments[0]), float(arguments[1])
    lifeline.hold()
    workers = [threading.Thread(target=_visit, args=(port, rate / 2), daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    workers[0].join()
    return 0


def _visit(port: int, rate: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    due = time.monotonic()
    for path in itertools.cycle(PATHS):
        due = max(due + 1 / rate, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            connection.request("GET", path, headers={"Host": "qawave.example"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
