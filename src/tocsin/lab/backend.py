"""The practice backend, one process a pod. Version v1 is good; v2 fails four requests in ten.

v2's fault is a leak: each failed request keeps its database connection. The pod's health goes down with its errors,
and when the pool is exhausted the process ends, so that there is a restart to see and a `--previous` log to read.
"""

import json
import random
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

from tocsin.lab import lifeline

FAULTY = "v2"
FAILING_SHARE = 0.4
UNHEALTHY_SHARE = 0.2
POOL = 80
HEALTH_WINDOW_S = 3.0


class PoolTimeoutError(TimeoutError):
    """No database connection became free in time."""


class Log:
    """The container's output as the kubelet writes it: time, stream, `F`, text."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, text: str, *, stream: str = "stdout") -> None:
        """Append `text`, each of its lines stamped with the same instant."""
        nanoseconds = time.time_ns()
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
        stamp = f"{second}.{nanoseconds % 1_000_000_000:09d}Z"
        with self._lock:
            self._file.writelines(f"{stamp} {stream} F {line}\n" for line in text.splitlines())
            self._file.flush()

    def line(self, level: str, text: str) -> None:
        """A line as the application writes it."""
        now = time.time()
        clock = time.strftime("%H:%M:%S", time.gmtime(now))
        self.write(f"{clock}.{int(now * 1000) % 1000:03d} {level:<5} [backend] {text}")


class Application:
    """What the backend does, without HTTP."""

    def __init__(self, version: str, log: Log) -> None:
        self.version = version
        self.log = log
        self.leaked = 0
        self._recent: deque[tuple[float, bool]] = deque(maxlen=400)

    def answer(self, path: str) -> tuple[int, dict[str, object]]:
        """Status and body for a request of the API."""
        started = time.monotonic()
        try:
            self._query(path)
        except PoolTimeoutError:
            self._recent.append((time.monotonic(), False))
            self.log.line("ERROR", f"GET {path} 500 {self._ms(started)}ms: unhandled exception\n{_trace()}")
            return 500, {"error": "Internal Server Error", "path": path}
        self._recent.append((time.monotonic(), True))
        self.log.line("INFO", f"GET {path} 200 {self._ms(started)}ms")
        return 200, {"version": self.version, "path": path, "items": []}

    def _query(self, path: str) -> None:
        time.sleep(random.uniform(0.002, 0.012))  # noqa: S311 - a practice load, nothing to guess
        if self.version == FAULTY and random.random() < FAILING_SHARE:  # noqa: S311
            time.sleep(0.03)
            self.leaked += 1
            raise PoolTimeoutError(
                f"connection to postgresql:5432 not available after 30ms, {self.leaked} of {POOL} in use ({path})"
            )

    def _ms(self, started: float) -> int:
        return int((time.monotonic() - started) * 1000)

    def health(self) -> tuple[int, dict[str, object]]:
        """503 while more than a fifth of the last seconds' requests failed, else 200."""
        since = time.monotonic() - HEALTH_WINDOW_S
        recent = [good for at, good in list(self._recent) if at >= since]
        failing = len(recent) >= 5 and recent.count(False) / len(recent) > UNHEALTHY_SHARE
        database = {"status": "DOWN" if failing else "UP", "connections": 4 + self.leaked, "pool": POOL}
        status = "DOWN" if failing else "UP"
        return (503 if failing else 200), {"status": status, "version": self.version, "components": {"db": database}}

    @property
    def exhausted(self) -> bool:
        """Whether every connection of the pool has leaked."""
        return self.leaked >= POOL - 4


def _trace() -> str:
    """The exception being handled, as the image of a service shows it: its files lie in /app."""
    return traceback.format_exc().replace(__file__, "/app/backend.py").replace(f"{__name__}.", "backend.")


class Handler(BaseHTTPRequestHandler):
    """HTTP in front of the application."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    app: Application

    def do_GET(self) -> None:
        """Health, or the API."""
        if self.path == "/health":
            self._send(*self.app.health())
        elif self.path.startswith("/api/"):
            self._send(*self.app.answer(self.path))
        else:
            self._send(404, {"error": "Not Found", "path": self.path})

    def do_POST(self) -> None:
        """The API; the body is read and forgotten."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def _send(self, status: int, body: dict[str, object]) -> None:
        payload = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the application logs its requests itself."""


class Server(ThreadingHTTPServer):
    """A server on a socket that the controller has opened and is listening already."""

    daemon_threads = True

    def __init__(self, descriptor: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=descriptor)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is not the service's fault."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main(arguments: list[str]) -> int:
    """Serve until stopped: `arguments` are version, file descriptor of the socket, log file."""
    version, descriptor, log_path = arguments
    lifeline.hold()
    app = Application(version, Log(Path(log_path)))
    Handler.app = app
    server = Server(int(descriptor))
    ended = threading.Event()

    def _terminate(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    app.log.line("INFO", f"backend {version} started, listening on :8080, connection pool of {POOL}")
    while not ended.wait(0.1):
        if app.exhausted:
            app.log.line("FATAL", f"connection pool exhausted: {POOL} of {POOL} connections in use, shutting down")
            return 1
    app.log.line("INFO", "SIGTERM received, finished requests in flight, stopping")
    server.shutdown()
    time.sleep(0.05)
    return 0
