"""The kubelet of every node: makes pods processes, probes them, starts them again, kills what takes too much memory.

At a tenth of a second's pace, with short back-offs. Images come from the world's list: a reference that is not there
cannot be pulled, and `:latest` is pulled anew each time, whatever it means by then.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tocsin.lab import lifeline
from tocsin.lab.kube.objects import (
    Object,
    deleting,
    iso,
    name_of,
    quantity,
    sha256_like,
)
from tocsin.lab.kube.recorder import Recorder, Said
from tocsin.lab.kube.resources import CONFIG_MAPS, PODS, SECRETS
from tocsin.lab.kube.store import Store
from tocsin.lab.world import Image, Watched, world_file

PROBE_EVERY_S = 0.5
PROBE_TIMEOUT_S = 0.4
BACK_OFF_S = (0.5, 5.0, 10.0, 20.0)
PULL_BACK_OFF_S = 3.0
GRACE_S = 2.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Seen(NamedTuple):
    """What a probe found; status 0 when nothing answered."""

    status: int
    body: dict[str, Any]


@dataclass
class Container:
    """The one container of a pod, through all its lives."""

    uid: str
    pod: str
    app: str
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    restarts: int = 0
    started_at: float = 0.0
    ready: bool = False
    ready_since: float = 0.0
    ever_ready: bool = False
    failures: int = 0
    deaths: int = 0
    probed_at: float = 0.0
    retry_at: float = 0.0
    waiting: tuple[str, str] = ("ContainerCreating", "")
    ended: Object | None = None
    last: Object | None = None
    oom: bool = False
    terminating: bool = False
    image: str = ""
    image_id: str = ""
    failed_pulls: int = 0
    traits: dict[str, object] = field(default_factory=dict)
    connections: int = 0
    busy: float = 0.0
    requests: dict[str, int] = field(default_factory=dict)
    spent: float = 0.0
    buckets: dict[str, int] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether a process of it runs."""
        return self.process is not None


def log_file(state_dir: Path, pod: str, restarts: int) -> Path:
    """Where a container's `restarts`-th life logs, in the kubelet's own format."""
    return state_dir / "logs" / pod / f"{restarts}.log"


class Kubelet:
    """Runs the pods. Owned by one thread; `containers` may be read by others."""

    def __init__(self, store: Store, state_dir: Path) -> None:
        self.containers: dict[str, Container] = {}
        self._store = store
        self._state_dir = state_dir
        self._world = Watched(world_file(state_dir))
        self._cached: dict[tuple[str, str], Image] = {}
        self._recorders: dict[str, Recorder] = {}

    def tick(self) -> None:
        """Look at every pod once and do what is due."""
        now = time.time()
        known = {pod["metadata"]["uid"]: pod for pod in self._store.all(PODS)}
        for uid in [uid for uid in self.containers if uid not in known]:  # deleted by force
            self._kill(self.containers.pop(uid))
        for pod in known.values():
            if not pod["spec"].get("nodeName"):
                if deleting(pod):
                    self._store.delete(PODS, pod["metadata"]["namespace"], name_of(pod))
                continue
            container = self._container(pod)
            if deleting(pod):
                self._end(pod, container, now)
                continue
            self._note_exit(pod, container, now)
            self._start_if_due(pod, container, now)
            self._check_memory(pod, container)
            self._probe(pod, container, now)
            self._report(pod, container)

    def stop(self) -> None:
        """End every process."""
        for container in self.containers.values():
            if container.process is not None:
                container.process.terminate()
        for container in self.containers.values():
            self._kill(container)

    def processes(self) -> dict[str, int]:
        """The process of each running container, by its pod's name."""
        return {each.pod: each.process.pid for each in list(self.containers.values()) if each.process is not None}

    def by_name(self, namespace: str, name: str) -> Container | None:
        """The container of a pod."""
        pod = self._store.find(PODS, namespace, name)
        return self.containers.get(pod["metadata"]["uid"]) if pod else None

    def _container(self, pod: Object) -> Container:
        uid = pod["metadata"]["uid"]
        if uid not in self.containers:
            app = pod["spec"]["containers"][0]["name"]
            self.containers[uid] = Container(uid=uid, pod=name_of(pod), app=app)
        return self.containers[uid]

    def _record(self, pod: Object, said: Said) -> None:
        node = pod["spec"]["nodeName"]
        recorder = self._recorders.setdefault(node, Recorder(self._store, "kubelet", host=node))
        recorder.record(pod, said, container=pod["spec"]["containers"][0]["name"])

    def _kill(self, container: Container) -> None:
        if container.process is not None:
            lifeline.stop(container.process, seconds=1.0)
            container.process = None

    def _end(self, pod: Object, container: Container, now: float) -> None:
        if not container.terminating:
            container.terminating, container.ready = True, False
            container.retry_at = now
            self._record(pod, Said("Killing", f"Stopping container {container.app}"))
            if container.process is not None:
                container.process.terminate()
            self._report(pod, container)
            return
        if container.process is not None and container.process.poll() is None:
            if now - container.retry_at > GRACE_S:
                container.process.kill()
            return
        self._kill(container)
        del self.containers[container.uid]
        self._store.delete(PODS, pod["metadata"]["namespace"], name_of(pod))

    def _note_exit(self, pod: Object, container: Container, now: float) -> None:
        process = container.process
        if process is None or process.poll() is None:
            return
        lifeline.stop(process)
        container.process, container.ready, container.busy, container.connections = None, False, 0.0, 0
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        reason = "OOMKilled" if container.oom else "Completed" if code == 0 else "Error"
        container.ended = {
            "containerID": _container_id(container),
            "exitCode": code,
            "finishedAt": iso(now),
            "reason": reason,
            "startedAt": iso(container.started_at),
        }
        container.oom = False
        wait = BACK_OFF_S[min(container.restarts, len(BACK_OFF_S) - 1)]
        container.retry_at = now + wait
        if wait > 1:
            where = f"pod={container.pod}_{pod['metadata']['namespace']}({container.uid})"
            message = f"back-off {int(wait)}s restarting failed container={container.app} {where}"
            container.waiting = ("CrashLoopBackOff", message)
            container.last, container.ended = container.ended, None
            said = f"Back-off restarting failed container {container.app} in pod {where.removeprefix('pod=')}"
            self._record(pod, Said("BackOff", said, "Warning"))

    def _start_if_due(self, pod: Object, container: Container, now: float) -> None:
        if container.running or now < container.retry_at:
            return
        spec = pod["spec"]["containers"][0]
        image = self._pull(pod, spec, container, now)
        if image is None:
            return
        if container.started_at:
            container.restarts += 1
            container.last = container.ended or container.last
            container.ended = None
        container.image_id, container.traits = image["digest"], image["traits"]
        try:
            self._launch(pod, spec, container, image)
        except KeyError as exc:
            container.waiting = ("CreateContainerConfigError", f"{exc.args[0]} not found")
            container.retry_at = now + 2
            return
        container.started_at, container.waiting = now, ("", "")
        container.failures, container.probed_at = 0, 0.0
        self._record(pod, Said("Created", f"Created container: {container.app}"))
        self._record(pod, Said("Started", f"Started container {container.app}"))

    def _pull(self, pod: Object, spec: Object, container: Container, now: float) -> Image | None:
        reference, node = spec["image"], pod["spec"]["nodeName"]
        container.image = reference
        tag = reference.rpartition("/")[2].partition(":")[2] or "latest"
        policy = spec.get("imagePullPolicy") or ("Always" if tag == "latest" else "IfNotPresent")
        cached = self._cached.get((node, reference))
        images: dict[str, Any] = self._world.read().get("images", {})  # type: ignore[assignment]
        found: Image | None = cached if policy == "IfNotPresent" and cached else images.get(reference)
        if found is None:
            self._cannot_pull(pod, container, now)
            return None
        said = f'Container image "{reference}" already present on machine'
        if cached is None or policy == "Always":
            took = "412ms (412ms including waiting). Image size: 48211904 bytes."
            said = f'Successfully pulled image "{reference}" in {took}'
        self._cached[(node, reference)] = found
        self._record(pod, Said("Pulled", said))
        return found

    def _cannot_pull(self, pod: Object, container: Container, now: float) -> None:
        container.failed_pulls += 1
        container.retry_at = now + PULL_BACK_OFF_S
        name = container.image
        why = f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": {name}: not found'
        if container.failed_pulls % 2:
            text = f'Failed to pull image "{name}": rpc error: code = NotFound desc = {why}'
            container.waiting = ("ErrImagePull", f"rpc error: code = NotFound desc = {why}")
            self._record(pod, Said("Pulling", f'Pulling image "{name}"'))
            self._record(pod, Said("Failed", text, "Warning"))
            self._record(pod, Said("Failed", "Error: ErrImagePull", "Warning"))
        else:
            container.waiting = ("ImagePullBackOff", f'Back-off pulling image "{name}"')
            self._record(pod, Said("BackOff", f'Back-off pulling image "{name}"'))
            self._record(pod, Said("Failed", "Error: ImagePullBackOff", "Warning"))

    def _launch(self, pod: Object, spec: Object, container: Container, image: Image) -> None:
        environment = self._environment(pod, spec)
        log = log_file(self._state_dir, container.pod, container.restarts)
        log.parent.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            container.port = listener.getsockname()[1]
            given = {
                "app": container.app,
                "pod": container.pod,
                "state_dir": str(self._state_dir),
                "log": str(log),
                "descriptor": listener.fileno(),
                "traits": image["traits"],
                "env": environment | {"PORT_ON_LOOPBACK": str(container.port)},
            }
            module = f"tocsin.lab.apps.{image['program']}"
            container.process = lifeline.spawn(module, [json.dumps(given)], log=log, keep=(listener.fileno(),))

    def _environment(self, pod: Object, spec: Object) -> dict[str, str]:
        """The container's variables; KeyError names the object that is missing."""
        namespace = pod["metadata"]["namespace"]
        found: dict[str, str] = {}
        for source in spec.get("envFrom") or []:
            kind, reference = (
                ("configmap", source["configMapRef"]) if "configMapRef" in source else ("secret", source["secretRef"])
            )
            held = self._store.find(CONFIG_MAPS if kind == "configmap" else SECRETS, namespace, reference["name"])
            if held is None:
                raise KeyError(f'{kind} "{reference["name"]}"')
            found |= held.get("data") or {}
        for variable in spec.get("env") or []:
            if "value" in variable:
                found[variable["name"]] = variable["value"]
        return found

    def _check_memory(self, pod: Object, container: Container) -> None:
        limit = quantity((pod["spec"]["containers"][0].get("resources") or {}).get("limits", {}).get("memory"))
        if container.process is None or not limit or container.oom:
            return
        if resident(container.process.pid) > limit:
            container.oom = True
            container.process.send_signal(signal.SIGKILL)

    def _probe(self, pod: Object, container: Container, now: float) -> None:
        if container.process is None or now - container.probed_at < (PROBE_EVERY_S if container.ready else 0.1):
            return
        container.probed_at = now
        spec = pod["spec"]["containers"][0]
        if "livenessProbe" in spec and now - container.started_at > 1:
            self._check_life(pod, container, spec["livenessProbe"])
        probe = spec.get("readinessProbe")
        if probe is None:
            self._set_ready(container, good=True)
            return
        seen = look(container.port, probe)
        container.requests = seen.body.get("requests") or container.requests
        container.spent = seen.body.get("seconds", container.spent)
        container.buckets = seen.body.get("buckets") or container.buckets
        container.busy = float(seen.body.get("busy", 0.0))
        container.connections = int(seen.body.get("components", {}).get("db", {}).get("connections", 0))
        if seen.status == 200:
            container.failures = 0
            self._set_ready(container, good=True)
            return
        container.failures += 1
        if container.ready or (container.failures % 10 == 0 and container.ever_ready):
            why = f"HTTP probe failed with statuscode: {seen.status}" if seen.status else _refused(container.port, pod)
            self._record(pod, Said("Unhealthy", f"Readiness probe failed: {why}", "Warning"))
        if container.failures >= int(probe.get("failureThreshold", 3)):
            self._set_ready(container, good=False)

    def _check_life(self, pod: Object, container: Container, probe: Object) -> None:
        seen = look(container.port, probe)
        container.deaths = 0 if seen.status == 200 else container.deaths + 1
        if container.deaths < int(probe.get("failureThreshold", 3)) or container.process is None:
            return
        why = f"HTTP probe failed with statuscode: {seen.status}" if seen.status else _refused(container.port, pod)
        self._record(pod, Said("Unhealthy", f"Liveness probe failed: {why}", "Warning"))
        self._record(pod, Said("Killing", f"Container {container.app} failed liveness probe, will be restarted"))
        container.deaths = 0
        container.process.kill()

    def _set_ready(self, container: Container, *, good: bool) -> None:
        if container.ready != good:
            container.ready, container.ready_since = good, time.time()
            container.ever_ready = container.ever_ready or good

    def _report(self, pod: Object, container: Container) -> None:
        status = _status(pod, container)

        def report(each: Object) -> None:
            each["status"] = status

        self._store.change(PODS, pod["metadata"]["namespace"], name_of(pod), report)


def _refused(port: int, pod: Object) -> str:
    ports = pod["spec"]["containers"][0].get("ports") or [{}]
    address = f"http://{pod['status'].get('podIP', '')}:{ports[0].get('containerPort', port)}/health"
    return f'Get "{address}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'


def _container_id(container: Container) -> str:
    return f"containerd://{sha256_like(f'{container.uid}{container.restarts}')}"


def _status(pod: Object, container: Container) -> Object:
    before = pod["status"]
    created = pod["metadata"]["creationTimestamp"]
    settled = {"lastProbeTime": None, "lastTransitionTime": created, "status": "True"}
    ready: Object = {"lastProbeTime": None, "status": str(container.ready)}
    ready["lastTransitionTime"] = iso(container.ready_since) if container.ready_since else created
    if not container.ready:
        ready |= {"reason": "ContainersNotReady", "message": f"containers with unready status: [{container.app}]"}
    conditions = [
        {**settled, "type": "PodReadyToStartContainers"},
        {**settled, "type": "Initialized"},
        {**ready, "type": "Ready"},
        {**ready, "type": "ContainersReady"},
        {**settled, "type": "PodScheduled"},
    ]
    one: Object = {
        "image": container.image or pod["spec"]["containers"][0]["image"],
        "imageID": _image_id(container),
        "lastState": {"terminated": container.last} if container.last else {},
        "name": container.app,
        "ready": container.ready,
        "restartCount": container.restarts,
        "started": container.running,
        "state": _state(container),
    }
    if container.started_at:
        one["containerID"] = _container_id(container)
    return {
        **before,
        "conditions": conditions,
        "containerStatuses": [one],
        "phase": "Running" if container.started_at else "Pending",
        "startTime": created,
    }


def _image_id(container: Container) -> str:
    if not container.image_id:
        return ""
    return f"{container.image.rpartition(':')[0] or container.image}@{container.image_id}"


def _state(container: Container) -> Object:
    if container.running:
        return {"running": {"startedAt": iso(container.started_at)}}
    if container.ended is not None:
        return {"terminated": container.ended}
    reason, message = container.waiting
    return {"waiting": {"reason": reason or "ContainerCreating"} | ({"message": message} if message else {})}


def look(port: int, probe: Object) -> Seen:
    """What a readiness probe finds on a pod's port."""
    if "httpGet" not in probe:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S).close()
        except OSError:
            return Seen(0, {})
        return Seen(200, {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", probe["httpGet"].get("path", "/"))
        answer = connection.getresponse()
        body = json.loads(answer.read())
        return Seen(answer.status, body if isinstance(body, dict) else {})
    except (OSError, http.client.HTTPException, ValueError):
        return Seen(0, {})
    finally:
        connection.close()


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where that cannot be known."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used; 0 where that cannot be known."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
