"""`[people]`, `[roles]` and `[schedules]`: who is who, and who is on when."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, Strict, field_validator, model_validator

from tocsin.config.scalars import Duration, Email, Instant, Masked, Name, wrong
from tocsin.config.table import Table
from tocsin.oncall.rotation import RotationError, rotation


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError) as error:
        raise wrong('is not a time zone: write it like "Europe/Prague" or "UTC"') from error
    return value


class NotifyRule(Table):
    """`after` a page, also use channel `via`; "push" is any channel that reaches the person."""

    after: Duration
    via: Name


class PersonTable(Table):
    """One person; the key of the table is the id. `name` is the id when not given.

    `access` is what the links in messages to this person let them do.
    """

    name: Name | None = None
    email: Email | None = None
    phone: Name | None = None
    slack: Name | None = None
    notify: tuple[NotifyRule, ...] = ()
    access: Literal["viewer", "responder", "commander", "admin"] = "responder"


class OverrideTable(Table):
    """`person` is on from `from` (inclusive) until `until` (exclusive), the schedule's local time if without offset."""

    starts_at: Instant = Field(validation_alias="from")
    ends_at: Instant = Field(validation_alias="until")
    person: Name


class ScheduleTable(Table):
    """A rotation of `people`, or a calendar feed. `timezone` is also the zone of a feed's times that name none."""

    timezone: Annotated[Name, AfterValidator(_timezone)] = "UTC"
    people: tuple[Name, ...] = ()
    rotation: Name = "weekly"
    handoff: Name | None = None
    starts: Annotated[date, Strict()] | None = None
    ical: Masked | None = None
    overrides: tuple[OverrideTable, ...] = ()

    @field_validator("ical")
    @classmethod
    def _somewhere(cls, value: Masked | None) -> Masked | None:
        if value is not None and not value.get_secret_value().strip():
            raise wrong("is empty: give the path or the URL of an iCalendar feed")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.ical is None) == (not self.people):
            raise wrong('needs either people = ["ana", "ben"] with starts, or ical = "https://...", not both')
        if self.people and self.starts is None:
            raise wrong("needs starts = 2026-01-05 (the day on which the first person begins)")
        if self.people and self.starts is not None:
            try:
                rotation(
                    self.people, timezone=self.timezone, every=self.rotation, handoff=self.handoff, starts=self.starts
                )
            except RotationError as error:
                raise wrong(str(error)) from error
        for override in self.overrides:
            if self.local(override.starts_at) >= self.local(override.ends_at):
                raise wrong("has an override that ends before it begins: swap from and until")
        return self

    def local(self, moment: datetime) -> datetime:
        """The moment as an aware instant; one without an offset is of the schedule's zone."""
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone))
