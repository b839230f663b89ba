"""Makes the processes what the cluster file says: starts, probes, restarts and stops the backend's pods.

What deployment controller, scheduler and kubelet do in Kubernetes, at a tenth of a second's pace.
"""

import http.client
import json
import os
import random
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

from tocsin.lab import lifeline, rollout
from tocsin.lab.inventory import pending_pod
from tocsin.lab.state import Cluster, Deployment, Pod, edit, load, log_file

PROBE_EVERY_S = 0.5
PROBE_TIMEOUT_S = 0.4
FAILURE_THRESHOLD = 3
BACK_OFF_S = (0.5, 5.0, 10.0, 20.0)


class Endpoints:
    """The loopback ports of the backend's pods, shared with the gateway. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: tuple[int, ...] = ()
        self._alive: tuple[int, ...] = ()

    def publish(self, *, ready: tuple[int, ...], alive: tuple[int, ...]) -> None:
        """Replace both lists."""
        with self._lock:
            self._ready, self._alive = ready, alive

    @property
    def ready(self) -> tuple[int, ...]:
        """Ports of ready pods."""
        with self._lock:
            return self._ready

    def targets(self) -> tuple[int, ...]:
        """Where requests go: the ready pods, or every running one when fewer than half are ready.

        Envoy's panic routing: when most of a service is unhealthy, spreading what is left of it beats overloading it.
        """
        with self._lock:
            return self._ready if 2 * len(self._ready) >= len(self._alive) else self._alive


class Probe(NamedTuple):
    """What a pod's health endpoint said; status 0 when nothing answered."""

    status: int
    connections: int


class Controller:
    """Reconciles the cluster file with processes. Owned by one thread."""

    def __init__(self, state_dir: Path, endpoints: Endpoints) -> None:
        self._state_dir = state_dir
        self._endpoints = endpoints
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._probed_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def tick(self) -> Cluster:
        """One round: look at the pods, then plan and act. Gives the cluster as it is afterwards."""
        probes = self._probe(load(self._state_dir))
        with edit(self._state_dir) as cluster:
            now = time.time()
            self._note_exits(cluster, now)
            for name, probe in probes.items():
                if name in cluster["pods"]:
                    self._note_probe(cluster, cluster["pods"][name], probe)
            self._remove_deleted(cluster, now)
            for deployment in cluster["deployments"].values():
                self._roll(cluster, deployment, now)
            for pod in cluster["pods"].values():
                self._start_if_due(cluster, pod, now)
        self._publish(cluster)
        return cluster

    def stop(self) -> None:
        """End every pod's process."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            lifeline.stop(process, seconds=1.0)

    def _probe(self, cluster: Cluster) -> dict[str, Probe]:
        probes = {}
        for pod in cluster["pods"].values():
            due = self._probed_at.get(pod["name"], 0.0) + (PROBE_EVERY_S if pod["ready"] else 0.1)
            if pod["real"] and pod["socket"] is not None and pod["deleted_at"] is None and time.monotonic() >= due:
                self._probed_at[pod["name"]] = time.monotonic()
                probes[pod["name"]] = probe(pod["socket"])
        return probes

    def _note_probe(self, cluster: Cluster, pod: Pod, found: Probe) -> None:
        now = time.time()
        if pod["socket"] is None:
            return
        pod["connections"] = found.connections
        if found.status == 200:
            self._failures[pod["name"]] = 0
            if not pod["ready"]:
                pod["ready"], pod["ready_at"] = True, now
            return
        failures = self._failures[pod["name"]] = self._failures.get(pod["name"], 0) + 1
        if found.status and (pod["ready"] or failures % 10 == 0):
            what = (
                "Warning",
                "Unhealthy",
                f"Readiness probe failed: HTTP probe failed with statuscode: {found.status}",
            )
            rollout.record(cluster, ("pod", pod["name"]), what, component="kubelet", now=now)
        if failures >= FAILURE_THRESHOLD:
            pod["ready"] = False

    def _note_exits(self, cluster: Cluster, now: float) -> None:
        for pod in cluster["pods"].values():
            process = self._processes.get(pod["name"])
            if process is None or process.poll() is None or pod["deleted_at"] is not None:
                continue
            lifeline.stop(self._processes.pop(pod["name"]))
            code = process.returncode if process.returncode >= 0 else 128 - process.returncode
            started = pod["started_at"] or now
            reason = "Completed" if code == 0 else "Error"
            pod["last"] = {"reason": reason, "exit_code": code, "started_at": started, "finished_at": now}
            wait = BACK_OFF_S[min(pod["restarts"], len(BACK_OFF_S) - 1)]
            pod.update({"ready": False, "socket": None, "pid": None, "started_at": None, "connections": 0})
            pod.update({"waiting": "CrashLoopBackOff" if wait > 1 else reason, "restart_at": now + wait})
            what = ("Warning", "BackOff", f"Back-off restarting failed container {pod['app']} in pod {pod['name']}")
            rollout.record(cluster, ("pod", pod["name"]), what, component="kubelet", now=now)

    def _remove_deleted(self, cluster: Cluster, now: float) -> None:
        for pod in [pod for pod in cluster["pods"].values() if pod["deleted_at"] is not None]:
            process = self._processes.get(pod["name"])
            if process is not None and process.poll() is None:
                if pod["socket"] is not None:
                    pod["socket"] = None
                    process.terminate()
                elif now - (pod["deleted_at"] or now) > 2:
                    process.kill()
                continue
            if process is not None:
                lifeline.stop(self._processes.pop(pod["name"]))
            if pod["hash"]:
                del cluster["pods"][pod["name"]]
            else:  # a StatefulSet's pod comes back under its own name
                pod.update({"deleted_at": None, "created_at": now, "started_at": now, "ready_at": now, "restarts": 0})

    def _roll(self, cluster: Cluster, deployment: Deployment, now: float) -> None:
        plan = rollout.plan(deployment, rollout.pods_of(cluster, deployment["name"]))
        before = _sizes(cluster, deployment)
        for template in plan.start:
            name = rollout.pod_name(deployment["name"], template, os.urandom(5))
            pod = pending_pod(name, deployment["name"], template=template, now=now)
            self._schedule(cluster, deployment, pod)
            cluster["pods"][name] = pod
            owner = ("replicaset", f"{deployment['name']}-{template}")
            created = ("Normal", "SuccessfulCreate", f"Created pod: {name}")
            rollout.record(cluster, owner, created, component="replicaset-controller", now=now)
        for name in plan.stop:
            rollout.delete_pod(cluster, cluster["pods"][name], now=now)
        _record_scaling(cluster, deployment, before, now)

    def _schedule(self, cluster: Cluster, deployment: Deployment, pod: Pod) -> None:
        number = random.randrange(len(cluster["nodes"]))  # noqa: S311 - where a pod lands is no secret
        template = deployment["replica_sets"][pod["hash"]]
        pod["node"] = cluster["nodes"][number]["name"]
        pod["ip"] = f"10.244.{number + 1}.{random.randrange(20, 250)}"  # noqa: S311
        pod["image"], pod["version"], pod["real"] = template["image"], template["version"], deployment["real"]
        place = f"Successfully assigned {cluster['namespace']}/{pod['name']} to {pod['node']}"
        what = ("Normal", "Scheduled", place)
        rollout.record(cluster, ("pod", pod["name"]), what, component="default-scheduler", now=pod["created_at"])

    def _start_if_due(self, cluster: Cluster, pod: Pod, now: float) -> None:
        if pod["started_at"] is not None or pod["deleted_at"] is not None or now < (pod["restart_at"] or 0.0):
            return
        if pod["restart_at"] is not None:
            pod["restarts"] += 1
        if pod["real"]:
            self._launch(pod)
        else:  # an entry only: it is ready because nothing runs that could fail
            pod["ready"], pod["ready_at"] = True, now
        pod.update({"started_at": now, "waiting": "", "restart_at": None})
        for reason, message in (
            ("Pulled", f'Container image "{pod["image"]}" already present on machine'),
            ("Created", f"Created container: {pod['app']}"),
            ("Started", f"Started container {pod['app']}"),
        ):
            rollout.record(cluster, ("pod", pod["name"]), ("Normal", reason, message), component="kubelet", now=now)

    def _launch(self, pod: Pod) -> None:
        log = log_file(self._state_dir, pod["name"], pod["restarts"])
        log.parent.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            pod["socket"] = listener.getsockname()[1]
            arguments = [pod["version"], str(listener.fileno()), str(log)]
            process = lifeline.spawn("tocsin.lab.backend", arguments, log=log, keep=(listener.fileno(),))
        self._processes[pod["name"]] = process
        self._failures[pod["name"]] = 0
        pod["pid"] = process.pid

    def _publish(self, cluster: Cluster) -> None:
        pods = [pod for pod in cluster["pods"].values() if pod["real"] and pod["deleted_at"] is None]
        self._endpoints.publish(
            ready=tuple(pod["socket"] for pod in pods if pod["socket"] is not None and pod["ready"]),
            alive=tuple(pod["socket"] for pod in pods if pod["socket"] is not None and pod["ready_at"] is not None),
        )


def probe(port: int) -> Probe:
    """What the pod on `port` says of its health."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = json.loads(answer.read())
        return Probe(answer.status, int(body["components"]["db"]["connections"]))
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return Probe(0, 0)
    finally:
        connection.close()


def _sizes(cluster: Cluster, deployment: Deployment) -> dict[str, int]:
    pods = rollout.pods_of(cluster, deployment["name"])
    return {template: sum(pod["hash"] == template for pod in pods) for template in deployment["replica_sets"]}


def _record_scaling(cluster: Cluster, deployment: Deployment, before: dict[str, int], now: float) -> None:
    for template, size in _sizes(cluster, deployment).items():
        was = before.get(template, 0)
        if size == was:
            continue
        verb = "up" if size > was else "down"
        message = f"Scaled {verb} replica set {deployment['name']}-{template} from {was} to {size}"
        what = ("Normal", "ScalingReplicaSet", message)
        rollout.record(cluster, ("deployment", deployment["name"]), what, component="deployment-controller", now=now)
