"""What the practice cluster remembers: one JSON file, edited under a lock, read without one.

Written by the controller and by the `kubectl` stand-in, which must start fast: only light modules are imported here.
Every `*_at` is seconds since the epoch, UTC.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from tocsin.lab.errors import LabError


class Termination(TypedDict):
    """How a container ended the last time."""

    reason: str
    exit_code: int
    started_at: float
    finished_at: float


class ReplicaSet(TypedDict):
    """One template that a deployment has had; `hash` is its pod-template-hash."""

    hash: str
    revision: int
    image: str
    version: str
    restarted_at: float | None
    created_at: float


class Deployment(TypedDict):
    """A deployment; `template` is the hash of the replica set it wants now.

    `real` is true where each pod is a process. The others are entries of this file only: they are listed, scaled and
    rolled like the real ones, and nothing runs behind them.
    """

    name: str
    real: bool
    replicas: int
    template: str
    replica_sets: dict[str, ReplicaSet]
    port: int
    cpu_request: str
    memory_request: str
    memory_limit: str
    created_at: float


class Pod(TypedDict):
    """A pod with its one container. `hash` is empty for a StatefulSet's pod; `socket` is its port on loopback."""

    name: str
    app: str
    hash: str
    image: str
    version: str
    real: bool
    node: str
    ip: str
    socket: int | None
    pid: int | None
    waiting: str
    ready: bool
    restarts: int
    last: Termination | None
    created_at: float
    started_at: float | None
    ready_at: float | None
    restart_at: float | None
    deleted_at: float | None
    connections: int


class Event(TypedDict):
    """A Kubernetes event; `count` occurrences between `first_at` and `last_at`."""

    kind: str
    object: str
    type: str
    reason: str
    message: str
    component: str
    count: int
    first_at: float
    last_at: float


class Node(TypedDict):
    """A machine of the cluster. State only."""

    name: str
    ip: str
    created_at: float


class Cluster(TypedDict):
    """The whole cluster. `port` is the gateway's on loopback, 0 until it listens."""

    namespace: str
    port: int
    created_at: float
    nodes: list[Node]
    deployments: dict[str, Deployment]
    pods: dict[str, Pod]
    events: list[Event]


def cluster_file(state_dir: Path) -> Path:
    """Where the cluster's memory lies."""
    return state_dir / "cluster.json"


def log_file(state_dir: Path, pod: str, restarts: int) -> Path:
    """Where a container's `restarts`-th life logs, in the kubelet's own format."""
    return state_dir / "logs" / pod / f"{restarts}.log"


def load(state_dir: Path) -> Cluster:
    """The cluster as it is now.

    Raises:
        LabError: there is none, or its file is not readable.
    """
    try:
        cluster: Cluster = json.loads(cluster_file(state_dir).read_bytes())
    except (OSError, ValueError) as exc:
        raise LabError(f"no practice cluster in {state_dir}: {exc}") from exc
    return cluster


def save(state_dir: Path, cluster: Cluster) -> None:
    """Replace the file in one move, so that a reader sees the old cluster or the new one, never half."""
    fresh = cluster_file(state_dir).with_suffix(".new")
    fresh.write_text(json.dumps(cluster), encoding="utf-8")
    os.replace(fresh, cluster_file(state_dir))


@contextmanager
def edit(state_dir: Path) -> Iterator[Cluster]:
    """The cluster, to be changed in place; saved when the block ends without an exception. One editor at a time."""
    with (state_dir / "cluster.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = load(state_dir)
        before = json.dumps(cluster)
        yield cluster
        if json.dumps(cluster) != before:
            save(state_dir, cluster)
