"""Names of things become ids and roles that the settings and the document take; each once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tocsin.migration.plan import Override, Person, Rung
from tocsin.migration.reading import Entity

_SPECIAL = re.compile(r"[|`*_\[\]<>\\\r\n\t]+")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


def slug(text: str, taken: set[str]) -> str:
    """A key of lower-case letters, digits and dashes, not one of `taken`, which it joins."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "unnamed"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name


def role(text: str) -> str:
    """The name as a cell of a Markdown table takes it."""
    return " ".join(_SPECIAL.sub(" ", text).split()) or "Unnamed"


class People:
    """Everybody of the export, found by any of the names that other parts of it use."""

    def __init__(self) -> None:
        self._known: dict[str, Person] = {}
        self._taken: set[str] = set()

    def add(self, person: Person, *names: str) -> Person:
        """Adds a person whose `id` is what the id is made of; `names` are what the export calls the person."""
        kept = Person(
            slug(person.id, self._taken), person.name, person.email, person.phone, person.slack, person.delays
        )
        for name in names:
            if name:
                self._known.setdefault(name.casefold(), kept)
        return kept

    def find(self, *names: str) -> Person | None:
        return next((self._known[n.casefold()] for n in names if n and n.casefold() in self._known), None)

    def told_by(self) -> list[str]:
        """A line on how the people with rules of their own are told; none without any."""
        mine = [person.name for person in self.all() if person.delays]
        why = 'delays are kept, by every channel that reaches them ("push"): name one of [channels] where it matters'
        return [counted("notification rules of", mine, lambda _: why)] if mine else []

    def all(self) -> tuple[Person, ...]:
        return tuple({person.id: person for person in self._known.values()}.values())


class Roles:
    """Roles of the document, each with its holders; one name never means two things."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, ...]] = {}

    def of(self, name: str, holders: tuple[str, ...]) -> str:
        """The role that these hold: of that name, numbered when others hold it already."""
        name, number = role(name), 1
        found = next((r for r, h in self.held.items() if h == holders), None)
        if found is not None:
            return found
        wanted = name
        while wanted.casefold() in {r.casefold() for r in self.held}:
            number += 1
            wanted = f"{name} {number}"
        self.held[wanted] = holders
        return wanted

    def together(self, names: tuple[str, ...]) -> str:
        """One role for what several hold together, named after them."""
        if len(names) == 1:
            return names[0]
        holders = tuple(dict.fromkeys(h for name in names for h in self.held[name]))
        return self.of(" + ".join(dict.fromkeys(names)), holders)


def rungs(steps: Mapping[timedelta, list[str]], roles: Roles) -> tuple[Rung, ...]:
    """The rungs of roles by their time, soonest first; roles of one time are one rung."""
    return tuple(Rung(after, roles.together(tuple(steps[after]))) for after in sorted(steps) if steps[after])


def hours(begin: timedelta, length: timedelta, day: int | None = None) -> str:
    """Hours as `during` writes them; `day` 0 is Monday, None every day. Empty when they leave nothing out."""
    whole = DAY if day is None else WEEK
    if length >= whole:
        return ""
    end = begin + length
    if day is None:
        return f"{_clock(begin)}-{_clock(end if end == DAY else end % DAY)}"
    on_midnight = end % DAY == timedelta(0)
    last = (day + (end // DAY) - (1 if on_midnight else 0)) % 7
    return f"{DAYS[day]} {_clock(begin)} - {DAYS[last]} {_clock(DAY if on_midnight else end % DAY)}"


def _clock(since: timedelta) -> str:
    minutes, seconds = divmod(int(since.total_seconds()), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")


def wall(instant: datetime, zone: str) -> datetime:
    """The instant on the wall of `zone`, naive; one without an offset is on that wall already."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if instant.tzinfo else instant


def aware(moment: datetime, zone: str) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def zone_of(entity: Entity, field: str, name: str) -> str:
    """The zone's name. Raises ExportError for what is no time zone."""
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise entity.wrong(field, f"{name!r} is not a time zone") from error
    return name


def overlapping(overrides: tuple[Override, ...]) -> bool:
    """Whether two of them are on at once."""
    ordered = sorted(overrides, key=lambda o: o.starts_at)
    return any(a.ends_at > b.starts_at for a, b in pairwise(ordered))


def counted(kind: str, names: list[str], why: Callable[[int], str]) -> str:
    """One line for several things of a kind that have no equivalent for one reason."""
    shown = ", ".join(f'"{n}"' for n in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{kind} {shown}: {why(len(names))}"
