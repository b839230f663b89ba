"""Who holds a role at an instant. Refuses to know what time it is: the instant is always an argument."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct


class ContactRule(Struct, frozen=True):
    """A person's own rule: `after` a page, also use channel `via`."""

    after: timedelta
    via: str


class Person(Struct, frozen=True):
    """`id` is the key under [people]; an address is None when the person has none."""

    id: str
    name: str
    email: str | None = None
    phone: str | None = None
    slack: str | None = None
    notify: tuple[ContactRule, ...] = ()


class Shifts(Protocol):
    """A schedule: anything that can say who is on at an instant."""

    def at(self, instant: datetime) -> tuple[str, ...]:
        """Ids of the people on call at `instant`, empty when nobody is."""
        ...


class Always(Struct, frozen=True):
    """The schedule of a role held by fixed people."""

    people: tuple[str, ...]

    def at(self, instant: datetime) -> tuple[str, ...]:
        return self.people


class Roster:
    """Roles to people. Role names compare without case, as people write them."""

    def __init__(self, people: Mapping[str, Person], roles: Mapping[str, Shifts]) -> None:
        self.people = dict(people)
        self._roles = {name.casefold(): shifts for name, shifts in roles.items()}
        self.role_names = tuple(roles)

    def holders(self, role: str, at: datetime) -> tuple[Person, ...]:
        """The people who hold `role` at `at`, in the schedule's order; empty when nobody does."""
        shifts = self._roles.get(role.casefold())
        return tuple(self.people[p] for p in shifts.at(at) if p in self.people) if shifts else ()

    def person(self, id_: str) -> Person | None:
        return self.people.get(id_)

    def named(self, name: str) -> Person | None:
        """The person of that id or display name (without case), else None."""
        wanted = name.casefold()
        return next((p for p in self.people.values() if wanted in (p.id.casefold(), p.name.casefold())), None)
