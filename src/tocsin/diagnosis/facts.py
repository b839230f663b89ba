"""What is known of production at an instant, as values. Refuses to fetch, and to judge what it means.

Every part is what one source said (`Taken`), with when, whether it was cut, and why it could not be had: "unknown" is a
value. All instants are aware UTC, corrected to our own clock by whoever fetched; `clock` says how far off they may be
still. Fields are those of the Kubernetes API documented for 1.20 to 1.36, PostgreSQL's statistics views, Redis's INFO.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")
NOT_ASKED = "it was not asked"
MEASURED = timedelta(seconds=2)
"""How well a source's clock is known once its answer's own time was compared with ours."""


class Taken(Struct, Generic[T], frozen=True):
    """What a source said at `at`. With an `error` it said nothing; `truncated` means that there is more than `items`.

    `absent` is a reason why there is nothing of the kind here (no such source is set up): nothing failed, and nothing
    is known of it.
    """

    items: tuple[T, ...] = ()
    at: datetime | None = None
    error: str = ""
    truncated: bool = False
    absent: str = ""
    clock: timedelta = MEASURED

    @property
    def whole(self) -> bool:
        """Whether a decision may rest on it."""
        return self.at is not None and not self.error and not self.truncated and not self.absent

    @property
    def trouble(self) -> str:
        """Why nothing may be decided from it; empty when it is whole, or when there is nothing to ask."""
        if self.absent or self.whole:
            return ""
        return self.error or ("its answer was cut short" if self.truncated else NOT_ASKED)


# Kubernetes


class Container(Struct, frozen=True):
    """A container as a template asks for it. Memory in bytes, CPU in cores. `environment` gives each variable the
    digest of what it is set to; `rest` is the digest of everything else that is asked for."""

    name: str
    image: str
    memory_limit: float | None = None
    memory_request: float | None = None
    cpu_limit: float | None = None
    cpu_request: float | None = None
    environment: Mapping[str, str] = {}
    rest: str = ""


class Template(Struct, frozen=True):
    """A pod template. `rest` is the digest of what is not containers, without `kubectl.kubernetes.io/restartedAt`."""

    containers: tuple[Container, ...] = ()
    rest: str = ""
    restarted_at: datetime | None = None


class Condition(Struct, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    """Its last transition."""


class Workload(Struct, frozen=True):
    """A Deployment, StatefulSet or DaemonSet. `kind` in lower case. `keeper` names what puts it back when it is changed
    by hand (Argo CD, Flux), as far as its labels and annotations say."""

    kind: str
    name: str
    namespace: str
    desired: int
    ready: int
    updated: int = 0
    available: int = 0
    generation: int = 0
    observed: int = 0
    paused: bool = False
    template: Template = Template()
    conditions: tuple[Condition, ...] = ()
    keeper: str = ""
    created_at: datetime | None = None

    @property
    def named(self) -> str:
        return f"{self.kind}/{self.name}"


class Revision(Struct, frozen=True):
    """A ReplicaSet of a Deployment, or a ControllerRevision; `number` is deployment.kubernetes.io/revision.

    A rollback takes an old ReplicaSet up again: it is given a new number, and keeps `created_at`.
    """

    name: str
    kind: str
    workload: str
    namespace: str
    number: int
    created_at: datetime
    replicas: int = 0
    ready: int = 0
    template: Template = Template()


class ContainerState(Struct, frozen=True):
    """`state` is running, waiting or terminated; `last_*` is how the container before it ended."""

    name: str
    image: str = ""
    image_id: str = ""
    ready: bool = False
    restarts: int = 0
    state: str = "running"
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_reason: str = ""
    last_exit_code: int | None = None
    last_finished_at: datetime | None = None


class Pod(Struct, frozen=True):
    """`revision` is the name of the Revision that it was made from, empty when not known. `unscheduled` is why it has
    no node."""

    name: str
    namespace: str
    workload: str = ""
    kind: str = ""
    revision: str = ""
    node: str = ""
    phase: str = "Running"
    ready: bool = True
    ready_since: datetime | None = None
    created_at: datetime | None = None
    unscheduled: str = ""
    leaving: bool = False
    containers: tuple[ContainerState, ...] = ()
    address: str = ""

    @property
    def restarts(self) -> int:
        return sum(c.restarts for c in self.containers)


class Event(Struct, frozen=True):
    """A Kubernetes event; they are kept for an hour."""

    kind: str
    name: str
    namespace: str
    reason: str
    message: str = ""
    type: str = "Normal"
    count: int = 1
    first_at: datetime | None = None
    last_at: datetime | None = None


class Gauge(Struct, frozen=True):
    """One metric of an autoscaler: what it is now, and what it is kept at."""

    name: str
    current: float | None
    target: float | None


class Autoscaler(Struct, frozen=True):
    name: str
    namespace: str
    kind: str
    workload: str
    least: int
    most: int
    current: int
    desired: int
    gauges: tuple[Gauge, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Node(Struct, frozen=True):
    """Allocatable CPU in cores, memory in bytes."""

    name: str
    ready: bool = True
    schedulable: bool = True
    conditions: tuple[Condition, ...] = ()
    cpu: float | None = None
    memory: float | None = None


class Usage(Struct, frozen=True):
    """What a pod's containers use together, from metrics.k8s.io. CPU in cores, memory in bytes."""

    pod: str
    cpu: float
    memory: float


class Job(Struct, frozen=True):
    """A Kubernetes Job, e.g. a migration."""

    name: str
    namespace: str
    image: str = ""
    succeeded: int = 0
    failed: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""


class Application(Struct, frozen=True):
    """An Argo CD Application; `workloads` are those it manages, as "kind/name"; `deployed_at` its history, in order."""

    name: str
    namespace: str
    target: str
    health: str = ""
    sync: str = ""
    automated: bool = False
    self_heal: bool = False
    workloads: tuple[str, ...] = ()
    deployed_at: tuple[datetime, ...] = ()


# What is measured


class Signal(StrEnum):
    """What a series is of. Rates are a second, latency in seconds, shares between 0 and 1."""

    REQUESTS = "requests"
    ERRORS = "errors"
    LATENCY = "latency"
    THROTTLED = "throttled"
    MEMORY = "memory"
    DISK = "disk"


class Series(Struct, frozen=True):
    """One signal over time. `points` are (seconds since the epoch, value), in order. Empty labels are of the whole."""

    signal: Signal
    points: tuple[tuple[float, float], ...]
    pod: str = ""
    service: str = ""
    name: str = ""


class Scrape(Struct, frozen=True):
    """Prometheus's `up` for one target."""

    job: str
    instance: str
    up: bool


class Failures(Struct, frozen=True):
    """Lines of a pod's log that carry an SQLSTATE, counted; `lines` is how many lines of error there were in all."""

    pod: str
    state: str
    count: int
    lines: int
    first_at: datetime | None = None
    sample: str = ""


class Logs(Struct, frozen=True):
    """What the log of a pod was read for. Its text is not kept here."""

    pod: str
    errors: int
    read: int
    failures: tuple[Failures, ...] = ()


# Databases, caches, endpoints


class Session(Struct, frozen=True):
    """One that waits for a lock: `blockers` are the processes that hold it, `waiting` how long."""

    pid: int
    blockers: tuple[int, ...]
    waiting: timedelta
    state: str = ""
    query: str = ""


class Holder(Struct, frozen=True):
    """One that others wait for: how long its transaction has been open, and what it does."""

    pid: int
    state: str
    open_for: timedelta
    query: str = ""


class Statement(Struct, frozen=True):
    """From pg_stat_statements: constants are `$1` there already."""

    query: str
    calls: int
    mean: timedelta


class Database(Struct, frozen=True):
    """A PostgreSQL server. `version` is its major one. `disk` is the used share of its volume, when known;
    `columns` are those of its pg_stat_statements, empty without the extension."""

    name: str
    version: int = 0
    connections: int = 0
    most: int = 0
    waiting: tuple[Session, ...] = ()
    holders: tuple[Holder, ...] = ()
    slow: tuple[Statement, ...] = ()
    deadlocks: int = 0
    statistics_since: datetime | None = None
    lag: timedelta | None = None
    read_only: bool = False
    disk: float | None = None
    columns: tuple[str, ...] = ()


class Cache(Struct, frozen=True):
    """A Redis server, from INFO. Memory in bytes; `most` 0 is no limit."""

    name: str
    version: str = ""
    clients: int = 0
    most_clients: int = 0
    memory: int = 0
    most: int = 0
    evicted: int = 0
    rejected: int = 0
    role: str = "master"
    linked: bool = True
    loading: bool = False
    saved: bool = True


class Endpoint(Struct, frozen=True):
    """A health address asked once. `status` None is no answer, `kind` its content type, `body` its first words."""

    name: str
    url: str
    status: int | None
    seconds: float
    reason: str = ""
    body: str = ""
    kind: str = ""

    @property
    def healthy(self) -> bool:
        return self.status is not None and self.status < 400


class Dependency(Struct, frozen=True):
    """Something the service needs, tried by name and port. `reached`: any answer, even a wrong one, is one.

    `usual` is how long it took before, in seconds, when that is known.
    """

    name: str
    address: str
    reached: bool
    seconds: float
    reason: str = ""
    usual: float | None = None
    workload: str = ""


class Subject(Struct, frozen=True):
    """What an incident is about, as far as alerts and settings say; empty is not known."""

    service: str = ""
    namespace: str = ""
    kind: str = ""
    workload: str = ""

    @property
    def named(self) -> str:
        return f"{self.kind or 'deployment'}/{self.workload}" if self.workload else self.service or "the service"


class Facts(Struct, frozen=True):
    """Everything looked at. `reported_at` is when the first alert began to fire: the impact is that old, or older.

    `affected` is the share of users affected, and that in words, where a query of the settings says it.
    `earlier` are pods that were there when last looked at, not long ago, and are no more.
    `settling` is how long something that began may not be seen yet everywhere: rates are of a span, scrapes far apart.
    """

    at: datetime
    reported_at: datetime
    subject: Subject = Subject()
    settling: timedelta = timedelta(seconds=30)
    earlier: tuple[Pod, ...] = ()
    affected: tuple[float, str] | None = None
    workloads: Taken[Workload] = Taken()
    revisions: Taken[Revision] = Taken()
    pods: Taken[Pod] = Taken()
    events: Taken[Event] = Taken()
    autoscalers: Taken[Autoscaler] = Taken()
    nodes: Taken[Node] = Taken()
    usage: Taken[Usage] = Taken()
    jobs: Taken[Job] = Taken()
    applications: Taken[Application] = Taken()
    series: Taken[Series] = Taken()
    scrapes: Taken[Scrape] = Taken()
    logs: Taken[Logs] = Taken()
    databases: Taken[Database] = Taken()
    caches: Taken[Cache] = Taken()
    endpoints: Taken[Endpoint] = Taken()
    dependencies: Taken[Dependency] = Taken()


SOURCES: Mapping[str, str] = {
    "workloads": "the Deployments", "revisions": "the ReplicaSets", "pods": "the pods", "events": "the events",
    "autoscalers": "the autoscalers", "nodes": "the nodes", "usage": "the pods' usage", "jobs": "the jobs",
    "applications": "Argo CD",
    "series": "Prometheus's series", "scrapes": "Prometheus's targets", "logs": "the logs",
    "databases": "the database", "caches": "the cache", "endpoints": "the health addresses",
    "dependencies": "the dependencies",
}  # fmt: skip
"""Each part of `Facts` that a source gives, and what it is called."""


def troubles(facts: Facts, *names: str) -> tuple[str, ...]:
    """ "the pods: connection refused" for each of the named parts that nothing may be decided from; of all without."""
    found = ((SOURCES[name], getattr(facts, name).trouble) for name in names or SOURCES)
    return tuple(f"{called}: {why}" for called, why in found if why)
