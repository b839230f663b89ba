"""The settings as one frozen value. Refuses to read files: `tocsin.config.load` does that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import AfterValidator, Field, PrivateAttr, Strict, StringConstraints, field_validator, model_validator

from tocsin.config.channels import Channels
from tocsin.config.evidence import Evidence
from tocsin.config.lines import KeyPath, Lines
from tocsin.config.operating import Backup, Engine, Ingest, Retention
from tocsin.config.people import PersonTable, ScheduleTable
from tocsin.config.scalars import (
    Database,
    FilePath,
    Flag,
    HttpUrl,
    Masked,
    Name,
    Names,
    Port,
    PositiveDuration,
    Secret,
    wrong,
)
from tocsin.config.sources import Sources, unlike
from tocsin.config.table import Table
from tocsin.config.triage import Inhibit, Join, Maintenance, Route
from tocsin.incident.policy import AfterAcknowledge, AfterQuiet, Role

_SHORTEST_LEASE = timedelta(seconds=5)
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _match(value: Mapping[str, str]) -> Mapping[str, str]:
    if not value:
        raise wrong('is empty: name the labels of its alerts, like match = {service = "backend"}')
    return value


class Service(Table):
    """What an alert is about: it matches when every label of `match` is there with that value. `affected` is a query
    that gives the share of its users affected, 0 to 1.

    `depends_on` are services that it needs: incidents of both may be one trouble.
    """

    match: Annotated[Mapping[Name, str], AfterValidator(_match)]
    namespace: Name | None = None
    workload: Name | None = None
    health: HttpUrl | None = None
    affected: Name | None = None
    depends_on: Annotated[tuple[Name, ...], Field(max_length=100)] = ()


class OtherRunbook(Table):
    """A runbook beside the main one, for the alerts whose route names it. `severity` is in place of `[severity]`, for a
    document with levels of its own."""

    file: FilePath
    severity: Mapping[Name, Name] = {}


class Acknowledge(Table):
    """`immediate` is what the response time "Immediate" is measured against."""

    immediate: PositiveDuration = timedelta(minutes=5)


class Escalation(Table):
    """`first` is the role paged when an incident opens; None is the role of the lowest rung."""

    after_acknowledge: AfterAcknowledge = AfterAcknowledge.INFORM
    first: Name | None = None


class Resolve(Table):
    """What is done once every alert of an incident has been silent for `after`: it is proposed to people to resolve it,
    it is resolved by itself as far as the runbook needs nobody for that, or nothing."""

    after: PositiveDuration = timedelta(minutes=10)
    then: AfterQuiet = AfterQuiet.PROPOSE


class StatusPage(Table):
    """`publish` is a folder that the page is also written to as static files; `url` is where people read those."""

    title: Name = "Service status"
    url: HttpUrl | None = None
    publish: FilePath | None = None
    automatic: Flag = True

    @field_validator("publish", mode="before")
    @classmethod
    def _folder(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.startswith("file:"):
            raise wrong('must be a folder written like "file:/srv/status"')
        return value.removeprefix("file:") if isinstance(value, str) else value


class Approvals(Table):
    """`change` and `destructive` are the least roles that may approve such a command. Where it is "commander", the
    incident's own commander may too."""

    expire: PositiveDuration = timedelta(minutes=30)
    change: Role = Role.RESPONDER
    destructive: Role = Role.COMMANDER


class Procedures(Table):
    """`timeout` is of one step; `environment` is added to the environment of every step.

    `at_once` steps run at the same time, shared fairly between incidents; approved mitigations never wait for them.
    """

    timeout: PositiveDuration = timedelta(seconds=60)
    at_once: Annotated[int, Strict(), Field(ge=1, le=256)] = 16
    environment: Mapping[EnvironmentName, Masked] = {}


class Runner(Table):
    """Where steps run: in the server's own process, or `remote`, by whichever `tocsin runner` takes them.

    `wait` is how long a step waits to be taken, `lease` how long its runner may stay silent before its outcome is
    unknown.
    """

    where: Literal["server", "remote"] = "server"
    wait: PositiveDuration = timedelta(seconds=30)
    lease: PositiveDuration = timedelta(seconds=15)

    @field_validator("lease")
    @classmethod
    def _long_enough(cls, value: timedelta) -> timedelta:
        if value < _SHORTEST_LEASE:
            raise wrong('is too short to be renewed over a network: give at least "5s"')
        return value


class Origin(Struct, frozen=True):
    """The file the settings came from, as the person named it, and where its keys stand; None for the defaults.

    `folder` is what relative paths are relative to.
    """

    file: str | None = None
    lines: Lines = Lines()
    folder: Path = Path()

    def place(self, path: KeyPath) -> str:
        """`tocsin.toml:12: [people.ana]`, to begin a line about `path` or what is missing from it."""
        if self.file is None:
            return "settings:" + (f" [{dotted(path[:-1])}]" if len(path) > 1 else "")
        table = self.lines.table(path)
        listed = bool(table) and isinstance(table[-1], int)
        shown = dotted(tuple(p for p in table if isinstance(p, str)))
        return f"{self.file}:{self.lines.of(path)}:" + (f" [[{shown}]]" if listed else f" [{shown}]" if shown else "")


def dotted(path: KeyPath) -> str:
    """The path as TOML writes it; the places of a list count from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            bare = part.replace("-", "").replace("_", "").isalnum() and part.isascii()
            text += ("." if text else "") + (part if bare else f'"{part}"')
    return text


_HOST = "127.0.0.1"
_PORT = 8080
_REACHED = {"0.0.0.0": _HOST, "::": "::1"}  # noqa: S104 - listening everywhere is reached at the machine itself


class Settings(Table):
    """Everything that can be set. Secrets show as `**********`; `.get_secret_value()` gives them.

    `severity` maps the value of an alert's `severity` label to a level, `default` is for every other. `roles` maps a
    role to ids of people and `schedule:NAME`s; the role "*" is every role not named.
    """

    runbook: FilePath
    runbooks: Mapping[Name, OtherRunbook] = {}
    database: Database
    public_url: HttpUrl
    host: Name = _HOST
    port: Port = _PORT
    secret_key: Secret | None = None
    severity: Mapping[Name, Name] = {}
    roles: Mapping[Name, Annotated[Names, Field(min_length=1)]] = {}
    people: Mapping[Name, PersonTable] = {}
    schedules: Mapping[Name, ScheduleTable] = {}
    services: Mapping[Name, Service] = {}
    routes: tuple[Route, ...] = ()
    maintenance: Annotated[tuple[Maintenance, ...], AfterValidator(unlike)] = ()
    inhibit: tuple[Inhibit, ...] = ()
    join: tuple[Join, ...] = ()
    sources: Sources = Sources()
    channels: Channels = Channels()
    acknowledge: Acknowledge = Acknowledge()
    escalation: Escalation = Escalation()
    resolve: Resolve = Resolve()
    status_page: StatusPage = StatusPage()
    approvals: Approvals = Approvals()
    procedures: Procedures = Procedures()
    evidence: Evidence = Evidence()
    runner: Runner = Runner()
    ingest: Ingest = Ingest()
    engine: Engine = Engine()
    retention: Retention = Retention()
    backup: Backup = Backup()
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @model_validator(mode="before")
    @classmethod
    def _own_address(cls, given: Any) -> Any:
        """Without `public_url` it is the address that this machine itself reaches the server at."""
        if not isinstance(given, Mapping) or "public_url" in given:
            return given
        host, port = given.get("host", _HOST), given.get("port", _PORT)
        host = _REACHED.get(host, host) if isinstance(host, str) and host else _HOST
        url = f"http://[{host}]" if ":" in host else f"http://{host}"
        return {**given, "public_url": f"{url}:{port if isinstance(port, int) and 0 < port < 65536 else _PORT}"}

    @property
    def origin(self) -> Origin:
        return self._origin

    def runbook_file(self, name: str) -> Path:
        """Where the runbook of that name lies; the empty name is the main one's."""
        return self.runbooks[name].file if name else self.runbook

    def levels(self, name: str) -> Mapping[str, str]:
        """Labels to levels, as the runbook of that name takes them."""
        return (self.runbooks[name].severity if name else {}) or self.severity

    def service_of(self, labels: Mapping[str, str]) -> str | None:
        """The name of the first service whose every `match` label is among `labels`, None when there is none."""
        for name, service in self.services.items():
            if all(labels.get(label) == value for label, value in service.match.items()):
                return name
        return None
