"""The one door of the practice production, on one loopback port.

An HTTP forward proxy for the product's address (`http://qawave.example/...`, so that `curl` works by `http_proxy`
and without DNS), the balancer over the backend's pods, `/metrics`, and Prometheus' queries. It refuses to
be a proxy to anywhere else.
"""

import http.client
import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from tocsin.lab.counters import Counters, Labels
from tocsin.lab.promql import Point, Query, QueryError, Value, over_time

PRODUCT_HOST = "qawave.example"
METRICS_HOST = "prometheus.qawave.example"
HEALTH_WINDOW_S = 1.5
UNHEALTHY_SHARE = 0.1
GIVE_UP_S = 1.5
"""A request that a pod has not answered by then is answered 504."""


class Backend(NamedTuple):
    """A pod that requests may go to: its loopback port and its name."""

    port: int
    pod: str


class Endpoints:
    """The backend's pods, shared by the gateway and the cluster. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: tuple[Backend, ...] = ()
        self._alive: tuple[Backend, ...] = ()

    def publish(self, *, ready: tuple[Backend, ...], alive: tuple[Backend, ...]) -> None:
        """Replace both lists."""
        with self._lock:
            self._ready, self._alive = ready, alive

    @property
    def ready(self) -> tuple[Backend, ...]:
        """Those that are ready."""
        with self._lock:
            return self._ready

    def targets(self) -> tuple[Backend, ...]:
        """Where requests go: the ready pods, or every running one when fewer than half are ready.

        Envoy's panic routing: when most of a service is unhealthy, spreading what is left of it beats overloading it.
        """
        with self._lock:
            return self._ready if 2 * len(self._ready) >= len(self._alive) else self._alive


class Reply(NamedTuple):
    """An answer on its way to the client."""

    status: int
    body: bytes
    content_type: str = "application/json"


class Gateway:
    """What the gateway decides, without HTTP."""

    def __init__(self, endpoints: Endpoints, counters: Counters, processes: Callable[[], dict[str, int]]) -> None:
        self._endpoints = endpoints
        self._processes = processes
        self._counters = counters
        self._turn = itertools.count()

    def product(self, method: str, target: str, body: bytes) -> Reply:
        """The product's answer: its health, or the API's through one of the pods."""
        if target.partition("?")[0] == "/health":
            return self.health()
        started = time.monotonic()
        reply, pod = self._forward(method, target, body)
        if target.startswith("/api/"):
            self._counters.count(reply.status, time.monotonic() - started, now=time.time(), pod=pod)
        return reply

    def _forward(self, method: str, target: str, body: bytes) -> tuple[Reply, str]:
        targets = self._endpoints.targets()
        first = next(self._turn)
        for offset in range(len(targets)):
            chosen = targets[(first + offset) % len(targets)]
            connection = http.client.HTTPConnection("127.0.0.1", chosen.port, timeout=GIVE_UP_S)
            try:
                connection.request(method, target, body=body or None)
                answer = connection.getresponse()
                kind = answer.headers.get("Content-Type") or "text/plain"
                return Reply(answer.status, answer.read(), kind), chosen.pod
            except TimeoutError:
                return _json(504, {"error": "upstream request timeout"}), chosen.pod
            except (OSError, http.client.HTTPException):
                continue  # the pod has just gone: the next one, as a balancer does
            finally:
                connection.close()
        return _json(503, {"error": "no healthy upstream"}), ""

    def health(self) -> Reply:
        """200 UP; 503 DOWN when no pod is ready or more than a tenth of the last moment's requests failed."""
        ratio = self._counters.recent_error_ratio(HEALTH_WINDOW_S, now=time.time())
        ready = len(self._endpoints.ready)
        healthy = ready > 0 and (ratio or 0.0) <= UNHEALTHY_SHARE
        status = "UP" if healthy else "DOWN"
        details = {"readyPods": ready, "errorRatio": round(ratio or 0.0, 3)}
        body: dict[str, object] = {"status": status, "components": {"backend": {"status": status, "details": details}}}
        return _json(200 if healthy else 503, body)

    def metrics(self) -> Reply:
        """Every series in Prometheus' text format."""
        text = self._counters.exposition().encode()
        return Reply(200, text, "text/plain; version=0.0.4; charset=utf-8")

    def processes(self) -> Reply:
        """The process of each running pod, for the owner of the lab."""
        return _json(200, dict(self._processes()))

    def query(self, expression: str | None, at: str | None = None) -> Reply:
        """A Prometheus instant query's answer, now or `at` an instant, or Prometheus' own `bad_data`."""
        now = time.time()
        self._counters.sample(now)
        try:
            if not expression:
                raise QueryError("unknown position: parse error: no expression found in input")
            now = _instant(at) if at else now
            value = Query(expression, self._counters.samples(), now=now).value()
        except QueryError as exc:
            error = f'invalid parameter "query": {exc}'
            return _json(400, {"status": "error", "errorType": "bad_data", "error": error})
        return _json(200, {"status": "success", "data": _data(value, now)})

    def query_range(self, form: dict[str, list[str]]) -> Reply:
        """A Prometheus range query's answer: instants and the step in any form that Prometheus takes."""
        try:
            start, end = (_instant(form.get(name, [""])[0]) for name in ("start", "end"))
            step = _seconds(form.get("step", [""])[0])
            found = over_time(form.get("query", [""])[0], self._counters.samples(), start=start, end=end, step=step)
        except QueryError as exc:
            error = f'invalid parameter "query": {exc}'
            return _json(400, {"status": "error", "errorType": "bad_data", "error": error})
        return _json(200, {"status": "success", "data": _matrix(found)})

    def names(self, label: str) -> Reply:
        """The values that a label has; of `__name__` the metrics there are."""
        latest = self._counters.samples()[-1:]
        keys = [key for sample in latest for key in sample.values]
        values = {key.name if label == "__name__" else dict(key.labels).get(label, "") for key in keys}
        return _json(200, {"status": "success", "data": sorted(filter(None, values))})


class Handler(BaseHTTPRequestHandler):
    """HTTP in front of the gateway, keeping connections open."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    gateway: Gateway

    def do_GET(self) -> None:
        """Answer any request by host and path."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._send(self._answer(body))

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def do_CONNECT(self) -> None:
        """TLS is not spoken here."""
        self._send(_json(501, {"error": "the practice production speaks http only, not https"}))

    def _answer(self, body: bytes) -> Reply:
        url = urlsplit(self.path)
        host = (url.hostname or "").lower()
        if host == PRODUCT_HOST:
            return self.gateway.product(self.command, _target(url.path, url.query), body)
        if host not in ("", METRICS_HOST, "localhost", "127.0.0.1"):
            return _json(502, {"error": f"the practice production has no host {host}"})
        if url.path == "/metrics":
            return self.gateway.metrics()
        if url.path == "/practice/processes":
            return self.gateway.processes()
        if url.path == "/api/v1/query":
            form = parse_qs(url.query) | parse_qs(body.decode("utf-8", "replace"))
            return self.gateway.query(form.get("query", [None])[0], form.get("time", [None])[0])
        if url.path == "/api/v1/query_range":
            return self.gateway.query_range(parse_qs(url.query) | parse_qs(body.decode("utf-8", "replace")))
        if label := re.fullmatch(r"/api/v1/label/(\w+)/values", url.path):
            return self.gateway.names(label[1])
        if url.path in ("/-/healthy", "/-/ready"):
            return Reply(200, b"Practice production is ready.\n", "text/plain")
        return self.gateway.product(self.command, _target(url.path, url.query), body)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the counters are the gateway's record."""


class Server(ThreadingHTTPServer):
    """The gateway's listener; a client that hangs up is not worth a word."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Silence: what fails here is the client's connection."""


def _instant(text: str) -> float:
    """Seconds since the epoch, of a number or an RFC 3339 instant."""
    try:
        return float(text) if text and re.fullmatch(r"[\d.]+", text) else datetime.fromisoformat(text).timestamp()
    except ValueError as exc:
        raise QueryError(f"cannot parse {text!r} to a valid timestamp") from exc


def _seconds(text: str) -> float:
    """Seconds, of a number or a duration as `15s`."""
    found = re.fullmatch(r"([\d.]+)(ms|[smhd]?)", text)
    if found is None:
        raise QueryError(f"cannot parse {text!r} to a valid duration")
    return float(found[1]) * {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}[found[2]]


def _target(path: str, query: str) -> str:
    return (path or "/") + (f"?{query}" if query else "")


def _json(status: int, body: dict[str, object]) -> Reply:
    return Reply(status, json.dumps(body).encode() + b"\n")


def _data(value: Value, now: float) -> dict[str, object]:
    at = round(now, 3)
    if isinstance(value, float):
        return {"resultType": "scalar", "result": [at, _number(value)]}
    rows = [{"metric": _metric(labels), "value": [at, _number(found)]} for labels, found in sorted(value.items())]
    return {"resultType": "vector", "result": rows}


def _matrix(found: dict[Labels, list[Point]]) -> dict[str, object]:
    rows = [
        {"metric": _metric(labels), "values": [[round(one.at, 3), _number(one.value)] for one in points]}
        for labels, points in sorted(found.items())
    ]
    return {"resultType": "matrix", "result": rows}


def _metric(labels: Labels) -> dict[str, str]:
    return dict(labels)


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.17g}" if value != int(value) else str(int(value))
