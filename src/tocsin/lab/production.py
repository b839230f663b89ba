"""The practice production as its owner holds it: start, break, look, stop."""

import asyncio
import fcntl
import http.client
import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from tocsin.lab import lifeline, scraper
from tocsin.lab.apps.postgres import Connection, SqlError
from tocsin.lab.errors import LabError
from tocsin.lab.kube.access import ADMIN, USERS
from tocsin.lab.kube.inventory import IMAGE, Shape, image, new_world
from tocsin.lab.world import Image, World, world_file, write

READY_WITHIN_S = 30.0
LOAD_PER_SECOND = 20.0
REQUESTS = 'http_requests_total{service="backend"}'
Object = dict[str, Any]


class Answer(NamedTuple):
    """What a command gave back."""

    rc: int
    stdout: str
    stderr: str


class Production:
    """A production of real processes, all of it in `state_dir`.

    `gateway_port` 0 takes a free port; `port` tells which, `api_port` that of the Kubernetes API. With `prometheus` a
    real one scrapes it, if there is one on PATH. Nothing outlives the process that started it. Methods block for
    moments only; `async with` does its waiting in a thread.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        gateway_port: int = 0,
        load_per_second: float = LOAD_PER_SECOND,
        shape: Shape | None = None,
        prometheus: bool = False,
    ) -> None:
        self.state_dir = state_dir.resolve()
        self.port = gateway_port
        self.api_port = 0
        self.shape = shape or Shape()
        self._world: World = new_world(load_per_second)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._sessions: list[Connection] = []
        self._scraper_port = 0
        self._scraped = prometheus and scraper.program() is not None

    @property
    def namespace(self) -> str:
        """Where everything runs."""
        return self.shape.namespace

    def start(self) -> None:
        """Start everything and wait until version v1 answers in each of its pods.

        Raises:
            LabError: the port is taken, another production runs in the directory, or it is not ready in 30 s.
        """
        (self.state_dir / "bin").mkdir(parents=True, exist_ok=True)
        self._refuse_company()
        (self.state_dir / "ports.json").unlink(missing_ok=True)
        write(world_file(self.state_dir), self._world)
        log = self.state_dir / "cluster.log"
        log.write_bytes(b"")
        arguments = [str(self.state_dir), str(self.port), json.dumps(self.shape._asdict())]
        self._processes.append(lifeline.spawn("tocsin.lab.kube.serving", arguments, log=log, packages=True))
        try:
            self._wait_until_ready(log)
        except LabError:
            self.stop()
            raise
        if self._scraped:
            log = self.state_dir / "prometheus.log"
            self.until(self._scraper_ready, seconds=READY_WITHIN_S, what=f"Prometheus is ready: {log}")
        visitors = [str(self.port), str(self.state_dir)]
        self._processes.append(lifeline.spawn("tocsin.lab.load", visitors, log=self.state_dir / "load.log"))

    def _start_scraper(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._scraper_port = free.getsockname()[1]
        arguments = [str(self.state_dir), str(self._scraper_port), str(self.port)]
        log = self.state_dir / "prometheus.log"
        self._processes.append(lifeline.spawn("tocsin.lab.scraper", arguments, log=log, packages=True))

    def wait_until_measured(self) -> None:
        """Wait until users' requests are measured: from then on there is something to compare with.

        Raises:
            LabError: nothing is measured in 30 s.
        """
        self.until(self._measured, seconds=READY_WITHIN_S, what="requests are measured")

    def _measured(self) -> bool:
        question = quote(f"sum(rate({REQUESTS}[4s]))")
        text = self._ask(self._scraper_port or self.port, "GET", f"/api/v1/query?query={question}")[1]
        found = json.loads(text).get("data", {}).get("result", [])
        return bool(found) and float(found[0]["value"][1]) > 0

    def _scraper_ready(self) -> bool:
        try:
            return self._ask(self._scraper_port, "GET", "/-/ready")[0] == 200
        except LabError:
            return False

    def stop(self) -> None:
        """End every process; the directory stays, to be read."""
        while self._sessions:
            self._sessions.pop().close()
        while self._processes:
            lifeline.stop(self._processes.pop(), seconds=6.0)

    def deploy(self, version: str, app: str = "backend") -> None:
        """Release a version, as a delivery pipeline would; of the backend `v1` is good, `v2` fails 40 % of requests."""
        reference = f"{IMAGE.rpartition('/')[0]}/{app}:{version}"
        self.patch(app, {"spec": {"template": {"spec": {"containers": [{"name": app, "image": reference}]}}}})

    def patch(self, app: str, patch: Object) -> Object:
        """A Deployment after a strategic merge patch."""
        return self.api("PATCH", f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{app}", patch)

    def push(self, reference: str, program: str = "web", **traits: object) -> Image:
        """Push a build to the registry: from now on the reference means it, for whoever pulls."""
        name, built = image(reference, program, **traits)
        self._world["images"][name] = built
        write(world_file(self.state_dir), self._world)
        return built

    def strike(self, app: str, **traits: object) -> None:
        """Let something befall an app's running processes, without any change of the cluster; none ends it."""
        if traits:
            self._world["faults"][app] = traits
        else:
            self._world["faults"].pop(app, None)
        write(world_file(self.state_dir), self._world)

    def strike_running(self, app: str, **traits: object) -> None:
        """As `strike`, but only the pods that run now: those that replace them are well."""
        self.strike(app, pods=[each["metadata"]["name"] for each in self.pods(app)], **traits)

    def configure(self, name: str = "backend-config", **data: str) -> None:
        """Change a ConfigMap; containers read it when they start."""
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/{name}"
        self.api("PATCH", path, {"data": data}, content_type="application/merge-patch+json")

    def restart(self, app: str) -> None:
        """What `kubectl rollout restart` does."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        annotations = {"kubectl.kubernetes.io/restartedAt": stamp}
        self.patch(app, {"spec": {"template": {"metadata": {"annotations": annotations}}}})

    def sql(self, statement: str, *, keep: bool = False) -> None:
        """Run a statement in the practice database; with `keep` its session stays, as a forgotten console does.

        Raises:
            LabError: the database is no real one, or refuses.
        """
        session: Connection | None = None
        try:
            session = Connection(self._database_port(), application="console")
            session.query(statement)
        except (OSError, SqlError) as exc:
            keep = False
            raise LabError(f"the practice database: {exc}") from exc
        finally:
            if session is not None and keep:
                self._sessions.append(session)
            elif session is not None:
                session.close()

    def service_port(self, name: str) -> int:
        """The loopback port of a service of the cluster; it is closed while none of its pods is ready."""
        ports: dict[str, int] = json.loads((self.state_dir / "services.json").read_bytes())
        return ports[name]

    def _database_port(self) -> int:
        if not self.shape.database:
            raise LabError("the practice production has no real database; start it with Shape(database=True)")
        return self.service_port("postgresql")

    @property
    def database_url(self) -> str:
        """Where the real database answers, as a PostgreSQL URL."""
        return f"postgresql://postgres@127.0.0.1:{self._database_port()}/postgres"

    @property
    def redis_url(self) -> str:
        """Where Redis answers."""
        return f"redis://127.0.0.1:{self.service_port('redis')}/0"

    def load(self, per_second: float) -> None:
        """Let so many requests a second come."""
        self._world["load"] = per_second
        write(world_file(self.state_dir), self._world)

    def api(self, method: str, path: str, body: Object | None = None, *, content_type: str = "") -> Object:
        """What the Kubernetes API answers to the owner of the lab.

        Raises:
            LabError: it refuses, or does not answer.
        """
        kind = content_type or ("application/strategic-merge-patch+json" if method == "PATCH" else "application/json")
        headers = {"Content-Type": kind}
        sent = None if body is None else json.dumps(body)
        status, text = self._ask(self.api_port, method, path, body=sent, headers=headers)
        found: Object = json.loads(text) if text.startswith(b"{") else {}
        if status >= 400:
            raise LabError(f"{method} {path}: {status} {found.get('message', '')}")
        return found

    def deployment(self, app: str = "backend") -> Object:
        """A Deployment."""
        return self.api("GET", f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{app}")

    def pods(self, app: str = "") -> list[Object]:
        """The pods, of one app if it is named."""
        selector = f"?labelSelector=app%3D{app}" if app else ""
        found: list[Object] = self.api("GET", f"/api/v1/namespaces/{self.namespace}/pods{selector}")["items"]
        return found

    def processes(self) -> dict[str, int]:
        """The process of each running pod, by the pod's name."""
        pids: dict[str, int] = json.loads(self._get("/practice/processes")[1])
        return pids

    def version(self) -> str:
        """The version that the backend's deployment wants now."""
        containers = self.deployment()["spec"]["template"]["spec"]["containers"]
        return str(containers[0]["image"].rpartition(":")[2])

    def health(self) -> int:
        """The HTTP status that users get from the product's health endpoint."""
        return self._get("/health")[0]

    def error_ratio(self, *, seconds: int = 3) -> float:
        """Share of the last `seconds`' requests that failed, 0 to 1; 0 when there were none."""
        window = f"[{seconds}s]"
        requests = 'http_requests_total{service="backend"'
        return self.measure(f'sum(rate({requests},status=~"5.."}}{window})) / sum(rate({requests}}}{window}))')

    def measure(self, expression: str) -> float:
        """The value of a PromQL expression now; of several series the first, 0 when there is none."""
        status, text = self._get(f"/api/v1/query?query={quote(expression)}")
        answer = json.loads(text)
        if status != 200:
            raise LabError(f"{expression}: {answer.get('error', status)}")
        value = float(answer["data"]["result"][0]["value"][1]) if answer["data"]["result"] else 0.0
        return 0.0 if value != value else value

    def environment(self) -> dict[str, str]:
        """What to add to a step's environment so that the runbook's own commands reach this production.

        Addresses on loopback are left out of the proxy, so that the product's own API stays in reach.
        """
        address = f"http://127.0.0.1:{self.port}"
        return {
            "PATH": f"{self.state_dir / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "http_proxy": address,
            "no_proxy": "127.0.0.1,localhost",
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.state_dir / "kubecache"),
        }

    @property
    def kubeconfig(self) -> Path:
        """The configuration for kubectl and its like; contexts `production`, `viewer` and `stranger`."""
        return self.state_dir / "kubeconfig"

    def until(self, true: Callable[[], bool], *, seconds: float, what: str) -> float:
        """Wait until it is true; the seconds that took.

        Raises:
            LabError: it is not, in time.
        """
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                raise LabError(f"waited {seconds:.0f} s in vain until {what}")
            time.sleep(0.1)
        return time.monotonic() - began

    def run(self, command: str, *, seconds: float = 60.0) -> Answer:
        """What `command` answers in bash with this production's environment and nothing else.

        Raises:
            LabError: it took longer than `seconds`.
        """
        environment = {"HOME": str(self.state_dir), **self.environment()}
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                env=environment,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise LabError(f"{command}: no end after {seconds:.0f} s") from exc
        return Answer(done.returncode, done.stdout, done.stderr)

    @property
    def prometheus_url(self) -> str:
        """Where `GET /api/v1/query` answers: the real Prometheus when one was asked for and is there."""
        return f"http://127.0.0.1:{self._scraper_port or self.port}"

    def _get(self, target: str) -> tuple[int, bytes]:
        return self._ask(self.port, "GET", target)

    def _ask(
        self, port: int, method: str, target: str, *, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise LabError(f"the practice production on port {port} does not answer: {exc}") from exc
        finally:
            connection.close()

    def _refuse_company(self) -> None:
        if self._processes:
            raise LabError("this practice production is running already")
        with (self.state_dir / "running.lock").open("a") as running:
            try:
                fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(f"another practice production is running in {self.state_dir}: stop it first") from None

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self._processes[0].poll() is not None:
                raise LabError(lifeline.last_words(log) or "the practice cluster ended at once")
            if self._ready():
                return
            time.sleep(0.05)
        raise LabError(f"not ready within {READY_WITHIN_S:.0f} s: {lifeline.last_words(log)}")

    def _ready(self) -> bool:
        if not self.api_port:
            try:
                ports = json.loads((self.state_dir / "ports.json").read_bytes())
            except OSError:
                return False
            self.port, self.api_port = ports["gateway"], ports["api"]
            self._write_kubectl()
            if self._scraped:  # it takes five seconds to find what to scrape: time that the pods need too
                self._start_scraper()
        path = f"/apis/apps/v1/namespaces/{self.namespace}"
        workloads = [
            *self.api("GET", f"{path}/deployments")["items"],
            *self.api("GET", f"{path}/statefulsets")["items"],
        ]
        ready = all(each["status"].get("readyReplicas", 0) == each["spec"]["replicas"] for each in workloads)
        return ready and (not self.shape.database or self._database_ready())

    def _database_ready(self) -> bool:
        try:
            self.sql("SELECT 1 FROM schema_migrations")
        except (LabError, OSError):
            return False
        return True

    def _write_kubectl(self) -> None:
        """The configuration; and the stand-in for kubectl where there is none."""
        if shutil.which("kubectl") is None:
            self.write_stand_in(self.state_dir / "bin")
        self.kubeconfig.write_text(kubeconfig(self.api_port, self.namespace), encoding="utf-8")
        self.kubeconfig.chmod(0o600)

    def write_stand_in(self, folder: Path) -> None:
        """Put the stand-in for kubectl into a folder."""
        command = [*lifeline.python_command("tocsin.lab.kubectl"), f"http://127.0.0.1:{self.api_port}"]
        script = folder / "kubectl"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        script.chmod(0o755)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:  # a thread cannot be cancelled, and what it has started must not stay
            await asyncio.wait({starting})
            await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def kubeconfig(port: int, namespace: str) -> str:
    """A kubectl configuration for the practice cluster; JSON, which is YAML too.

    Context `production` is the owner's; `viewer`, `stranger` and `nobody` are for those who may less.
    """
    server = f"http://127.0.0.1:{port}"
    servers = {"production": server} | {
        name: f"{server}/as/{name}" for name in (*USERS, "nobody") if name != ADMIN.name
    }
    contexts = [
        {"name": name, "context": {"cluster": name, "user": "practice", "namespace": namespace}} for name in servers
    ]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "production",
        "clusters": [{"name": name, "cluster": {"server": address}} for name, address in servers.items()],
        "contexts": contexts,
        "users": [{"name": "practice", "user": {}}],
    }
    return json.dumps(config, indent=1) + "\n"
