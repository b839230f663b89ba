"""An export of Opsgenie: answers of its REST API (`/v2/users`, `/v2/schedules?expand=rotation`, ...) or the files of
its own configuration backup tool.

Rotations of a schedule are on call together; a rotation turns by the clock of the schedule's zone, also outside its
time restriction; an override stands in for the rotations it names, for all when it names none; a rule's delay counts
from the alert on (Opsgenie documentation: Schedule API, Escalation API).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tocsin.migration.naming import DAY, WEEK, People, Roles, aware, hours, rungs, slug, wall, zone_of
from tocsin.migration.opsgenie_shapes import (
    Delay,
    Escalation,
    HeartbeatShape,
    Integration,
    Named,
    OverrideShape,
    Ref,
    Restriction,
    Rotation,
    ScheduleShape,
    Team,
    User,
)
from tocsin.migration.plan import Heartbeat, Ladder, Layer, Override, Person, Plan, Schedule, Service, Switch
from tocsin.migration.reading import Entity, Form, entities

UNITS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": DAY, "weeks": WEEK}
_TURNS = {"hourly": timedelta(hours=1), "daily": DAY, "weekly": WEEK}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOLDERS = {
    "user": "user", "users": "user", "schedule": "schedule", "schedules": "schedule", "escalation": "escalation",
    "escalations": "escalation", "team": "team", "teams": "team", "integration": "integration",
    "integrations": "integration", "service": "service", "services": "service", "heartbeats": "heartbeat",
    "overrides": "override", "policies": "policy", "maintenance": "maintenance", "forwarding_rules": "forwarding rule",
    "forwarding": "forwarding rule", "user_forwarding": "forwarding rule", "custom_user_roles": "custom user role",
}  # fmt: skip
_NO_EQUIVALENT = {
    "policy": "alert policies: route by [services] and the runbook's severities instead",
    "maintenance": "maintenance windows are made anew in Tocsin when the next one is due",
    "forwarding rule": "write the stand-in as an override of the schedule",
    "custom user role": "access is viewer, responder, commander or admin",
}
_NOTIFIES = {"next": "the next on call too", "previous": "who was on call before", "all": "everybody of the team",
             "admins": "the team's admins", "random": "one member at random"}  # fmt: skip


def _told(data: Mapping[str, Any]) -> str:
    """What an object is, by the fields that only it has."""
    if "scheduleOverrideList" in data or ("rotations" in data and "timezone" in data):
        return "schedule"
    if "notificationRuleList" in data or ("username" in data and "fullName" in data):
        return "user"
    if {"startDate", "endDate", "user"} <= data.keys():
        return "override"
    if "rules" in data and ("repeat" in data or "ownerTeam" in data):
        return "escalation"
    return "heartbeat" if "intervalUnit" in data else "team" if "members" in data else ""


FORM = Form(_told, _HOLDERS, pages=("data",))


def read(export: Path) -> Plan:
    """The plan of an export. Raises ExportError."""
    return _Reader(entities(export, FORM)).plan()


class _Reader:
    def __init__(self, found: tuple[Entity, ...]) -> None:
        self.found = found
        self.left_out: list[str] = []
        self.people = People()
        self.roles = Roles()
        self.holders: dict[str, tuple[str, tuple[str, ...]]] = {}
        """What recipients call a schedule or a team -> its name and holders."""
        self.teams: dict[str, tuple[str, ...]] = {}

    def of(self, kind: str) -> Iterable[Entity]:
        return (entity for entity in self.found if entity.kind == kind)

    def plan(self) -> Plan:
        for entity in self.of("user"):
            self._user(entity)
        for entity in self.of("team"):
            self._team(entity)
        taken: set[str] = set()
        schedules = tuple(s for entity in self.of("schedule") if (s := self._schedule(entity, taken)) is not None)
        ladders = tuple(self._ladder(entity) for entity in self.of("escalation"))
        keys: set[str] = set()
        services = tuple(Service(slug(n, keys), n) for n in (e.fit(Named).name for e in self.of("service")) if n)
        beats = tuple(self._heartbeat(entity) for entity in self.of("heartbeat"))
        switches = tuple(self._switch(entity.fit(Integration)) for entity in self.of("integration"))
        self._unknown()
        self.left_out += self.people.told_by()
        return Plan(
            "Opsgenie", self.people.all(), schedules, self.roles.held, services, beats, ladders, switches,
            tuple(self.left_out),
        )  # fmt: skip

    def _user(self, entity: Entity) -> None:
        data = entity.data
        if "notificationRuleList" in data:  # as the backup tool writes it
            data = {**data.get("user", {}), "notification_rules": data["notificationRuleList"] or []}
            entity = Entity("user", entity.file, entity.path + ".user", data)
        user = entity.fit(User)
        if user.blocked:
            self.left_out.append(f'user "{user.username}": is blocked in Opsgenie: imported all the same')
        steps = [step for rule in user.rules for step in rule.get("steps") or [rule] if step.get("enabled", True)]
        person = Person(
            user.username.partition("@")[0],
            user.name or user.username,
            email=user.username if "@" in user.username else "",
            phone=_phone(user, steps),
            delays=tuple(sorted({_after(entity, step.get("sendAfter")) for step in steps if "sendAfter" in step})),
        )
        self.people.add(person, user.id, user.username)

    def _team(self, entity: Entity) -> None:
        team = entity.fit(Team)
        members = tuple(self._person(entity, m.user, f".members[{n}].user") for n, m in enumerate(team.members))
        self.teams[team.id or team.name] = self.teams[team.name] = members
        self.holders["team:" + team.id] = self.holders["team:" + team.name] = (team.name, members)

    def _person(self, entity: Entity, ref: Ref, where: str) -> str:
        """The id of somebody named. Raises ExportError when nothing tells who it is."""
        found = self.people.find(ref.id, ref.username)
        if found is None and ref.username:
            email = ref.username if "@" in ref.username else ""
            found = self.people.add(Person(ref.username.partition("@")[0], ref.username, email), ref.id, ref.username)
            self.left_out.append(
                f'user "{ref.username}": is not among the exported users: the address stands for the name'
            )
        if found is None:
            raise entity.wrong(where, f"names user {ref.id!r}, who is not in the export: add the answer of /v2/users")
        return found.id

    def _schedule(self, entity: Entity, taken: set[str]) -> Schedule | None:
        data = entity.data
        if "scheduleOverrideList" in data:
            data = {**data.get("schedule", {}), "overrides": data["scheduleOverrideList"] or []}
            entity = Entity("schedule", entity.file, entity.path + ".schedule", data)
        shape = entity.fit(ScheduleShape)
        zone = zone_of(entity, ".timezone", shape.timezone)
        key = slug(shape.name, taken)
        self.holders["schedule:" + shape.id] = self.holders["schedule:" + shape.name] = (
            shape.name, (f"schedule:{key}",)
        )  # fmt: skip
        overrides = [*shape.overrides, *self._separate(shape)]
        layers = [self._layer(entity, shape, n, r) for n, r in enumerate(shape.rotations) if r.enabled]
        off = [r.name or r.id for r in shape.rotations if not r.enabled]
        self.left_out += [f'rotation "{name}" of schedule "{shape.name}": is switched off in Opsgenie' for name in off]
        if not layers or not shape.enabled:
            why = "has no rotation, so nobody is ever on" if not layers else "is switched off in Opsgenie"
            self.left_out.append(f'schedule "{shape.name}": {why}')
            self.holders["schedule:" + shape.id] = self.holders["schedule:" + shape.name] = (shape.name, ())
            return None
        self.roles.of(shape.name, (f"schedule:{key}",))
        every = tuple(self._override(entity, o, zone) for o in overrides if not o.rotations)
        named = [o for o in overrides if o.rotations]
        rotations = [r for r in shape.rotations if r.enabled]
        dressed = [
            replace(layer, overrides=tuple(self._override(entity, o, zone) for o in named if _of(o, rotation)))
            for layer, rotation in zip(layers, rotations, strict=True)
        ]
        return Schedule(key, shape.name, zone, tuple(dressed), every)

    def _separate(self, shape: ScheduleShape) -> Iterable[OverrideShape]:
        """Overrides that were saved apart from their schedule: it is named in them, or by their file or folder."""
        for entity in self.of("override"):
            parent = entity.data.get("_parent") or entity.data.get("parent") or {}
            named = {str(parent.get("id", "")), str(parent.get("name", ""))} if parent else set(Path(entity.file).parts)
            named |= {Path(entity.file).stem} if not parent else set()
            if not parent and len(list(self.of("schedule"))) == 1:
                named.add(shape.name)
            if (shape.id and any(shape.id in n for n in named)) or shape.name in named:
                yield entity.fit(OverrideShape)

    def _layer(self, entity: Entity, schedule: ScheduleShape, number: int, rotation: Rotation) -> Layer:
        where = f".rotations[{number}]"
        unit = _TURNS.get(rotation.type)
        if unit is None:
            raise entity.wrong(f"{where}.type", f"expected hourly, daily or weekly, got {rotation.type!r}")
        if rotation.length < 1 or not rotation.participants:
            raise entity.wrong(where, "a rotation needs participants and a length of at least 1")
        zone, title = schedule.timezone, f'rotation "{rotation.name or number + 1}" of schedule "{schedule.name}"'
        groups = [
            self._group(entity, p, f"{where}.participants[{n}]", title) for n, p in enumerate(rotation.participants)
        ]
        return Layer(
            rotation.name,
            tuple(groups),
            rotation.length * unit,
            wall(rotation.start_date, zone),
            during=_hours(entity, rotation.time_restriction, f"{where}.timeRestriction"),
            until=aware(rotation.end_date, zone) if rotation.end_date else None,
        )

    def _group(self, entity: Entity, ref: Ref, where: str, title: str) -> tuple[str, ...]:
        if ref.type == "user":
            return (self._person(entity, ref, where),)
        if ref.type == "team":
            members = self.teams.get(ref.id) or self.teams.get(ref.name)
            if members is None:
                raise entity.wrong(where, f'names team "{ref.shown}", which is not in the export: add /v2/teams')
            self.left_out.append(f'{title}: team "{ref.shown}" takes a turn: written out as its members of today')
            return members
        if ref.type != "none":
            self.left_out.append(f'{title}: {ref.type} "{ref.shown}" takes a turn: only people can; a turn of nobody')
        return ()

    def _override(self, entity: Entity, shape: OverrideShape, zone: str) -> Override:
        person = self._person(entity, shape.user, ".overrides.user")
        return Override(aware(shape.start_date, zone), aware(shape.end_date, zone), person)

    def _ladder(self, entity: Entity) -> Ladder:
        shape = entity.fit(Escalation)
        steps: dict[timedelta, list[str]] = {}
        for number, rule in enumerate(shape.rules):
            title = f'rule {number + 1} of escalation "{shape.name}"'
            found = self._recipient(entity, rule.recipient, f".rules[{number}].recipient", title)
            if rule.notify_type in _NOTIFIES:
                self.left_out.append(f"{title}: notifies {_NOTIFIES[rule.notify_type]}: whoever is on call is paged")
            if rule.condition != "if-not-acked":
                self.left_out.append(f"{title}: goes on until closed: set [escalation] after_acknowledge for that")
            if found:
                steps.setdefault(_after(entity, rule.delay, f".rules[{number}].delay"), []).append(found)
        if shape.repeat and shape.repeat.get("count", 1):
            self.left_out.append(f'escalation "{shape.name}": repeats itself: write the later rungs into the matrix')
        return Ladder(shape.name, rungs(steps, self.roles))

    def _recipient(self, entity: Entity, ref: Ref, where: str, title: str) -> str | None:
        if ref.type == "user":
            id_ = self._person(entity, ref, where)
            return self.roles.of(next(p.name for p in self.people.all() if p.id == id_), (id_,))
        held = self.holders.get(f"{ref.type}:{ref.id}") or self.holders.get(f"{ref.type}:{ref.name}")
        if held is None and ref.type in ("schedule", "team"):
            raise entity.wrong(where, f'names {ref.type} "{ref.shown}", which is not in the export')
        if held is None or not held[1]:
            self.left_out.append(f'{title}: {ref.type} "{ref.shown}" has nobody to page')
            return None
        return self.roles.of(held[0], held[1])

    def _heartbeat(self, entity: Entity) -> Heartbeat:
        shape = entity.fit(HeartbeatShape)
        unit = UNITS.get(shape.interval_unit)
        if unit is None or shape.interval < 1:
            raise entity.wrong(".interval", f"is no interval: {shape.interval} {shape.interval_unit}")
        if not shape.enabled:
            self.left_out.append(f'heartbeat "{shape.name}": is switched off in Opsgenie: imported all the same')
        return Heartbeat(shape.name, shape.interval * unit)

    def _switch(self, shape: Integration) -> Switch:
        kind = shape.type.casefold()
        if "email" in kind or "mail" in kind:
            change = "send its mails to Tocsin's own address ([sources.email]), or use its webhook"
        elif "heartbeat" in kind:
            change = "ping {url}/v2/heartbeats/NAME/ping"
        elif kind in ("amazonsns", "cloudwatch", "amazoncloudwatch"):
            change = "subscribe {url}/api/v1/alerts/sns?token=TOKEN to the topic"
        elif kind == "datadog":
            change = "its webhook to {url}/api/v1/alerts/datadog?token=TOKEN"
        else:
            change = "its Opsgenie API URL to {url} (it ends in /v2/alerts), its API key to a token of Tocsin"
        return Switch(f"{shape.name} ({shape.type}{'' if shape.enabled else ', switched off'})", change)

    def _unknown(self) -> None:
        known = {"user", "team", "schedule", "escalation", "service", "heartbeat", "integration", "override"}
        for entity in self.found:
            if entity.kind not in known:
                name = str(entity.data.get("name") or entity.data.get("id") or entity.path)
                why = _NO_EQUIVALENT.get(entity.kind, "is nothing that this import knows")
                self.left_out.append(f'{entity.kind or entity.file} "{name}": {why}')
        for entity in self.of("team"):
            if entity.data.get("routingRules") or entity.data.get("teamRoutingRules"):
                self.left_out.append(f'routing rules of team "{entity.data.get("name")}": match labels')


def _of(override: OverrideShape, rotation: Rotation) -> bool:
    return any((r.id and r.id == rotation.id) or (r.name and r.name == rotation.name) for r in override.rotations)


def _hours(entity: Entity, given: Restriction | None, where: str) -> tuple[str, ...]:
    if given is None or not (given.restriction or given.restrictions):
        return ()
    one = given.restriction or given.restrictions or []
    found: list[str] = []
    for number, clock in enumerate(one if isinstance(one, list) else [one]):
        begin = timedelta(hours=clock.start_hour, minutes=clock.start_min)
        end = timedelta(hours=clock.end_hour, minutes=clock.end_min)
        if not (clock.start_day and clock.end_day):
            found.append(hours(begin, (end - begin) % DAY or DAY))
            continue
        try:
            first, last = (_WEEKDAYS.index(day.casefold()) for day in (clock.start_day, clock.end_day))
        except ValueError:
            raise entity.wrong(f"{where}.restrictions[{number}]", "names no day of the week") from None
        length = (end + (last - first) * DAY - begin) % WEEK or WEEK
        found.append(hours(begin, length, first))
    return tuple(found) if all(found) else ()


def _after(entity: Entity, given: object, where: str = ".sendAfter") -> timedelta:
    if isinstance(given, Mapping):
        given = Delay(int(given.get("timeAmount", 0)), str(given.get("timeUnit", "minutes")))
    if isinstance(given, int):
        return timedelta(minutes=given)
    if not isinstance(given, Delay) or given.unit.casefold() not in UNITS:
        raise entity.wrong(where, f"is no delay: {given!r}")
    return given.amount * UNITS[given.unit.casefold()]


def _phone(user: User, steps: list[dict[str, Any]]) -> str:
    """The number of the first call or text, as people dial it: Opsgenie writes `420-777123456`."""
    ways = [(c.get("contactMethod"), c.get("to")) for c in user.contacts]
    ways += [(c.get("method"), c.get("to")) for c in (s.get("contact") or {} for s in steps)]
    number = next((str(to) for way, to in ways if way in ("voice", "sms") and to), "")
    return "+" + number.replace("-", "").lstrip("+") if number else ""
