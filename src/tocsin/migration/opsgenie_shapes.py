"""What Opsgenie's API answers, as far as it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, field


class Ref(Struct, frozen=True):
    id: str = ""
    name: str = ""
    username: str = ""
    type: str = "user"

    @property
    def shown(self) -> str:
        return self.name or self.username or self.id


class Delay(Struct, frozen=True):
    amount: int = field(name="timeAmount", default=0)
    unit: str = field(name="timeUnit", default="minutes")


class User(Struct, frozen=True):
    username: str
    id: str = ""
    name: str = field(name="fullName", default="")
    blocked: bool = False
    contacts: list[dict[str, Any]] = field(name="userContacts", default_factory=list)
    rules: list[dict[str, Any]] = field(name="notification_rules", default_factory=list)


class Clock(Struct, frozen=True, rename="camel"):
    start_hour: int
    end_hour: int
    start_min: int = 0
    end_min: int = 0
    start_day: str = ""
    end_day: str = ""


class Restriction(Struct, frozen=True):
    type: str = ""
    restriction: Clock | list[Clock] | None = None
    restrictions: list[Clock] | None = None


class Rotation(Struct, frozen=True, rename="camel"):
    start_date: datetime
    type: str
    participants: list[Ref]
    id: str = ""
    name: str = ""
    length: int = 1
    end_date: datetime | None = None
    time_restriction: Restriction | None = None
    enabled: bool = True


class OverrideShape(Struct, frozen=True, rename="camel"):
    start_date: datetime
    end_date: datetime
    user: Ref
    rotations: list[Ref] = field(default_factory=list)


class ScheduleShape(Struct, frozen=True):
    name: str
    rotations: list[Rotation]
    id: str = ""
    timezone: str = "UTC"
    enabled: bool = True
    overrides: list[OverrideShape] = field(default_factory=list)


class Member(Struct, frozen=True):
    user: Ref


class Team(Struct, frozen=True):
    name: str
    id: str = ""
    members: list[Member] = field(default_factory=list)


class Rule(Struct, frozen=True, rename="camel"):
    recipient: Ref
    condition: str = "if-not-acked"
    notify_type: str = "default"
    delay: Delay | int = 0


class Escalation(Struct, frozen=True):
    name: str
    rules: list[Rule]
    id: str = ""
    repeat: dict[str, Any] | None = None


class Integration(Struct, frozen=True):
    name: str
    type: str = "API"
    enabled: bool = True


class HeartbeatShape(Struct, frozen=True, rename="camel"):
    name: str
    interval: int
    interval_unit: str = "minutes"
    enabled: bool = True


class Named(Struct, frozen=True):
    name: str = ""
