"""What an export comes to, before it is written: people, schedules, ladders, senders. Refuses to know any system."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct, field


class Person(Struct, frozen=True):
    """`delays` are after how long a page reaches the person again, shortest first."""

    id: str
    name: str
    email: str = ""
    phone: str = ""
    slack: str = ""
    delays: tuple[timedelta, ...] = ()


class Override(Struct, frozen=True):
    """`person` is on from `starts_at` (inclusive) until `ends_at`, both aware."""

    starts_at: datetime
    ends_at: datetime
    person: str


class Layer(Struct, frozen=True):
    """As `[[schedules.NAME.layers]]`: `starts` is naive, on the wall of its zone; `since` and `until` are aware."""

    name: str
    groups: tuple[tuple[str, ...], ...]
    every: timedelta
    starts: datetime
    lasts: timedelta | None = None
    during: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    level: int = 0
    timezone: str = ""
    overrides: tuple[Override, ...] = ()


class Schedule(Struct, frozen=True):
    """Either layers, or the address of a calendar feed."""

    id: str
    name: str
    timezone: str
    layers: tuple[Layer, ...] = ()
    overrides: tuple[Override, ...] = ()
    ical: str = ""


class Rung(Struct, frozen=True):
    after: timedelta
    role: str


class Ladder(Struct, frozen=True):
    """An escalation policy: who is paged how long after the opening; `services` are those that use it."""

    name: str
    rungs: tuple[Rung, ...]
    services: tuple[str, ...] = ()


class Service(Struct, frozen=True):
    id: str
    name: str


class Heartbeat(Struct, frozen=True):
    name: str
    every: timedelta


class Switch(Struct, frozen=True):
    """A sender and what to change there; `{url}` stands for the address of Tocsin."""

    name: str
    change: str


class Plan(Struct, frozen=True):
    """`roles` maps a role to its holders, as `[roles]` writes them. `left_out` has a line for each thing without an
    equivalent: what, and why."""

    system: str
    people: tuple[Person, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    services: tuple[Service, ...] = ()
    heartbeats: tuple[Heartbeat, ...] = ()
    ladders: tuple[Ladder, ...] = ()
    switches: tuple[Switch, ...] = ()
    left_out: tuple[str, ...] = ()
