"""Who holds a role at an instant. Refuses to know what time it is: the instant is always an argument."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from msgspec import Struct


class ContactRule(Struct, frozen=True):
    """A person's own rule: `after` a page, also use channel `via`."""

    after: timedelta
    via: str


class Person(Struct, frozen=True):
    """`id` is the key under [people]; an address is None when the person has none.

    `access` is what a signed link lets the person do: viewer, responder, commander or admin.
    """

    id: str
    name: str
    email: str | None = None
    phone: str | None = None
    slack: str | None = None
    notify: tuple[ContactRule, ...] = ()
    access: str = "responder"


class Shifts(Protocol):
    """A schedule: anything that can say who is on at an instant."""

    def at(self, instant: datetime) -> tuple[str, ...]:
        """Ids of the people on call at `instant`, empty when nobody is."""
        ...


@runtime_checkable
class Changing(Protocol):
    """A schedule that knows when it changes."""

    def next_handoff(self, instant: datetime) -> datetime | None:
        """The first instant after `instant` at which somebody else may be on, aware UTC; None when never."""
        ...


def next_handoff(shifts: Shifts, instant: datetime) -> datetime | None:
    """When `shifts` next change after `instant`; None when they never do or cannot say."""
    return shifts.next_handoff(instant) if isinstance(shifts, Changing) else None


class Always(Struct, frozen=True):
    """The schedule of a role held by fixed people."""

    people: tuple[str, ...]

    def at(self, instant: datetime) -> tuple[str, ...]:
        return self.people


EVERY_OTHER = "*"
"""The role that stands for every role not named itself."""


class Roster:
    """Roles to people. Role names compare without case, as people write them; "*" holds every role not named."""

    def __init__(self, people: Mapping[str, Person], roles: Mapping[str, Shifts]) -> None:
        self.people = dict(people)
        self._roles = {name.casefold(): shifts for name, shifts in roles.items()}
        self.role_names = tuple(name for name in roles if name != EVERY_OTHER)

    def holders(self, role: str, at: datetime) -> tuple[Person, ...]:
        """The people who hold `role` at `at`, in the schedule's order; empty when nobody does."""
        shifts = self.shifts(role)
        return tuple(self.people[p] for p in shifts.at(at) if p in self.people) if shifts else ()

    def shifts(self, role: str) -> Shifts | None:
        """The schedule behind `role`, None when nobody holds it."""
        return self._roles.get(role.casefold()) or self._roles.get(EVERY_OTHER)

    def person(self, id_: str) -> Person | None:
        return self.people.get(id_)

    def named(self, name: str) -> Person | None:
        """The person of that id or display name (without case), else None."""
        wanted = name.casefold()
        return next((p for p in self.people.values() if wanted in (p.id.casefold(), p.name.casefold())), None)
