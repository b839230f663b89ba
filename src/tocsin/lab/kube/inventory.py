"""The practice cluster as it is found: what runs in namespace `production`, and how old it says it is. Pure.

Every pod is a process. Ages in days belong to the story: what matters for it really happens.
"""

from typing import NamedTuple

from tocsin.lab.kube.objects import Object, iso, sha256_like
from tocsin.lab.kube.resources import (
    AUTOSCALERS,
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from tocsin.lab.world import Image, World

NAMESPACE = "production"
REGISTRY = "ghcr.io/qawave"
IMAGE = f"{REGISTRY}/backend"
VERSION = "v1.32.4"
_DAY = 86_400.0


class Shape(NamedTuple):
    """What of the production is built differently for a scenario."""

    namespace: str = NAMESPACE
    tag: str = "v1"
    replicas: int = 2
    backend_env: tuple[tuple[str, str], ...] = ()
    memory_limit: str = "512Mi"
    hpa: tuple[int, int] = (2, 10)
    database: bool = False
    downstream: bool = False
    node_cores: str = "4"


def image(reference: str, program: str, **traits: object) -> tuple[str, Image]:
    """A build under its reference; its digest is that of its traits."""
    version = str(traits.get("version") or reference.rpartition(":")[2])
    told: dict[str, object] = {"version": version, **traits}
    return reference, {
        "digest": f"sha256:{sha256_like(f'{reference}{sorted(told.items())}')}",
        "program": program,
        "traits": told,
    }


def new_world(load: float) -> World:
    """A world in which nothing is wrong, and the backend's bad build `v2` waits to be released."""
    images = [
        image(f"{IMAGE}:v1", "web"),
        image(f"{IMAGE}:v1.1", "web"),
        image(f"{IMAGE}:v2", "web", fail=0.4, leak=1),
        image(f"{IMAGE}:latest", "web", version="v1"),
        image(f"{REGISTRY}/frontend:v1", "site"),
        image(f"{REGISTRY}/frontend:v1.1", "site"),
        image(f"{REGISTRY}/payments:v1", "web", service_ms=8),
        image(
            f"{REGISTRY}/payments:v2", "web", service_ms=8, fail=0.6, static_health=1, error="card processor refused"
        ),
        image(f"{REGISTRY}/worker:v1", "worker"),
        image("redis:7.2", "cache"),
        image("postgres:15", "database"),
    ]
    return {"images": dict(images), "faults": {}, "load": load}


def objects(shape: Shape, now: float) -> list[tuple[Resource, Object]]:
    """What the cluster holds when it starts; the controllers make the rest of it."""
    found: list[tuple[Resource, Object]] = [(NAMESPACES, _namespace(name, now)) for name in
                                            ("argocd", "default", "kube-system", shape.namespace)]  # fmt: skip
    found += [(NODES, _node(number, shape, now)) for number in (1, 2, 3)]
    backend_env = dict(shape.backend_env)
    if shape.downstream:
        backend_env.setdefault("UPSTREAM", "payments")
    if shape.database:
        backend_env.setdefault("DATABASE", "postgresql")
    backend = Part("backend", f"{IMAGE}:{shape.tag}", 8080, shape.replicas, env=backend_env, memory=shape.memory_limit)
    parts = [
        backend,
        Part("frontend", f"{REGISTRY}/frontend:v1", 3000, 1),
        Part("redis", "redis:7.2", 6379, 1, probe="tcp"),
    ]
    if shape.downstream:
        parts.append(Part("payments", f"{REGISTRY}/payments:v1", 8080, 2))
    parts.append(Part("worker", f"{REGISTRY}/worker:v1", 8081, 1, service=False))
    for number, part in enumerate(parts):
        found.append((DEPLOYMENTS, part.deployment(shape.namespace, now)))
        if part.service:
            found.append((SERVICES, _service(part.name, part.port, number, shape.namespace, now)))
    found.append((STATEFUL_SETS, _database(shape, now)))
    found.append((SERVICES, _service("postgresql", 5432, 9, shape.namespace, now)))
    config = {"name": "backend-config", "namespace": shape.namespace, "creationTimestamp": iso(now - 41 * _DAY)}
    found.append((CONFIG_MAPS, {"metadata": config, "data": {"MEMORY_MB": "0"}}))
    found.append((AUTOSCALERS, _autoscaler(shape, now)))
    found += [
        (CLAIMS, _claim(name, size, shape.namespace, now))
        for name, size in (("data-postgresql-0", "40Gi"), ("worker-data", "1Gi"))
    ]
    return found


class Part(NamedTuple):
    """A Deployment of the practice production."""

    name: str
    image: str
    port: int
    replicas: int
    env: dict[str, str] = {}  # noqa: RUF012 - never changed
    memory: str = "512Mi"
    service: bool = True
    probe: str = "http"

    def deployment(self, namespace: str, now: float) -> Object:
        """The object."""
        labels = {"app": self.name}
        return {
            "metadata": {
                "name": self.name,
                "namespace": namespace,
                "labels": labels,
                "creationTimestamp": iso(now - 41 * _DAY),
                "annotations": {},
            },
            "spec": {
                "progressDeadlineSeconds": 600,
                "replicas": self.replicas,
                "revisionHistoryLimit": 10,
                "selector": {"matchLabels": labels},
                "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}, "type": "RollingUpdate"},
                "template": {"metadata": {"labels": labels}, "spec": self._pod()},
            },
            "status": {},
        }

    def _pod(self) -> Object:
        container: Object = {
            "image": self.image,
            "imagePullPolicy": "Always" if self.image.endswith(":latest") else "IfNotPresent",
            "name": self.name,
            "ports": [{"containerPort": self.port, "protocol": "TCP"}],
            "resources": {
                "limits": {"cpu": "500m", "memory": self.memory},
                "requests": {"cpu": "250m", "memory": "64Mi"},
            },
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
        if self.env:
            container["env"] = [{"name": name, "value": value} for name, value in self.env.items()]
        if self.name == "backend":
            container["envFrom"] = [{"configMapRef": {"name": "backend-config"}}]
        container["readinessProbe"] = _probe(self.probe, self.port)
        if self.name == "frontend":
            container["livenessProbe"] = _probe(self.probe, self.port)
        return _pod_spec(container)


def _probe(kind: str, port: int) -> Object:
    how = (
        {"httpGet": {"path": "/health", "port": port, "scheme": "HTTP"}}
        if kind == "http"
        else {"tcpSocket": {"port": port}}
    )
    return how | {"failureThreshold": 3, "periodSeconds": 1, "successThreshold": 1, "timeoutSeconds": 1}


def _pod_spec(container: Object) -> Object:
    return {
        "containers": [container],
        "dnsPolicy": "ClusterFirst",
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


def _database(shape: Shape, now: float) -> Object:
    container = {
        "image": "postgres:15",
        "imagePullPolicy": "IfNotPresent",
        "name": "postgresql",
        "ports": [{"containerPort": 5432, "protocol": "TCP"}],
        "resources": {"limits": {"memory": "2Gi"}, "requests": {"cpu": "250m", "memory": "512Mi"}},
        "env": [{"name": "REAL", "value": "1" if shape.database else "0"}],
        "readinessProbe": _probe("tcp", 5432),
        "volumeMounts": [{"mountPath": "/var/lib/postgresql/data", "name": "data"}],
    }
    labels = {"app": "postgresql"}
    spec = _pod_spec(container) | {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-postgresql-0"}}]
    }
    return {
        "metadata": {
            "name": "postgresql",
            "namespace": shape.namespace,
            "labels": labels,
            "creationTimestamp": iso(now - 41 * _DAY),
        },
        "spec": {
            "replicas": 1,
            "serviceName": "postgresql",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
            "updateStrategy": {"type": "RollingUpdate"},
        },
        "status": {},
    }


def _service(name: str, port: int, number: int, namespace: str, now: float) -> Object:
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {"app": name},
        "creationTimestamp": iso(now - 41 * _DAY),
    }
    ports = [{"port": port, "protocol": "TCP", "targetPort": port}]
    spec = {"clusterIP": f"10.96.14.{20 + number}", "ports": ports, "selector": {"app": name}, "type": "ClusterIP"}
    return {"metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}}


def _autoscaler(shape: Shape, now: float) -> Object:
    metadata = {"name": "backend", "namespace": shape.namespace, "creationTimestamp": iso(now - 41 * _DAY)}
    resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 120}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "backend"}
    low, high = shape.hpa
    spec = {
        "minReplicas": low,
        "maxReplicas": high,
        "scaleTargetRef": target,
        "metrics": [{"type": "Resource", "resource": resource}],
    }
    return {"metadata": metadata, "spec": spec, "status": {"currentReplicas": 0, "desiredReplicas": 0}}


def _claim(name: str, size: str, namespace: str, now: float) -> Object:
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": iso(now - 41 * _DAY)}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": "standard",
    }
    status = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}}
    return {"metadata": metadata, "spec": spec | {"volumeName": f"pvc-{name}"}, "status": status}


def _namespace(name: str, now: float) -> Object:
    labels = {"kubernetes.io/metadata.name": name}
    metadata = {"name": name, "labels": labels, "creationTimestamp": iso(now - 41 * _DAY)}
    return {"metadata": metadata, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def _node(number: int, shape: Shape, now: float) -> Object:
    name, began = f"worker-{number}", iso(now - 41 * _DAY)
    capacity = {"cpu": shape.node_cores, "ephemeral-storage": "78643200Ki", "memory": "8129332Ki", "pods": "110"}
    labels = {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    labels |= {"beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux"}
    good = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    conditions = [
        {
            "type": kind,
            "status": met,
            "reason": why,
            "message": text,
            "lastHeartbeatTime": iso(now),
            "lastTransitionTime": began,
        }
        for kind, met, why, text in good
    ]
    info = {
        "architecture": "amd64", "bootID": sha256_like(f"boot{name}")[:32], "containerRuntimeVersion": "containerd://1.7.27",
        "kernelVersion": "6.1.0-37-amd64", "kubeProxyVersion": VERSION, "kubeletVersion": VERSION,
        "machineID": sha256_like(name)[:32], "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)",
        "systemUUID": sha256_like(f"system{name}")[:32],
    }  # fmt: skip
    addresses = [{"address": f"10.0.1.1{number}", "type": "InternalIP"}, {"address": name, "type": "Hostname"}]
    status = {
        "addresses": addresses,
        "allocatable": capacity,
        "capacity": capacity,
        "conditions": conditions,
        "nodeInfo": info,
    }
    metadata = {"name": name, "labels": labels, "creationTimestamp": began, "annotations": {}}
    return {"metadata": metadata, "spec": {"podCIDR": f"10.244.{number}.0/24"}, "status": status}
