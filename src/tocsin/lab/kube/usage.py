"""metrics.k8s.io: what pods and nodes use, measured on their processes."""

import time

from tocsin.lab.kube.kubelet import Container, Kubelet, processor_seconds, resident
from tocsin.lab.kube.objects import Object, iso, labels_of, name_of, quantity
from tocsin.lab.kube.resources import NODES, PODS
from tocsin.lab.kube.store import Store

WINDOW = "15s"
SPAN_S = 3.0
_NODE_OWN_CORES, _NODE_OWN_BYTES = 0.21, 1_400 * 2**20


class Usage:
    """Answers for the metrics API and for the autoscaler."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store = store
        self._kubelet = kubelet
        self._before: dict[int, tuple[float, float, float]] = {}

    def of(self, pod: Object) -> tuple[float, int] | None:
        """Cores and bytes that the pod uses; None while no process of it runs.

        A service that counts its workers' time says how busy they are, and that share of its limit is its use: the
        practice load waits where a real one would compute.
        """
        container = self._kubelet.containers.get(pod["metadata"]["uid"])
        if container is None or container.process is None:
            return None
        limit = quantity((pod["spec"]["containers"][0].get("resources") or {}).get("limits", {}).get("cpu"))
        cores = container.busy * limit if container.busy and limit else self._measured(container)
        return cores, resident(container.process.pid)

    def _measured(self, container: Container) -> float:
        """Cores over the last seconds; since the start, while it is young."""
        if container.process is None:
            return 0.0
        pid, now = container.process.pid, time.time()
        used = processor_seconds(pid)
        before = self._before.get(pid, (container.started_at, 0.0, 0.0))
        if now - before[0] < SPAN_S and before[2]:
            return before[2]
        cores = max(0.001, (used - before[1]) / max(1.0, now - before[0]))
        self._before[pid] = (now, used, cores)
        return cores

    def pods(self, namespace: str) -> list[Object]:
        """PodMetrics of the pods that run."""
        found = []
        for pod in self._store.all(PODS, namespace):
            used = self.of(pod)
            if used is None:
                continue
            one = {"name": pod["spec"]["containers"][0]["name"], "usage": _written(*used)}
            metadata = {"name": name_of(pod), "namespace": pod["metadata"]["namespace"], "labels": labels_of(pod)}
            found.append(_measurement("PodMetrics", metadata, {"containers": [one]}))
        return found

    def nodes(self) -> list[Object]:
        """NodeMetrics: the node's own and its pods'."""
        found = []
        for node in self._store.all(NODES):
            mine = [self.of(pod) for pod in self._store.all(PODS) if pod["spec"].get("nodeName") == name_of(node)]
            cores = _NODE_OWN_CORES + sum(each[0] for each in mine if each)
            memory = _NODE_OWN_BYTES + sum(each[1] for each in mine if each)
            found.append(_measurement("NodeMetrics", {"name": name_of(node)}, {"usage": _written(cores, memory)}))
        return found


def _written(cores: float, memory: int) -> Object:
    return {"cpu": f"{int(cores * 1e9)}n", "memory": f"{memory // 1024}Ki"}


def _measurement(kind: str, metadata: Object, rest: Object) -> Object:
    now = iso(time.time())
    metadata = metadata | {"creationTimestamp": now}
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": kind,
        "metadata": metadata,
        "timestamp": now,
        "window": WINDOW,
    } | rest
