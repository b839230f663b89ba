"""The practice cluster as it is found: what runs in namespace `production`, how old it is. Pure.

Only the backend is real processes. Frontend, Redis and PostgreSQL are entries that `kubectl` shows, so that a
runbook's commands have something true to say; ages in days belong to the story.
"""

from tocsin.lab.rollout import new_replica_set, pod_name
from tocsin.lab.state import Cluster, Deployment, Pod

NAMESPACE = "production"
IMAGE = "ghcr.io/qawave/backend"
_DAY = 86_400.0


def new_cluster(now: float, *, replicas: int = 2) -> Cluster:
    """A cluster at rest: the backend's good version is wanted and not yet started."""
    cluster: Cluster = {
        "namespace": NAMESPACE,
        "port": 0,
        "created_at": now,
        "nodes": [
            {"name": f"worker-{number}", "ip": f"10.0.1.1{number}", "created_at": now - 41 * _DAY}
            for number in (1, 2, 3)
        ],
        "deployments": {},
        "pods": {},
        "events": [],
    }
    _add(cluster, "backend", f"{IMAGE}:v1", replicas=replicas, port=8080, real=True, now=now)
    _add(cluster, "frontend", "ghcr.io/qawave/frontend:v1", replicas=2, port=3000, real=False, now=now)
    _add(cluster, "redis", "redis:7.2", replicas=1, port=6379, real=False, now=now)
    pods = [
        listed_pod("frontend", "ghcr.io/qawave/frontend:v1", now=now - 6 * _DAY, entropy=b"fr0nt"),
        listed_pod("frontend", "ghcr.io/qawave/frontend:v1", now=now - 6 * _DAY, entropy=b"3nd24"),
        listed_pod("redis", "redis:7.2", now=now - 41 * _DAY, entropy=b"r3d1s"),
        listed_pod("postgresql", "postgres:12", now=now - 41 * _DAY, entropy=b""),
    ]
    for number, pod in enumerate(pods):
        pod["node"], pod["ip"] = f"worker-{number % 3 + 1}", f"10.244.{number % 3 + 1}.{10 + number}"
        cluster["pods"][pod["name"]] = pod
    return cluster


def _add(cluster: Cluster, name: str, image: str, *, replicas: int, port: int, real: bool, now: float) -> None:
    first = new_replica_set(image, restarted_at=None, now=now - 6 * _DAY)
    deployment: Deployment = {
        "name": name,
        "real": real,
        "replicas": replicas,
        "template": first["hash"],
        "replica_sets": {first["hash"]: first},
        "port": port,
        "cpu_request": "100m",
        "memory_request": "128Mi",
        "memory_limit": "512Mi",
        "created_at": now - 41 * _DAY,
    }
    cluster["deployments"][name] = deployment


def listed_pod(app: str, image: str, *, now: float, entropy: bytes) -> Pod:
    """A pod that is an entry only, running since `now`; without `entropy` it is the first of a StatefulSet."""
    template = new_replica_set(image, restarted_at=None, now=now)["hash"] if entropy else ""
    pod = pending_pod(pod_name(app, template, entropy) if entropy else f"{app}-0", app, template=template, now=now)
    pod.update({"image": image, "version": image.rpartition(":")[2], "real": False})
    pod.update({"ready": True, "waiting": "", "started_at": now, "ready_at": now})
    return pod


def pending_pod(name: str, app: str, *, template: str, now: float) -> Pod:
    """A pod that has just been created and has no container yet."""
    return {
        "name": name,
        "app": app,
        "hash": template,
        "image": "",
        "version": "",
        "real": True,
        "node": "",
        "ip": "",
        "socket": None,
        "pid": None,
        "waiting": "ContainerCreating",
        "ready": False,
        "restarts": 0,
        "last": None,
        "created_at": now,
        "started_at": None,
        "ready_at": None,
        "restart_at": None,
        "deleted_at": None,
        "connections": 0,
    }
