"""`[people]`, `[roles]` and `[schedules]`: who is who, and who is on when."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, Strict, field_validator, model_validator

from tocsin.config.scalars import Duration, Email, Instant, Masked, Name, PositiveDuration, wrong
from tocsin.config.table import Table
from tocsin.oncall.layers import Layer, Window, first_turn, window
from tocsin.oncall.overrides import Override
from tocsin.oncall.rotation import RotationError, rotation, turn_length


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError) as error:
        raise wrong('is not a time zone: write it like "Europe/Prague" or "UTC"') from error
    return value


Timezone = Annotated[Name, AfterValidator(_timezone)]


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


def _begin(value: object) -> object:
    if not isinstance(value, date):
        raise wrong("is not a day or time: write it without quotes, like 2026-01-05 or 2026-01-05T09:00:00")
    if not 1970 <= value.year <= 2200:
        raise wrong("is not a day of these years: write it like 2026-01-05")
    return value


def _hours(value: object) -> Window:
    if not isinstance(value, str):
        raise wrong('states no hours: write "09:00-17:00", or "Fri 18:00 - Mon 08:00"')
    try:
        return window(value)
    except RotationError as error:
        raise wrong(str(error)) from error


def _turn(value: object) -> timedelta:
    try:
        return turn_length(value if isinstance(value, str) else "")
    except RotationError as error:
        raise wrong(str(error)) from error


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Hours = Annotated[InstanceOf[Window], BeforeValidator(_hours)]
Group = Annotated[tuple[Name, ...], BeforeValidator(_as_list)]
"""Who is on together; empty is a turn of nobody."""


class LayerTable(Table):
    """Groups of people in turn, laid over the schedule's other layers; the highest `level` with anybody on counts.

    `starts` is when the first turn begins on the wall of `timezone` (default: the schedule's); a plain day begins at
    09:00. `lasts` ends a turn early, `during` leaves only those hours, `since` and `until` bound it all.
    """

    name: Name | None = None
    people: Annotated[tuple[Group, ...], Field(min_length=1)]
    rotation: Annotated[timedelta, BeforeValidator(_turn)] = timedelta(weeks=1)
    starts: Annotated[datetime | date, BeforeValidator(_begin)]
    timezone: Annotated[Name, AfterValidator(_timezone)] | None = None
    lasts: PositiveDuration | None = None
    during: Annotated[
        tuple[Annotated[InstanceOf[Window], BeforeValidator(_hours)], ...], BeforeValidator(_as_list)
    ] = ()
    since: Instant | None = None
    until: Instant | None = None
    level: Annotated[int, Strict(), Field(ge=0, le=1_000_000)] = 0
    overrides: tuple[OverrideTable, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lasts is not None and self.lasts > self.rotation * 100:
            raise wrong("lasts more than a hundred turns: nobody is meant to be on that long")
        return self


class ScheduleTable(Table):
    """A rotation of `people`, several laid over each other, or a calendar feed.

    `timezone` is also the zone of a feed's times that name none.
    """

    timezone: Annotated[Name, AfterValidator(_timezone)] = "UTC"
    people: tuple[Name, ...] = ()
    rotation: Name = "weekly"
    handoff: Name | None = None
    starts: Annotated[date, Strict()] | None = None
    ical: Masked | None = None
    layers: tuple[LayerTable, ...] = ()
    overrides: tuple[OverrideTable, ...] = ()

    @field_validator("ical")
    @classmethod
    def _somewhere(cls, value: Masked | None) -> Masked | None:
        if value is not None and not value.get_secret_value().strip():
            raise wrong("is empty: give the path or the URL of an iCalendar feed")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if [self.ical is not None, bool(self.people), bool(self.layers)].count(True) != 1:
            raise wrong(
                'needs either people = ["ana", "ben"] with starts, or ical = "https://...", or only layers, not both'
            )
        if self.people and self.starts is None:
            raise wrong("needs starts = 2026-01-05 (the day on which the first person begins)")
        if self.people and self.starts is not None:
            try:
                rotation(
                    self.people, timezone=self.timezone, every=self.rotation, handoff=self.handoff, starts=self.starts
                )
            except RotationError as error:
                raise wrong(str(error)) from error
        for override in [*self.overrides, *(o for layer in self.layers for o in layer.overrides)]:
            if self.local(override.starts_at) >= self.local(override.ends_at):
                raise wrong("has an override that ends before it begins: swap from and until")
        for layer in self.layers:
            if layer.since and layer.until and self.local(layer.since) >= self.local(layer.until):
                raise wrong("has a layer that ends before it begins: swap since and until")
        return self

    def layer(self, table: LayerTable) -> Layer:
        """The layer as the roster takes it; its times without an offset are of the schedule's zone."""
        zone = ZoneInfo(table.timezone or self.timezone)
        overrides = (Override(self.local(o.starts_at), self.local(o.ends_at), o.person) for o in table.overrides)
        return Layer(
            zone, table.people, table.rotation, first_turn(table.starts, time(9), zone),
            lasts=table.lasts, during=table.during,
            since=self.local(table.since) if table.since else None,
            until=self.local(table.until) if table.until else None,
            level=table.level,
            overrides=tuple(overrides),
        )  # fmt: skip

    def local(self, moment: datetime) -> datetime:
        """The moment as an aware instant; one without an offset is of the schedule's zone."""
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone))
