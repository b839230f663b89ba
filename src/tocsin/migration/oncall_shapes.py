"""What Grafana OnCall's API answers, as far as it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, field


class Slack(Struct, frozen=True):
    user_id: str = ""


class User(Struct, frozen=True):
    id: str
    username: str
    email: str | None = None
    slack: list[Slack] | Slack | None = None


class ScheduleShape(Struct, frozen=True):
    id: str
    name: str
    type: str = "web"
    time_zone: str | None = None
    shifts: list[str] | None = None
    ical_url_primary: str | None = None
    ical_url_overrides: str | None = None


class Shift(Struct, frozen=True):
    id: str
    type: str
    start: datetime
    duration: int
    name: str = ""
    time_zone: str | None = None
    level: int | None = None
    rotation_start: datetime | None = None
    until: datetime | None = None
    frequency: str | None = None
    interval: int | None = None
    by_day: list[str] | None = None
    by_month: list[int] | None = None
    by_monthday: list[int] | None = None
    week_start: str | None = None
    users: list[str] | None = None
    rolling_users: list[list[str]] | None = None
    start_rotation_from_user_index: int | None = None


class Chain(Struct, frozen=True):
    id: str
    name: str


class Step(Struct, frozen=True):
    escalation_chain_id: str
    position: int
    type: str | None = None
    duration: int | None = None
    persons_to_notify: list[str] = field(default_factory=list)
    persons_to_notify_next_each_time: list[str] = field(default_factory=list)
    notify_on_call_from_schedule: str | None = None
    notify_to_team_members: str | None = None


class Rule(Struct, frozen=True):
    user_id: str
    position: int
    type: str | None = None
    duration: int | None = None
    important: bool = False


class Integration(Struct, frozen=True):
    id: str
    name: str
    type: str = "webhook"
    default_route: dict[str, Any] | None = None


class Route(Struct, frozen=True):
    integration_id: str
    escalation_chain_id: str | None = None
    routing_regex: str | None = None
