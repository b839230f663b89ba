"""What the settings mean to the core: who holds which role, and the rules the runbook leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tocsin.config.crosscheck import SCHEDULE
from tocsin.config.errors import SettingsError
from tocsin.config.model import Settings
from tocsin.config.people import ScheduleTable
from tocsin.incident.policy import Rules
from tocsin.oncall.layers import Layered
from tocsin.oncall.overrides import Overridden, Override, Together
from tocsin.oncall.roster import EVERY_OTHER, Always, ContactRule, Person, Roster, Shifts
from tocsin.oncall.rotation import rotation
from tocsin.runbook.model import Runbook

if TYPE_CHECKING:
    from tocsin.oncall.calendar import Calendar

_NO_FEEDS: Mapping[str, str] = MappingProxyType({})


def roster(settings: Settings, *, feeds: Mapping[str, str] = _NO_FEEDS, runbook: Runbook | None = None) -> Roster:
    """Who holds each role. `feeds` has the iCalendar text of every schedule that has `ical`, by schedule name.

    With `runbook`, the roles of its matrix that only "*" holds are named too. Raises SettingsError for a feed that is
    missing or unreadable.
    """
    people = {id_: _person(settings, id_) for id_ in settings.people}
    schedules = {name: _shifts(settings, name, feeds) for name in settings.schedules}
    roles = {role: _holders(holders, schedules) for role, holders in settings.roles.items()}
    if runbook and EVERY_OTHER in roles:
        held = {role.casefold() for role in roles}
        named = dict.fromkeys(r.to for r in runbook.escalation if r.to.casefold() not in held)
        roles |= dict.fromkeys(named, roles[EVERY_OTHER])
    routed = dict.fromkeys(r.schedule for r in settings.routes if r.schedule in schedules)
    return Roster(people, roles | {role_of(name): schedules[name] for name in routed if name})


def role_of(schedule: str) -> str:
    """The role of whoever is on in a schedule that a route names."""
    return f"On-call ({schedule})"


def calendar_notes(settings: Settings, feeds: Mapping[str, str]) -> tuple[str, ...]:
    """What was left out of the calendars and why, one line each."""
    people = [_person(settings, id_) for id_ in settings.people]
    calendars = {n: _calendar(settings, n, feeds, people) for n, s in settings.schedules.items() if s.ical is not None}
    return tuple(f"{settings.origin.place(('schedules', n))} {note}" for n, c in calendars.items() for note in c.notes)


def rules(settings: Settings, *, name: str = "") -> Rules:
    """The incident's rules with what the settings say in place of the built-in defaults, by the runbook's name."""
    return Rules(
        immediate=settings.acknowledge.immediate,
        after_acknowledge=settings.escalation.after_acknowledge,
        first_role=settings.escalation.first,
        approval_expires=settings.approvals.expire,
        approve_change=settings.approvals.change,
        approve_destructive=settings.approvals.destructive,
        publish_automatically=settings.status_page.automatic,
        severity_labels=dict(settings.levels(name)),
        quiet=settings.resolve.after,
        after_quiet=settings.resolve.then,
        depends_on={name: s.depends_on for name, s in settings.services.items() if s.depends_on},
    )


def _person(settings: Settings, id_: str) -> Person:
    given = settings.people[id_]
    notify = tuple(ContactRule(rule.after, rule.via) for rule in sorted(given.notify, key=lambda r: r.after))
    return Person(
        id_, given.name or id_, email=given.email, phone=given.phone, slack=given.slack, notify=notify,
        access=given.access,
    )  # fmt: skip


def _holders(holders: tuple[str, ...], schedules: Mapping[str, Shifts]) -> Shifts:
    people = tuple(h for h in holders if not h.startswith(SCHEDULE))
    if len(people) == len(holders):
        return Always(people)
    parts = [
        schedules[h.removeprefix(SCHEDULE)] if h.startswith(SCHEDULE) else Always((h,))
        for h in holders
        if not h.startswith(SCHEDULE) or h.removeprefix(SCHEDULE) in schedules
    ]
    return parts[0] if len(parts) == 1 else Together(tuple(parts))


def _shifts(settings: Settings, name: str, feeds: Mapping[str, str]) -> Shifts:
    schedule = settings.schedules[name]
    people = [_person(settings, id_) for id_ in settings.people]
    base: Shifts
    if schedule.layers:
        base = Layered(tuple(schedule.layer(table) for table in schedule.layers))
    else:
        base = _rotation(schedule) if schedule.ical is None else _calendar(settings, name, feeds, people)
    overrides = tuple(
        Override(schedule.local(o.starts_at), schedule.local(o.ends_at), o.person) for o in schedule.overrides
    )
    return Overridden(base, overrides) if overrides else base


def _rotation(schedule: ScheduleTable) -> Shifts:
    assert schedule.starts is not None  # ScheduleTable refuses people without it
    return rotation(
        schedule.people,
        timezone=schedule.timezone,
        every=schedule.rotation,
        handoff=schedule.handoff,
        starts=schedule.starts,
    )


def _calendar(settings: Settings, name: str, feeds: Mapping[str, str], people: list[Person]) -> Calendar:
    from tocsin.oncall.calendar import CalendarError, parse  # icalendar is slow to import and few have a feed

    place = settings.origin.place(("schedules", name, "ical"))
    if name not in feeds:
        raise SettingsError([f"{place} ical: the calendar was not read"])
    try:
        return parse(feeds[name], people=people, timezone=ZoneInfo(settings.schedules[name].timezone))
    except CalendarError as error:
        raise SettingsError([f"{place} ical: {error}"]) from error
