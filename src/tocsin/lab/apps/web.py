"""A web service in versions. What it does badly is in its traits: of its image, its environment, or what strikes it.

Traits: `fail` (share of requests that fail, 0 to 1), `leak` (a failed request keeps its connection; the process ends
when the pool is exhausted), `error` (what the log says of a failed request), `service_ms`, `slots` (requests at once,
0 for any number), `memory_mb`, `boot_error` (ends at once with that), `upstream` (a service it asks),
`upstream_timeout_ms`, `database` (asks the database), `static_health`, `hang` (takes requests and never answers).
"""

import http.client
import json
import random
import socket
import sys
import threading
import time
import traceback
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tocsin.lab.apps.container import Container, enter
from tocsin.lab.apps.postgres import Connection, SqlError

UNHEALTHY_SHARE = 0.2
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
POOL = 80
WINDOW_S = 3.0
SLOT_WAIT_S = 0.8
DATABASE_POOL = 10
DATABASE_WAIT_S = 0.5


class PoolTimeoutError(TimeoutError):
    """No database connection became free in time."""


class UpstreamError(Exception):
    """A service that this one needs did not do its part."""


class OverloadedError(Exception):
    """Too many requests at once: no worker became free in time."""


class RequestError(Exception):
    """What a faulty build does with a request."""


class Application:
    """What the service does, without HTTP."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.version = str(container.given["traits"].get("version", ""))
        self.leaked = 0
        self.counts: dict[str, int] = {}
        self.spent = 0.0
        self.buckets = {str(bound): 0 for bound in BUCKETS_S}
        slots = int(container.trait("slots"))
        self._slots = threading.BoundedSemaphore(slots) if slots else None
        self._recent: deque[tuple[float, bool, float]] = deque(maxlen=2000)
        self._lock = threading.Lock()
        self._database: list[Connection] = []
        self._database_pool = threading.BoundedSemaphore(DATABASE_POOL)

    def answer(self, method: str, path: str) -> tuple[int, dict[str, object]]:
        """Status and body for a request of the API."""
        started = time.monotonic()
        own = False
        status, body = 200, {"version": self.version, "path": path, "items": []}  # type: tuple[int, dict[str, object]]
        try:
            self._work(method, path)
        except (PoolTimeoutError, UpstreamError, RequestError, SqlError, OSError) as exc:
            status, body = 500, {"error": "Internal Server Error", "path": path}
            own = isinstance(exc, RequestError) or bool(self.leaked)
            self._complain(method, path, exc, started)
        except OverloadedError as exc:
            status, body = 503, {"error": "Service Unavailable", "path": path}
            self.container.log.line("WARN", f"{method} {path} 503 {_ms(started)}ms: {exc}")
        else:
            self.container.log.line("INFO", f"{method} {path} 200 {_ms(started)}ms")
        self._note(status, time.monotonic() - started, own=own)
        return status, body

    def _complain(self, method: str, path: str, exc: Exception, started: float) -> None:
        text = f"{method} {path} 500 {_ms(started)}ms: unhandled exception"
        if isinstance(exc, SqlError):
            text += f" SQLSTATE {exc.code}"
        self.container.log.line("ERROR", f"{text}\n{_trace()}")

    def _note(self, status: int, seconds: float, *, own: bool) -> None:
        with self._lock:
            self.counts[str(status)] = self.counts.get(str(status), 0) + 1
            self.spent += seconds
            for bound in BUCKETS_S:
                self.buckets[str(bound)] += seconds <= bound
            self._recent.append((time.monotonic(), not own, seconds))

    def _work(self, method: str, path: str) -> None:
        if self._slots is None:
            self._serve(method, path)
            return
        if not self._slots.acquire(timeout=SLOT_WAIT_S):
            raise OverloadedError(f"no worker free within {int(SLOT_WAIT_S * 1000)}ms, all are busy")
        try:
            self._serve(method, path)
        finally:
            self._slots.release()

    def _serve(self, method: str, path: str) -> None:
        own = self.container.trait("service_ms")
        time.sleep(own / 1000 if own else random.uniform(0.002, 0.012))  # noqa: S311 - a practice load
        while self.container.trait("hang") and not self.container.ended.wait(0.2):
            continue
        if random.random() < self.container.trait("fail"):  # noqa: S311
            self._fail(path)
        if self.container.word("upstream"):
            self._ask(self.container.word("upstream"))
        if self.container.word("database"):
            self._query(method, path)

    def _fail(self, path: str) -> None:
        time.sleep(0.03)
        if not self.container.trait("leak"):
            raise RequestError(self.container.word("error", "cannot serve the request"))
        self.leaked += 1
        raise PoolTimeoutError(
            f"connection to postgresql:5432 not available after 30ms, {self.leaked} of {POOL} in use ({path})"
        )

    def _ask(self, service: str) -> None:
        limit = self.container.trait("upstream_timeout_ms", 400.0)
        ports = self.container.ports_of(service)
        if not ports:
            raise UpstreamError(f"upstream {service}: connection refused, no endpoint is ready")
        connection = http.client.HTTPConnection("127.0.0.1", random.choice(ports), timeout=limit / 1000)  # noqa: S311
        try:
            connection.request("GET", "/api/charge")
            answer = connection.getresponse()
            answer.read()
        except TimeoutError as exc:
            raise UpstreamError(f"upstream {service} timed out after {int(limit)}ms") from exc
        except (OSError, http.client.HTTPException) as exc:
            raise UpstreamError(f"upstream {service}: {exc}") from exc
        finally:
            connection.close()
        if answer.status >= 500:
            raise UpstreamError(f"upstream {service} answered {answer.status}")

    def _query(self, method: str, path: str) -> None:
        ports = self.container.ports_of(self.container.word("database"))
        if not ports:
            raise UpstreamError("could not connect to postgresql:5432: connection refused")
        if not self._database_pool.acquire(timeout=DATABASE_WAIT_S):
            waited = int(DATABASE_WAIT_S * 1000)
            raise PoolTimeoutError(f"no connection free within {waited}ms, {DATABASE_POOL} of {DATABASE_POOL} in use")
        try:
            self._ask_database(ports[0], path)
        finally:
            self._database_pool.release()

    def _ask_database(self, port: int, path: str) -> None:
        with self._lock:
            connection = self._database.pop() if self._database else None
        connection = connection or Connection(port)
        try:
            connection.query(self.container.word("statement", _STATEMENTS[hash(path) % len(_STATEMENTS)]))
        except SqlError as exc:
            if exc.code.startswith("08"):
                connection.close()
                raise
            self._give_back(connection)
            raise
        except OSError:
            connection.close()
            raise
        self._give_back(connection)

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            self._database.append(connection)

    def health(self) -> tuple[int, dict[str, object]]:
        """503 while more than a fifth of the last seconds' requests failed by its own fault, else 200; and counts."""
        since = time.monotonic() - WINDOW_S
        with self._lock:
            recent = [each for each in self._recent if each[0] >= since]
            counts, buckets = dict(self.counts), dict(self.buckets)
        bad = sum(not good for _, good, _ in recent)
        failing = len(recent) >= 5 and bad / len(recent) > UNHEALTHY_SHARE
        failing = failing and not self.container.trait("static_health")
        status = "DOWN" if failing else "UP"
        database = {"status": status, "connections": 4 + self.leaked, "pool": POOL}
        body: dict[str, object] = {"status": status, "version": self.version, "components": {"db": database}}
        slots = self.container.trait("slots")
        busy = sum(seconds for _, _, seconds in recent) / (WINDOW_S * slots) if slots else 0.0
        return (503 if failing else 200), body | {
            "requests": counts,
            "seconds": self.spent,
            "buckets": buckets,
            "busy": min(1.0, busy),
        }

    @property
    def exhausted(self) -> bool:
        """Whether every connection of the pool has leaked."""
        return self.leaked >= POOL - 4


_STATEMENTS = (
    "SELECT id, title FROM scenarios ORDER BY id LIMIT 20",
    "UPDATE runs SET status = 'done' WHERE id = 1",
    "SELECT count(*) FROM runs",
)


def _ms(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _trace() -> str:
    """The exception being handled, as the image of a service shows it: its files lie in /app."""
    text = traceback.format_exc().replace(__file__, "/app/service.py").replace(f"{__name__}.", "service.")
    folder = __file__.rpartition("/")[0]
    return text.replace(folder, "/app").replace("tocsin.lab.apps.", "service.")


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
            self._send(*self.app.answer(self.command, self.path))
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
    """A server on a socket that the kubelet has opened and is listening already."""

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
    """Serve until stopped; the one argument is what `container.Given` says, as JSON."""
    container = enter(arguments[0])
    Handler.app = app = Application(container)
    server = Server(container.given["descriptor"])
    log = container.log
    log.line("INFO", f"{container.app} {app.version} starting")
    if container.word("boot_error"):
        log.line("FATAL", container.word("boot_error"))
        time.sleep(0.1)
        return 1
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    log.line("INFO", f"{container.app} {app.version} started, listening on :8080, connection pool of {POOL}")
    ballast: list[bytearray] = []
    while not container.ended.wait(0.1):
        if app.exhausted:
            log.line("FATAL", f"connection pool exhausted: {POOL} of {POOL} connections in use, shutting down")
            return 1
        if 8 * len(ballast) < container.trait("memory_mb"):  # grows as a cache that is filled does
            ballast.append(bytearray(b"\x01") * (8 << 20))
        if container.word("die"):
            log.line("FATAL", container.word("die"))
            return 1
    log.line("INFO", "SIGTERM received, finished requests in flight, stopping")
    server.shutdown()
    time.sleep(0.05)
    return 0
