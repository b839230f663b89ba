"""What Prometheus and Alertmanager would do about the practice production: watch one rule, send the webhook.

The bodies are Alertmanager's webhook version 4, as Alertmanager 0.25 sends them; so are the manners: a 5xx answer or
a broken connection is tried again at once and with growing pauses, a 4xx is not, and a firing group is sent again at
every interval.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from tocsin.lab.errors import LabError

ALERTNAME = "BackendHighErrorRate"
NEVER = "0001-01-01T00:00:00Z"
"""`endsAt` of an alert that still fires."""
_PAUSES_S = (0.3, 0.6, 1.2, 2.4, 4.8)


_BACKEND = 'http_requests_total{service="backend"'
ERROR_RATIO = f'sum(rate({_BACKEND},status=~"5.."}}[3s])) / sum(rate({_BACKEND}}}[3s]))'
LATENCY = "sum(rate(http_request_duration_seconds_sum[3s])) / sum(rate(http_request_duration_seconds_count[3s]))"
STUCK = 'sum(kube_pod_container_status_waiting_reason{reason=~"CrashLoopBackOff|ErrImagePull|ImagePullBackOff"})'


class Rule(NamedTuple):
    """An alerting rule: fires above `threshold` (exclusive) once that has lasted `hold` seconds."""

    threshold: float = 0.05
    hold: float = 0.5
    severity: str = "critical"
    alertname: str = ALERTNAME
    expression: str = ERROR_RATIO
    service: str = "backend"
    summary: str = "High error rate on the backend"
    drill: str = ""
    lasts: float = 0.0
    """Seconds after which it is mended itself, and fires no more; 0 for never."""


SLOW = Rule(threshold=0.35, alertname="BackendSlow", expression=LATENCY, summary="The backend answers slowly")
CRASHING = Rule(
    threshold=0.5, hold=1.0, alertname="PodsDoNotStart", expression=STUCK, summary="Pods of the backend do not start"
)


class Receiver(NamedTuple):
    """Where the webhook goes: an http URL and the bearer token it wants."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Receiver(url={self.url!r}, token=***)"


def fingerprint(labels: dict[str, str]) -> str:
    """Alertmanager's fingerprint of a label set (prometheus/common, model/signature.go: FNV-1a 64)."""
    digest = 14695981039346656037
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            digest = ((digest ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def webhook_body(
    ratio: float, *, rule: Rule, started_at: float, ended_at: float | None = None, prometheus_url: str = ""
) -> dict[str, object]:
    """An Alertmanager v4 webhook body for the backend's error ratio (0 to 1); resolved when `ended_at` is given."""
    status = "firing" if ended_at is None else "resolved"
    labels = {
        "alertname": rule.alertname,
        "namespace": "production",
        "service": rule.service,
        "severity": rule.severity,
    }
    annotations = {"description": _described(ratio, rule), "summary": rule.summary}
    if rule.drill:
        labels["drill"] = rule.drill
        annotations["summary"] = f"DRILL: {rule.summary}"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _instant(started_at),
        "endsAt": NEVER if ended_at is None else _instant(ended_at),
        "generatorURL": f"{prometheus_url}/graph?g0.expr={quote(f'{rule.expression} > {rule.threshold}')}&g0.tab=1",
        "fingerprint": fingerprint(labels),
    }
    return {
        "receiver": "tocsin",
        "status": status,
        "alerts": [alert],
        "groupLabels": {"alertname": rule.alertname, "service": rule.service},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": prometheus_url,
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{rule.alertname}", service="{rule.service}"}}',
        "truncatedAlerts": 0,
    }


def post(receiver: Receiver, body: dict[str, object]) -> int:
    """The HTTP status that the receiver answered, 0 when it could not be reached."""
    url = urlsplit(receiver.url)
    if url.scheme != "http" or not url.hostname:
        raise LabError(f"the webhook's URL must be http://host:port/path, not {receiver.url}")
    headers = {
        "User-Agent": "Alertmanager/0.25.0",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {receiver.token}",
    }
    connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=10)
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("POST", target, json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class Alerting:
    """A thread that watches an error ratio and sends what Alertmanager would.

    `ratio` gives the share of failed requests now, 0 to 1, and may raise LabError while nothing answers. `sent` lists
    what happened, oldest first: the status of each body (`firing`, `resolved`) and the HTTP status it was answered.
    """

    def __init__(
        self,
        ratio: Callable[[], float],
        receiver: Receiver,
        *,
        rule: Rule | None = None,
        repeat_s: float = 10.0,
        poll_s: float = 0.25,
        prometheus_url: str = "",
    ) -> None:
        self.sent: list[tuple[str, int]] = []
        self._ratio = ratio
        self._receiver = receiver
        self._rule = rule or Rule()
        self._repeat_s = repeat_s
        self._poll_s = poll_s
        self._prometheus_url = prometheus_url
        self._mended = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="alerting", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; nothing more is sent. Waits for a body on its way."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        above_since: float | None = None
        below_since: float | None = None
        firing_since: float | None = None
        sent_at = 0.0
        while not self._ended.wait(self._poll_s):
            try:
                ratio = self._ratio()
            except LabError:
                continue  # nothing measured: neither fires nor resolves
            now = time.time()
            mended = self._rule.lasts and firing_since is not None and now - firing_since > self._rule.lasts
            self._mended = self._mended or bool(mended)
            above = ratio > self._rule.threshold and not self._mended
            above_since = (above_since or now) if above else None
            below_since = None if above else (below_since or now)
            held = above_since is not None and now - above_since >= self._rule.hold
            if firing_since is None and held:
                firing_since, sent_at = above_since, 0.0
            if firing_since is None:
                continue
            if below_since is not None and now - below_since >= self._rule.hold:
                self._send(ratio, firing_since, ended_at=now)
                firing_since = None
            elif now - sent_at >= self._repeat_s:
                self._send(ratio, firing_since, ended_at=None)
                sent_at = now

    def _send(self, ratio: float, started_at: float, *, ended_at: float | None) -> None:
        body = webhook_body(
            ratio, rule=self._rule, started_at=started_at, ended_at=ended_at, prometheus_url=self._prometheus_url
        )
        for pause in (*_PAUSES_S, None):
            answered = post(self._receiver, body)
            self.sent.append((str(body["status"]), answered))
            if (answered and answered < 500) or pause is None or self._ended.wait(pause):
                return


def _described(value: float, rule: Rule) -> str:
    if rule.expression == ERROR_RATIO:
        return f"Error rate is {value * 100:.2f}% (threshold: {rule.threshold * 100:.0f}%)"
    return f"{rule.summary}: {value:.3g} (threshold: {rule.threshold:g})"


def _instant(at: float) -> str:
    milliseconds = int(at % 1 * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{milliseconds:03d}Z"
