"""`[[routes]]`, `[[maintenance]]`, `[[inhibit]]`: what becomes of alerts by their labels."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from tocsin.config.people import Timezone
from tocsin.config.scalars import Flag, Instant, Name, Names, PositiveDuration, wrong
from tocsin.config.table import Table
from tocsin.incident.matchers import Matchers, parse_all
from tocsin.incident.policy import AfterQuiet
from tocsin.incident.silences import LONGEST_WINDOW

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def _matchers(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        parse_all(value)
    except ValueError as exc:
        raise wrong(str(exc)) from exc
    return value


def _time(value: object) -> time:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong('is not a time of day: write it like "02:00"')
    return time(int(found[1]), int(found[2]))


Written = Annotated[Names, AfterValidator(_matchers)]
"""Matchers as Alertmanager writes them: one, or a list of which all must match."""
TimeOfDay = Annotated[time, BeforeValidator(_time)]


class Route(Table):
    """Alerts that `match` are about `service`, begin with `severity`, are handled by the runbook named `runbook` and
    page `role`, or who is on in `schedule`, first; without `incident` they are recorded and no more. `resolve` and
    `resolve_after` stand for `then` and `after` of [resolve]. The first route that matches counts."""

    match: Written
    service: Name | None = None
    severity: Name | None = None
    role: Name | None = None
    runbook: Name | None = None
    schedule: Name | None = None
    incident: Flag = True
    resolve: AfterQuiet | None = None
    resolve_after: PositiveDuration | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        handled = (self.severity, self.role, self.runbook, self.schedule, self.resolve, self.resolve_after)
        of_incidents = any(handled)
        if self.incident and not (self.service or of_incidents):
            raise wrong("says nothing: give service, severity, runbook, role, schedule or resolve, or incident = false")
        if not self.incident and of_incidents:
            raise wrong("says how to handle what is no incident: leave that out, or incident = false")
        if self.role and self.schedule:
            raise wrong("names both a role and a schedule to page first: give one of them")
        return self


class Maintenance(Table):
    """Alerts that `match` disturb nobody: weekly on `days` (default: each) from the time `at` on for `for`, or once
    between `starts` and `ends`. Times are of `timezone`."""

    name: Name
    match: Written
    comment: str = ""
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS
    at: TimeOfDay | None = None
    length: PositiveDuration | None = Field(default=None, validation_alias="for")
    timezone: Timezone = "UTC"
    starts: Instant | None = None
    ends: Instant | None = None

    @model_validator(mode="after")
    def _when(self) -> Self:
        weekly, once = (self.at, self.length), (self.starts, self.ends)
        if (None in weekly and None in once) or (any(weekly) and any(once)) or (self.at and any(once)):
            raise wrong('needs either at = "02:00" and for = "2h", or starts and ends')
        if self.length and self.length > LONGEST_WINDOW:
            raise wrong(f"is longer than {LONGEST_WINDOW.days} days: give starts and ends instead")
        if self.starts and self.ends and self.instant(self.ends) <= self.instant(self.starts):
            raise wrong("ends before it starts")
        return self

    def instant(self, moment: datetime) -> datetime:
        """In UTC; one without an offset is of `timezone`."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone))
        return aware.astimezone(UTC)


class Inhibit(Table):
    """While an alert of `source` fires, those of `target` whose labels `equal` are the same open no incident."""

    source: Written
    target: Written
    equal: Annotated[tuple[Annotated[str, Strict()], ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _findable(self) -> Self:
        named = any(m.label == "alertname" and m.operator == "=" for m in parsed(self.source))
        if not named and "alertname" not in self.equal:
            raise wrong('must name its source: add alertname="..." to source, or "alertname" to equal')
        return self


class Join(Table):
    """An alert that matches, and begins `within` so long of the opening of an incident whose first alert matches too
    and has the same values of `equal`, is of that incident whatever its service."""

    match: Written
    equal: Annotated[tuple[Annotated[str, Strict()], ...], Field(min_length=1, max_length=20)]
    within: PositiveDuration = timedelta(minutes=10)


def parsed(written: tuple[str, ...]) -> Matchers:
    return parse_all(written)
