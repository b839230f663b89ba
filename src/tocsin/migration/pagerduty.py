"""An export of PagerDuty: answers of its REST API v2 (`/users?include[]=contact_methods`, `/schedules/{id}`, ...).

The layers of a schedule come topmost first, and the topmost with anybody on counts; turns are counted from
`rotation_virtual_start` on the clock of the schedule's zone, also outside the restrictions, and a layer is in force
from `start` to `end`; an override stands in for the whole schedule; a rule is reached when the delays of those before
it have passed (PagerDuty documentation: Schedules, Escalation Policies).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from tocsin.migration.naming import People, Roles, aware, counted, hours, overlapping, rungs, slug, wall, zone_of
from tocsin.migration.plan import Ladder, Layer, Override, Person, Plan, Schedule, Service, Switch
from tocsin.migration.reading import Entity, Form, entities

_HOLDERS = {
    "user": "user", "users": "user", "schedule": "schedule", "schedules": "schedule", "service": "service",
    "services": "service", "escalation_policy": "escalation_policy", "escalation_policies": "escalation_policy",
    "overrides": "override", "override": "override", "teams": "team", "team": "team", "integrations": "integration",
    "maintenance_windows": "maintenance_window", "rulesets": "ruleset", "orchestrations": "orchestration",
    "business_services": "business_service", "response_plays": "response_play", "extensions": "extension",
}  # fmt: skip
_NO_EQUIVALENT = {
    "team": "Tocsin has roles and schedules, no teams",
    "maintenance_window": "made anew in Tocsin when the next one is due",
    "ruleset": "event rules: match labels under [services] instead",
    "orchestration": "event orchestration: match labels under [services] instead",
    "business_service": "write it as a service with a match of its own",
    "response_play": "the runbook says what is done",
    "extension": "outgoing webhooks: [channels.webhook]",
}


class Ref(Struct, frozen=True):
    id: str
    summary: str | None = None
    type: str = ""


class Contact(Struct, frozen=True):
    type: str = ""
    address: str | None = None
    country_code: int | None = None


class NotificationRule(Struct, frozen=True):
    start_delay_in_minutes: int = 0
    urgency: str = "high"


class User(Struct, frozen=True):
    id: str
    name: str
    email: str = ""
    contact_methods: list[Contact] = field(default_factory=list)
    notification_rules: list[NotificationRule] = field(default_factory=list)


class Turn(Struct, frozen=True):
    user: Ref


class Restriction(Struct, frozen=True):
    type: str
    start_time_of_day: time
    duration_seconds: int
    start_day_of_week: int | None = None


class LayerShape(Struct, frozen=True):
    start: datetime
    rotation_virtual_start: datetime
    rotation_turn_length_seconds: int
    users: list[Turn]
    name: str | None = None
    end: datetime | None = None
    restrictions: list[Restriction] | None = None


class OverrideShape(Struct, frozen=True):
    start: datetime
    end: datetime
    user: Ref


class ScheduleShape(Struct, frozen=True):
    id: str
    name: str
    time_zone: str
    schedule_layers: list[LayerShape]
    overrides: list[OverrideShape] = field(default_factory=list)


class RuleShape(Struct, frozen=True):
    escalation_delay_in_minutes: int
    targets: list[Ref]
    escalation_rule_assignment_strategy: dict[str, Any] | None = None


class Policy(Struct, frozen=True):
    id: str
    name: str
    escalation_rules: list[RuleShape]
    num_loops: int = 0


class IntegrationShape(Struct, frozen=True):
    type: str = ""
    name: str | None = None
    summary: str | None = None


class ServiceShape(Struct, frozen=True):
    id: str
    name: str
    status: str = "active"
    escalation_policy: Ref | None = None
    integrations: list[IntegrationShape] = field(default_factory=list)
    auto_resolve_timeout: int | None = None
    acknowledgement_timeout: int | None = None
    support_hours: dict[str, Any] | None = None


def _told(data: Mapping[str, Any]) -> str:
    """What an object is: its `type`, or the fields that only it has."""
    if "schedule_layers" in data or ("rotations" in data and "time_zone" in data):
        return "schedule"
    if "escalation_rules" in data:
        return "escalation_policy"
    if {"start", "end", "user"} <= data.keys():
        return "override"
    kind = str(data.get("type", "")).removesuffix("_reference")
    return kind if kind in ("user", "schedule", "service", "escalation_policy", "team", "maintenance_window") else ""


FORM = Form(_told, _HOLDERS)


def read(export: Path) -> Plan:
    """The plan of an export. Raises ExportError."""
    return _Reader(entities(export, FORM)).plan()


class _Reader:
    def __init__(self, found: tuple[Entity, ...]) -> None:
        self.found = found
        self.left_out: list[str] = []
        self.people = People()
        self.roles = Roles()
        self.schedules: dict[str, tuple[str, tuple[str, ...]]] = {}

    def of(self, kind: str) -> Iterable[Entity]:
        return (entity for entity in self.found if entity.kind == kind)

    def plan(self) -> Plan:
        for entity in self.of("user"):
            self._user(entity)
        taken: set[str] = set()
        schedules = tuple(s for entity in self.of("schedule") if (s := self._schedule(entity, taken)) is not None)
        used: dict[str, list[str]] = {}
        keys: set[str] = set()
        services, switches = [], []
        for entity in self.of("service"):
            shape = entity.fit(ServiceShape)
            services.append(Service(slug(shape.name, keys), shape.name))
            if shape.escalation_policy:
                used.setdefault(shape.escalation_policy.id, []).append(shape.name)
            switches += [_switch(shape, integration) for integration in shape.integrations]
            self._of_service(shape)
        ladders = tuple(self._ladder(entity, used) for entity in self.of("escalation_policy"))
        self._unknown()
        self.left_out += self.people.told_by()
        return Plan(
            "PagerDuty", self.people.all(), schedules, self.roles.held, tuple(services), (), ladders, tuple(switches),
            tuple(self.left_out),
        )  # fmt: skip

    def _user(self, entity: Entity) -> None:
        user = entity.fit(User)
        calls = [c for c in user.contact_methods if c.type.startswith(("phone", "sms")) and c.address]
        phone = f"+{calls[0].country_code or 1}{calls[0].address}" if calls else ""
        delays = {timedelta(minutes=r.start_delay_in_minutes) for r in user.notification_rules if r.urgency == "high"}
        name = (user.email.partition("@")[0] if user.email else "") or user.name
        self.people.add(Person(name, user.name, user.email, phone, delays=tuple(sorted(delays))), user.id)

    def _person(self, entity: Entity, ref: Ref, where: str) -> str:
        found = self.people.find(ref.id)
        if found is None and ref.summary:
            found = self.people.add(Person(ref.summary, ref.summary), ref.id)
            self.left_out.append(f'user "{ref.summary}": is not among the exported users: only the name is known')
        if found is None:
            raise entity.wrong(where, f"names user {ref.id!r}, who is not in the export: add the answer of /users")
        return found.id

    def _schedule(self, entity: Entity, taken: set[str]) -> Schedule | None:
        if "schedule_layers" not in entity.data:
            if any(
                e.data.get("id") == entity.data.get("id") for e in self.of("schedule") if "schedule_layers" in e.data
            ):
                return None  # the list of schedules beside the schedules themselves
            if "rotations" in entity.data:
                name = str(entity.data.get("name", ""))
                self.schedules[str(entity.data.get("id", ""))] = (name, ())
                self.left_out.append(f'schedule "{name}": is of the new kind (v3): take its calendar feed as ical')
                return None
            raise entity.wrong(".schedule_layers", "is missing: save the answer of /schedules/ID of each schedule")
        shape = entity.fit(ScheduleShape)
        zone = zone_of(entity, ".time_zone", shape.time_zone)
        key = slug(shape.name, taken)
        count = len(shape.schedule_layers)
        found = [self._layer(entity, zone, n, count - n) for n in range(count)]
        layers = tuple(layer for layer in reversed(found) if layer is not None)
        self.schedules[shape.id] = (shape.name, (f"schedule:{key}",) if layers else ())
        if not layers:
            self.left_out.append(f'schedule "{shape.name}": has no layer with anybody in it')
            return None
        self.roles.of(shape.name, (f"schedule:{key}",))
        overrides = tuple(self._override(entity, o, zone) for o in [*shape.overrides, *self._separate(shape)])
        if overlapping(overrides):
            self.left_out.append(f'overrides of schedule "{shape.name}": two are on at once: the later one counts')
        return Schedule(key, shape.name, zone, layers, overrides)

    def _layer(self, entity: Entity, zone: str, number: int, level: int) -> Layer | None:
        shape = entity.fit(ScheduleShape).schedule_layers[number]
        where = f".schedule_layers[{number}]"
        if not shape.users:
            return None
        if shape.rotation_turn_length_seconds < 60:
            raise entity.wrong(f"{where}.rotation_turn_length_seconds", "a turn shorter than a minute")
        groups = tuple(
            (self._person(entity, turn.user, f"{where}.users[{n}].user"),) for n, turn in enumerate(shape.users)
        )
        starts, since = wall(shape.rotation_virtual_start, zone), aware(shape.start, zone)
        return Layer(
            shape.name or "",
            groups,
            timedelta(seconds=shape.rotation_turn_length_seconds),
            starts,
            during=_hours(entity, shape.restrictions or [], where),
            since=since if since != aware(shape.rotation_virtual_start, zone) else None,
            until=aware(shape.end, zone) if shape.end else None,
            level=level,
        )

    def _separate(self, shape: ScheduleShape) -> Iterable[OverrideShape]:
        """Overrides that were saved apart from their schedule, in a file or folder named by its id or name."""
        alone = len([e for e in self.of("schedule") if "schedule_layers" in e.data]) == 1
        for entity in self.of("override"):
            named = [*Path(entity.file).parts, Path(entity.file).stem]
            if alone or any(shape.id in part for part in named) or shape.name in named:
                yield entity.fit(OverrideShape)

    def _override(self, entity: Entity, shape: OverrideShape, zone: str) -> Override:
        person = self._person(entity, shape.user, ".overrides.user")
        return Override(aware(shape.start, zone), aware(shape.end, zone), person)

    def _ladder(self, entity: Entity, used: Mapping[str, list[str]]) -> Ladder:
        shape = entity.fit(Policy)
        steps: dict[timedelta, list[str]] = {}
        after = timedelta(0)
        for number, rule in enumerate(shape.escalation_rules):
            title = f'rule {number + 1} of escalation policy "{shape.name}"'
            for place, target in enumerate(rule.targets):
                found = self._target(entity, target, f".escalation_rules[{number}].targets[{place}]", title)
                if found:
                    steps.setdefault(after, []).append(found)
            strategy = (rule.escalation_rule_assignment_strategy or {}).get("type", "assign_to_everyone")
            if strategy != "assign_to_everyone":
                self.left_out.append(f"{title}: assigns in turn ({strategy}): all of its targets are paged")
            after += timedelta(minutes=rule.escalation_delay_in_minutes)
        if shape.num_loops:
            again = f"repeats {shape.num_loops} times: write the later rungs into the matrix"
            self.left_out.append(f'escalation policy "{shape.name}": {again}')
        return Ladder(shape.name, rungs(steps, self.roles), tuple(used.get(shape.id, ())))

    def _target(self, entity: Entity, target: Ref, where: str, title: str) -> str | None:
        if target.type.startswith("user"):
            id_ = self._person(entity, target, where)
            return self.roles.of(next(p.name for p in self.people.all() if p.id == id_), (id_,))
        held = self.schedules.get(target.id)
        if held is None:
            raise entity.wrong(where, f"names schedule {target.summary or target.id!r}, which is not in the export")
        if not held[1]:
            self.left_out.append(f'{title}: schedule "{held[0]}" has nobody to page')
            return None
        return self.roles.of(*held)

    def _of_service(self, shape: ServiceShape) -> None:
        said = {
            "is disabled in PagerDuty; imported": shape.status == "disabled",
            "resolves by itself after a time: an incident here is resolved by people, or as its alerts end":
                bool(shape.auto_resolve_timeout),
            "un-acknowledges after a time: the runbook's update cadence reminds instead":
                bool(shape.acknowledgement_timeout),
            "has support hours: the schedule's hours say who is on": bool(shape.support_hours),
        }  # fmt: skip
        self.left_out += [f'service "{shape.name}": {why}' for why, so in said.items() if so]

    def _unknown(self) -> None:
        known = {"user", "schedule", "service", "escalation_policy", "override", "integration"}
        others: dict[str, list[str]] = {}
        for entity in self.found:
            if entity.kind not in known:
                name = str(
                    entity.data.get("name") or entity.data.get("summary") or entity.data.get("id") or entity.path
                )
                others.setdefault(entity.kind or entity.file, []).append(name)
        for kind, names in others.items():
            self.left_out.append(
                counted(kind.replace("_", " "), names, lambda _, k=kind: _NO_EQUIVALENT.get(k, "nothing known"))  # type: ignore[misc]
            )


def _switch(service: ServiceShape, integration: IntegrationShape) -> Switch:
    kind = integration.type.removesuffix("_reference")
    name = f"{integration.name or integration.summary or kind} of {service.name}"
    if "email" in kind:
        return Switch(name, "send its mails to Tocsin's own address ([sources.email]), or use its webhook")
    if kind == "generic_events_api_inbound_integration":
        return Switch(
            name, "its URL to {url}/generic/2010-04-15/create_event.json, its service key to a token of Tocsin"
        )
    return Switch(name, "its URL to {url}/v2/enqueue, its routing key to a token of Tocsin")


def _hours(entity: Entity, given: list[Restriction], where: str) -> tuple[str, ...]:
    found: list[str] = []
    for number, one in enumerate(given):
        at = one.start_time_of_day
        begin, length = (
            timedelta(hours=at.hour, minutes=at.minute, seconds=at.second),
            timedelta(seconds=one.duration_seconds),
        )
        day = one.start_day_of_week
        weekly = one.type == "weekly_restriction"
        if length <= timedelta(0) or (weekly and (day is None or not 1 <= day <= 7)):
            raise entity.wrong(f"{where}.restrictions[{number}]", "is no restriction: a day from 1 to 7 and a duration")
        found.append(hours(begin, length, day - 1 if weekly and day else None))
    return tuple(found) if all(found) else ()
