"""What a Prometheus would scrape here, beyond the gateway's own counters: the pods' and the cluster's series."""

import time

from tocsin.lab.counters import Counters
from tocsin.lab.gateway import Backend, Endpoints
from tocsin.lab.kube.kubelet import Container, Kubelet
from tocsin.lab.kube.objects import Object, deleting, labels_of, name_of, quantity
from tocsin.lab.kube.resources import AUTOSCALERS, CLAIMS, DEPLOYMENTS, PODS
from tocsin.lab.kube.store import Store
from tocsin.lab.world import Watched

SAMPLE_EVERY_S = 0.5
PRODUCT = "backend"


class Measuring:
    """Publishes the gateway's endpoints each round, and samples every series twice a second."""

    def __init__(
        self, store: Store, kubelet: Kubelet, endpoints: Endpoints, counters: Counters, world: Watched
    ) -> None:
        self._store = store
        self._kubelet = kubelet
        self._endpoints = endpoints
        self._counters = counters
        self._world = world
        self._sampled_at = 0.0

    def tick(self) -> None:
        """Publish, and sample when it is time."""
        pods = [pod for pod in self._store.all(PODS) if labels_of(pod).get("app") == PRODUCT and not deleting(pod)]
        found = [
            each for pod in pods if (each := self._kubelet.containers.get(pod["metadata"]["uid"])) and each.running
        ]
        self._endpoints.publish(
            ready=tuple(Backend(each.port, each.pod) for each in found if each.ready),
            alive=tuple(Backend(each.port, each.pod) for each in found if each.ever_ready),
        )
        now = time.time()
        if now - self._sampled_at >= SAMPLE_EVERY_S:
            self._sampled_at = now
            self._measure(found)
            self._counters.sample(now)

    def _measure(self, backends: list[Container]) -> None:
        gauge = self._counters.gauge
        gauge("backend_pods_ready", sum(each.ready for each in backends), service=PRODUCT, job="gateway")
        gauge("backend_connections", sum(each.connections for each in backends), service=PRODUCT, job="gateway")
        self._counters.forget("kube_", "kubelet_", "up", "container_")
        ups: dict[str, float] = {}
        for pod in self._store.all(PODS):
            app = labels_of(pod).get("app", "")
            container = self._kubelet.containers.get(pod["metadata"]["uid"])
            if container is None:
                continue
            ups[app] = max(ups.get(app, 0.0), float(container.running))
            self._pod(pod, container, app)
        for app, up in ups.items():
            gauge("up", up, job="gateway" if app == PRODUCT else app, service=app)
        self._workloads()
        self._volumes()

    def _pod(self, pod: Object, container: Container, app: str) -> None:
        gauge = self._counters.gauge
        where = {"job": "kube-state-metrics", "pod": container.pod, "container": container.app}
        gauge("kube_pod_container_status_restarts_total", container.restarts, **where)
        gauge("kube_pod_container_status_ready", float(container.ready), **where)
        if container.waiting[0] and not container.running:
            gauge("kube_pod_container_status_waiting_reason", 1.0, reason=container.waiting[0], **where)
        ended = container.last or container.ended
        if ended:
            gauge("kube_pod_container_status_last_terminated_reason", 1.0, reason=ended["reason"], **where)
        limit = quantity((pod["spec"]["containers"][0].get("resources") or {}).get("limits", {}).get("memory"))
        gauge("kube_pod_container_resource_limits", limit, resource="memory", unit="byte", **where)
        if app != PRODUCT:
            own = {"job": app, "service": app, "pod": container.pod}
            for status, count in container.requests.items():
                gauge("http_requests_total", count, status=status, **own)
            total = sum(container.requests.values())
            for bound, reached in ({**container.buckets, "+Inf": total} if container.buckets else {}).items():
                gauge("http_request_duration_seconds_bucket", reached, le=bound, **own)

    def _workloads(self) -> None:
        gauge = self._counters.gauge
        for each in self._store.all(DEPLOYMENTS):
            where = {"job": "kube-state-metrics", "deployment": name_of(each)}
            gauge("kube_deployment_spec_replicas", each["spec"]["replicas"], **where)
            gauge("kube_deployment_status_replicas_available", each["status"].get("availableReplicas", 0), **where)
        for each in self._store.all(AUTOSCALERS):
            where = {"job": "kube-state-metrics", "horizontalpodautoscaler": name_of(each)}
            gauge("kube_horizontalpodautoscaler_spec_max_replicas", each["spec"]["maxReplicas"], **where)
            replicas = each["status"].get("currentReplicas", 0)
            gauge("kube_horizontalpodautoscaler_status_current_replicas", replicas, **where)

    def _volumes(self) -> None:
        """How full each claim's volume is, as the kubelet says; what strikes its app may fill it."""
        struck = self._world.read().get("faults")
        faults = struck if isinstance(struck, dict) else {}
        full = {"data-postgresql-0": "disk_full" in faults.get("postgresql", {})}
        full["worker-data"] = "volume_mb" in faults.get("worker", {})
        for claim in self._store.all(CLAIMS):
            name, size = name_of(claim), quantity(claim["status"]["capacity"]["storage"])
            where = {"job": "kubelet", "persistentvolumeclaim": name}
            self._counters.gauge("kubelet_volume_stats_capacity_bytes", size, **where)
            used = size * (1.0 if full.get(name) else 0.44)
            self._counters.gauge("kubelet_volume_stats_used_bytes", used, **where)
