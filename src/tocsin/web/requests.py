"""The bodies that the API takes. A field that is not known, or too long, is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from tocsin.config.scalars import duration

Line: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Name: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
MaybeText: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]
MaybeName: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Reason: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
Values: TypeAlias = Annotated[dict[Name, Annotated[str, StringConstraints(max_length=1_000)]], Field(max_length=50)]


def _ours(at: datetime) -> datetime:
    """In UTC, within the years that calendars, databases and people can reckon with."""
    if not 2000 <= at.year < 2200:
        raise ValueError("is not a time of this or the next century")
    return at.astimezone(UTC)


Instant: TypeAlias = Annotated[AwareDatetime, AfterValidator(_ours)]
"""RFC 3339 with an offset; given as UTC."""
Fields: TypeAlias = Annotated[dict[Name, MaybeText], Field(max_length=50)]


def _length(given: object) -> object:
    """`7d` as people write it, or seconds; anything else is left for pydantic to refuse."""
    if isinstance(given, str):
        found = duration(given.strip())
        if found is None:
            raise ValueError('is not a duration: write it like "3d" or "2w", or give seconds')
        return found
    return given


def _lowered(given: object) -> object:
    return given.strip().casefold() if isinstance(given, str) else given


Length: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(_length, json_schema_input_type=int | str),
    Field(gt=timedelta(0), le=timedelta(days=3660)),
]


def _ref(given: object) -> object:
    """A number may be written as one."""
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


Ref: TypeAlias = Annotated[Name, BeforeValidator(_ref, json_schema_input_type=int | str)]


Matcher: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=800)]


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Empty(Request):
    pass


class Declare(Request):
    """Without a severity the configured default is suggested, without a runbook that of the service's route is used."""

    title: Line
    severity: Name | None = None
    summary: MaybeText = ""
    service: MaybeName = ""
    runbook: MaybeName = ""


class Escalate(Request):
    """Without a role the next rung of the escalation matrix is paged."""

    role: Name | None = None
    reason: Reason = ""


class SetSeverity(Request):
    severity: Name
    reason: Reason = ""


class Note(Request):
    text: Text


class Assign(Request):
    role: Name
    person: Name


class Publish(Request):
    """`status` is investigating, identified, monitoring or resolved; without a text the runbook's sentence is used."""

    status: Name
    text: MaybeText = ""


class Update(Request):
    """Either a `text` as written, or a `template` with the `fields` that the incident itself cannot fill."""

    text: MaybeText = ""
    template: Name = "Update"
    fields: Fields = {}


class GiveAnswer(Request):
    """`question` is the slug of one on the tree's path so far."""

    question: Name
    answer: Annotated[Literal["yes", "no", "unknown"], BeforeValidator(_lowered)]
    reason: Reason = ""


class Tick(Request):
    """`item` is an id of the incident's checklist, or the item's text."""

    item: Line
    done: bool = True
    note: Reason = ""


class MaybeWhy(Request):
    reason: Reason = ""


class Why(Request):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class Merge(Request):
    """`into` is the number, or the id, of the incident that goes on."""

    into: Ref
    reason: Reason = ""


class Split(Request):
    """`alerts` are fingerprints of some of the incident's alerts; without a title the first one's words are it."""

    alerts: Annotated[tuple[Line, ...], Field(min_length=1, max_length=1000)]
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    reason: Reason = ""


class Unrelated(Request):
    """`incident` is the number, or the id, of the other."""

    incident: Ref
    reason: Reason = ""


class RunProcedure(Request):
    """`steps` are counted from 1; none is every reading step."""

    values: Values = {}
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=10_000)], ...], Field(max_length=200)] = ()


class Propose(Request):
    """With `break_glass` an admin has it run at once, unapproved, and says why."""

    values: Values = {}
    break_glass: bool = False
    reason: Reason = ""


class Decide(Request):
    decision: Literal["approve", "reject"]
    reason: Reason = ""


class Settle(Request):
    """What came of a mitigation whose outcome was unknown, as a person found."""

    outcome: Literal["done", "failed"]
    reason: Reason = ""


class AddSilence(Request):
    """From an instant, or so long from now, or now; until an instant, or for so long. Matchers as Alertmanager has
    them, all of which must match."""

    matchers: Annotated[tuple[Matcher, ...], Field(min_length=1, max_length=20)]
    comment: Line
    starts_at: Instant | None = None
    starts_in: Length | None = None
    ends_at: Instant | None = None
    lasts: Length | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.ends_at is None) == (self.lasts is None):
            raise ValueError("give either ends_at or lasts")
        if self.starts_at is not None and self.starts_in is not None:
            raise ValueError("give starts_at or starts_in, not both")
        return self

    def starts(self, now: datetime) -> datetime:
        return self.starts_at or now + (self.starts_in or timedelta())

    def ends(self, now: datetime) -> datetime:
        return self.ends_at or self.starts(now) + (self.lasts or timedelta())


class AddActionItem(Request):
    """Due at an instant with an offset, or so long from now: seconds, or text like `7d`."""

    title: Line
    owner: Name
    due_at: Instant | None = None
    due_in: Length | None = None
    kind: MaybeName = ""

    @model_validator(mode="after")
    def _one_due(self) -> Self:
        if (self.due_at is None) == (self.due_in is None):
            raise ValueError("give either due_at or due_in")
        return self

    def due(self, now: datetime) -> datetime:
        return self.due_at if self.due_at is not None else now + (self.due_in or timedelta())
