"""What the gateway measures: request counters and latency, and samples of them for the last minutes. Thread-safe."""

import threading
from collections import deque
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
KEPT_S = 600.0


class Series(NamedTuple):
    """A time series' identity: metric name and sorted labels."""

    name: str
    labels: Labels


class Sample(NamedTuple):
    """All series at one instant, seconds since the epoch."""

    at: float
    values: dict[Series, float]


def series(name: str, *, namespace: str = "production", **labels: str) -> Series:
    """A series of that name; empty labels are none."""
    named = {"namespace": namespace, **{label: value for label, value in labels.items() if value}}
    return Series(name, tuple(sorted(named.items())))


class Counters:
    """Cumulative counters, as a service keeps them, and what a Prometheus would have scraped of them."""

    def __init__(self, namespace: str = "production") -> None:
        self._namespace = namespace
        self._lock = threading.Lock()
        self._values: dict[Series, float] = {}
        self._samples: deque[Sample] = deque()
        self._recent: deque[tuple[float, bool]] = deque(maxlen=500)
        for status in ("200", "500", "503"):  # from 0, so that the first error is an increase
            self._values[self._of_backend("http_requests_total", status=status)] = 0
        self._values[self._of_backend("http_request_duration_seconds_sum")] = 0
        self._values[self._of_backend("http_request_duration_seconds_count")] = 0
        for bound in (*map(str, BUCKETS_S), "+Inf"):
            self._values[self._of_backend("http_request_duration_seconds_bucket", le=bound)] = 0

    def _of_backend(self, name: str, **labels: str) -> Series:
        return series(name, namespace=self._namespace, job="gateway", service="backend", **labels)

    def count(self, status: int, seconds: float, *, now: float, pod: str = "") -> None:
        """One request answered, by that pod if it was one."""
        reached = [str(bound) for bound in BUCKETS_S if seconds <= bound] + ["+Inf"]
        with self._lock:
            self._recent.append((now, status < 500))
            self._add(self._of_backend("http_requests_total", status=str(status), pod=pod), 1)
            self._add(self._of_backend("http_request_duration_seconds_sum", pod=pod), seconds)
            self._add(self._of_backend("http_request_duration_seconds_count", pod=pod), 1)
            for bound in (*map(str, BUCKETS_S), "+Inf"):
                key = self._of_backend("http_request_duration_seconds_bucket", pod=pod, le=bound)
                self._add(key, float(bound in reached))

    def _add(self, key: Series, amount: float) -> None:
        if key not in self._values and self._samples:
            self._samples[-1].values.setdefault(key, 0.0)  # from 0, so that the first request is an increase
        self._values[key] = self._values.get(key, 0) + amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a series that something else counts."""
        with self._lock:
            self._values[series(name, namespace=self._namespace, **labels)] = value

    def forget(self, *prefixes: str) -> None:
        """Drop the series whose names begin so: what is not set again is gone, as a scrape without it says."""
        with self._lock:
            self._values = {key: value for key, value in self._values.items() if not key.name.startswith(prefixes)}

    def sample(self, now: float) -> None:
        """Remember the counters of this instant, forget those older than ten minutes."""
        with self._lock:
            self._samples.append(Sample(now, dict(self._values)))
            while self._samples[0].at < now - KEPT_S:
                self._samples.popleft()

    def samples(self) -> list[Sample]:
        """What is remembered, oldest first; the newest, which a new series is still added to, as a copy."""
        with self._lock:
            found = list(self._samples)
            return [*found[:-1], *(Sample(newest.at, dict(newest.values)) for newest in found[-1:])]

    def recent_error_ratio(self, seconds: float, *, now: float) -> float | None:
        """Share of the last `seconds`' requests that failed; None when there were none."""
        with self._lock:
            recent = [good for at, good in self._recent if at >= now - seconds]
        return recent.count(False) / len(recent) if recent else None

    def exposition(self) -> str:
        """All series in Prometheus' text format 0.0.4."""
        with self._lock:
            values = sorted(self._values.items(), key=lambda item: item[0].name)
        lines: list[str] = []
        seen = ""
        for key, value in values:
            family = _family(key.name)
            if family != seen:
                kind, text = _HELP.get(family, ("gauge", "What kube-state-metrics would say."))
                lines += [f"# HELP {family} {text}", f"# TYPE {family} {kind}"]
                seen = family
            labels = ",".join(f'{name}="{text}"' for name, text in key.labels)
            lines.append(f"{key.name}{{{labels}}} {value:.10g}")
        return "\n".join(lines) + "\n"


_HELP = {
    "http_requests_total": ("counter", "Requests to the service by status, as the gateway answered them."),
    "http_request_duration_seconds": ("histogram", "Time to the whole answer."),
    "backend_pods_ready": ("gauge", "Pods that pass their readiness probe."),
    "backend_connections": ("gauge", "Database connections that the pods hold."),
    "kube_pod_container_status_restarts_total": ("counter", "Restarts of a container."),
    "up": ("gauge", "1 while a pod of the service is ready."),
}


def _family(name: str) -> str:
    stem = "http_request_duration_seconds"
    return stem if name.startswith(stem) else name
