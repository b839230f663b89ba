"""An export of Grafana OnCall: answers of its HTTP API (`/api/v1/users/`, `/schedules/`, `/on_call_shifts/`, ...).

A shift begins at `start` and again every `interval` of its `frequency`, on the clock of its own zone or the schedule's,
and is on for `duration`; its groups take turns. With `by_day` and weekly turns a group has a week, which begins on
`week_start`; with daily turns each of those days is a turn. The highest `level` with anybody on counts, an override
before all of them (Grafana OnCall documentation: OnCall shifts HTTP API).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from tocsin.migration.naming import People, Roles, aware, overlapping, rungs, slug, wall, zone_of
from tocsin.migration.oncall_shapes import Chain, Integration, Route, Rule, ScheduleShape, Shift, Slack, Step, User
from tocsin.migration.oncall_shifts import FREQUENCIES, ROLLING, alone, recurring
from tocsin.migration.plan import Ladder, Layer, Override, Person, Plan, Schedule, Service, Switch
from tocsin.migration.reading import Entity, Form, entities

_HOLDERS = {
    "users": "user", "user": "user", "schedules": "schedule", "schedule": "schedule", "on_call_shifts": "shift",
    "shifts": "shift", "escalation_chains": "chain", "chains": "chain", "escalation_policies": "step",
    "integrations": "integration", "routes": "route", "personal_notification_rules": "rule", "teams": "team",
    "user_groups": "user group", "slack_channels": "Slack channel", "webhooks": "outgoing webhook",
    "outgoing_webhooks": "outgoing webhook", "shift_swaps": "shift swap", "resolution_notes": "resolution note",
    "alert_groups": "alert group", "alerts": "alert", "organizations": "organization",
}  # fmt: skip
_NO_EQUIVALENT = {
    "team": "Tocsin has roles and schedules, no teams",
    "user group": "write its people into a role",
    "outgoing webhook": "[channels.webhook] posts every message",
    "shift swap": "write it as an override of the schedule",
}
_OF_PEOPLE = ("manual", "maintenance", "direct_paging")
_STEPS = {
    "notify_whole_channel": "tells the whole Slack channel: messages to everybody go where [channels] say",
    "notify_team_members": "notifies a team: write its people into a role",
    "notify_user_group": "notifies a Slack user group: write its people into a role",
    "trigger_webhook": "triggers a webhook: [channels.webhook] posts every message",
    "trigger_action": "triggers a webhook: [channels.webhook] posts every message",
    "resolve": "resolves by itself: an incident here is resolved by people, or as its alerts end",
    "notify_if_time_from_to": "goes on only at certain hours: write them as the schedule's hours",
    "notify_if_num_alerts_in_window": "goes on only after many alerts: a threshold of the alert's own rule says that",
    "repeat_escalation": "begins again: write the later rungs into the matrix",
    "declare_incident": "declares an incident: here every alert that counts is one",
}


def _told(data: Mapping[str, Any]) -> str:
    """What an object is, by the fields that only it has."""
    marks = {
        "step": {"escalation_chain_id", "position", "type"}, "route": {"integration_id", "routing_regex"},
        "integration": {"default_route"}, "schedule": {"on_call_now"}, "shift": {"start", "duration", "type"},
        "rule": {"user_id", "position"}, "user": {"username", "email"},
    }  # fmt: skip
    return next((kind for kind, fields in marks.items() if fields <= data.keys()), "")


FORM = Form(_told, _HOLDERS, pages=("results",))


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
        self.shifts = {entity.fit(Shift).id: entity for entity in self.of("shift")}

    def of(self, kind: str) -> Iterable[Entity]:
        return (entity for entity in self.found if entity.kind == kind)

    def plan(self) -> Plan:
        rules = [entity.fit(Rule) for entity in self.of("rule")]
        for entity in self.of("user"):
            self._user(entity.fit(User), rules)
        taken: set[str] = set()
        schedules = tuple(s for entity in self.of("schedule") if (s := self._schedule(entity, taken)) is not None)
        integrations = [entity.fit(Integration) for entity in self.of("integration")]
        keys: set[str] = set()
        services = tuple(Service(slug(i.name, keys), i.name) for i in integrations if i.type not in _OF_PEOPLE)
        ladders = self._ladders(integrations)
        switches = tuple(w for i in integrations if (w := self._switch(i)) is not None)
        self._routes({i.id: i.name for i in integrations})
        self._unknown()
        self.left_out += self.people.told_by()
        return Plan(
            "Grafana OnCall", self.people.all(), schedules, self.roles.held, services, (), ladders, switches,
            tuple(self.left_out),
        )  # fmt: skip

    def _user(self, user: User, rules: Sequence[Rule]) -> None:
        slack = user.slack[0] if isinstance(user.slack, list) and user.slack else user.slack
        mine = sorted((r for r in rules if r.user_id == user.id and not r.important), key=lambda r: r.position)
        delays, waited = set(), timedelta(0)
        for rule in mine:
            if rule.type == "wait":
                waited += timedelta(seconds=rule.duration or 0)
            else:
                delays.add(waited)
        person = Person(
            user.username.partition("@")[0], user.username, user.email or "",
            slack=slack.user_id if isinstance(slack, Slack) else "", delays=tuple(sorted(delays)),
        )  # fmt: skip
        self.people.add(person, user.id, user.username)

    def _person(self, entity: Entity, id_: str, where: str) -> str:
        found = self.people.find(id_)
        if found is None:
            raise entity.wrong(where, f"names user {id_!r}, who is not in the export: add the answer of /users/")
        return found.id

    def _schedule(self, entity: Entity, taken: set[str]) -> Schedule | None:
        shape = entity.fit(ScheduleShape)
        zone = zone_of(entity, ".time_zone", shape.time_zone or "UTC")
        key = slug(shape.name, taken)
        self.schedules[shape.id] = (shape.name, (f"schedule:{key}",))
        if shape.type == "ical" and shape.ical_url_primary:
            self.roles.of(shape.name, (f"schedule:{key}",))
            if shape.ical_url_overrides:
                self.left_out.append(f'overrides calendar of schedule "{shape.name}": write them as overrides')
            return Schedule(key, shape.name, zone, ical=shape.ical_url_primary)
        layers: list[Layer] = []
        overrides: list[Override] = []
        for number, id_ in enumerate(shape.shifts or ()):
            if id_ not in self.shifts:
                where = f".shifts[{number}]"
                raise entity.wrong(where, f"names shift {id_!r}, which is not in the export: add /on_call_shifts/")
            made = self._shift(self.shifts[id_], zone, shape.name)
            layers += [made] if isinstance(made, Layer) else [m for m in made if isinstance(m, Layer)]
            overrides += [m for m in made if isinstance(m, Override)] if not isinstance(made, Layer) else []
        if overlapping(tuple(overrides)):  # they are on together there: here a layer each, above all others
            layers += [alone((o.person,), o.starts_at, o.ends_at, zone) for o in overrides]
            overrides = []
        if not layers and overrides:
            layers = [alone((o.person,), o.starts_at, o.ends_at, zone) for o in overrides]
            overrides = []
        if not layers:
            self.schedules[shape.id] = (shape.name, ())
            self.left_out.append(f'schedule "{shape.name}": has no shift that can be written, so nobody is ever on')
            return None
        self.roles.of(shape.name, (f"schedule:{key}",))
        return Schedule(key, shape.name, zone, tuple(layers), tuple(overrides))

    def _shift(self, entity: Entity, zone: str, schedule: str) -> Sequence[Layer | Override]:
        shift = entity.fit(Shift)
        own = zone_of(entity, ".time_zone", shift.time_zone or zone)
        title = f'shift "{shift.name or shift.id}" of schedule "{schedule}"'
        if shift.duration < 1 or (shift.interval is not None and shift.interval < 1):
            raise entity.wrong(".duration", "a shift needs a duration and an interval of at least 1")
        groups = self._groups(entity, shift)
        if not any(groups):
            self.left_out.append(f"{title}: has nobody in it")
            return ()
        starts = wall(shift.start, own)
        if shift.frequency is None or shift.type in ("single_event", "override"):
            begins, ends = aware(starts, own), aware(starts + timedelta(seconds=shift.duration), own)
            if shift.type != "override":
                return [alone(groups[0], begins, ends, own, level=shift.level or 0, name=shift.name)]
            if len(groups[0]) == 1:
                return [Override(begins, ends, groups[0][0])]
            return [alone(groups[0], begins, ends, own)]
        if shift.frequency not in FREQUENCIES or shift.by_month or shift.by_monthday:
            self.left_out.append(f"{title}: repeats by the month: write it as a calendar feed (ical)")
            return ()
        if shift.by_day and shift.frequency == "hourly":
            self.left_out.append(f"{title}: hourly turns on certain days: write it as a calendar feed (ical)")
            return ()
        if shift.by_day and shift.frequency == "daily" and shift.type != ROLLING and (shift.interval or 1) > 1:
            self.left_out.append(f"{title}: every few days on certain days: write it as a calendar feed (ical)")
            return ()
        return recurring(entity, shift, groups, starts, own, other="" if own == zone else own)

    def _groups(self, entity: Entity, shift: Shift) -> tuple[tuple[str, ...], ...]:
        """The turns, from the one on which it begins."""
        given = shift.rolling_users if shift.rolling_users else [shift.users or []]
        first = (shift.start_rotation_from_user_index or 0) % len(given)
        return tuple(
            tuple(self._person(entity, id_, f".users {id_!r}") for id_ in group)
            for group in given[first:] + given[:first]
        )

    def _ladders(self, integrations: Sequence[Integration]) -> tuple[Ladder, ...]:
        used: dict[str, list[str]] = {}
        for integration in integrations:
            chain = (integration.default_route or {}).get("escalation_chain_id")
            if chain:
                used.setdefault(str(chain), []).append(integration.name)
        steps: dict[str, list[Entity]] = {}
        for entity in self.of("step"):
            steps.setdefault(entity.fit(Step).escalation_chain_id, []).append(entity)
        chains = [entity.fit(Chain) for entity in self.of("chain")]
        known = {chain.id for chain in chains}
        chains += [Chain(id_, id_) for id_ in steps if id_ not in known]
        return tuple(self._ladder(c, steps.get(c.id, []), tuple(used.get(c.id, ()))) for c in chains)

    def _ladder(self, chain: Chain, entities: Sequence[Entity], used: tuple[str, ...]) -> Ladder:
        found: dict[timedelta, list[str]] = {}
        after = timedelta(0)
        for entity in sorted(entities, key=lambda one: one.fit(Step).position):
            step = entity.fit(Step)
            title = f'step {step.position + 1} of escalation chain "{chain.name}"'
            if step.type == "wait":
                after += timedelta(seconds=step.duration or 0)
            elif step.type == "notify_on_call_from_schedule":
                held = self.schedules.get(step.notify_on_call_from_schedule or "")
                if held is None:
                    named = step.notify_on_call_from_schedule
                    raise entity.wrong(".notify_on_call_from_schedule", f"schedule {named!r} is not in the export")
                if held[1]:
                    found.setdefault(after, []).append(self.roles.of(*held))
                else:
                    self.left_out.append(f'{title}: schedule "{held[0]}" has nobody to page')
            elif step.persons_to_notify or step.persons_to_notify_next_each_time:
                if step.persons_to_notify_next_each_time:
                    self.left_out.append(f"{title}: notifies one after the other each time: all of them are paged")
                for id_ in step.persons_to_notify or step.persons_to_notify_next_each_time:
                    person = self._person(entity, id_, ".persons_to_notify")
                    name = next(p.name for p in self.people.all() if p.id == person)
                    found.setdefault(after, []).append(self.roles.of(name, (person,)))
            else:
                why = _STEPS.get(step.type or "", f"{step.type}: has no equivalent")
                self.left_out.append(f"{title}: {why}")
        return Ladder(chain.name, rungs(found, self.roles), used)

    def _switch(self, integration: Integration) -> Switch | None:
        kind = integration.type.casefold()
        shown = f"{integration.name} ({integration.type})"
        if "mail" in kind:
            return Switch(shown, "send its mails to Tocsin's own address ([sources.email])")
        if kind in _OF_PEOPLE:
            self.left_out.append(f'integration "{integration.name}": people declare incidents in Tocsin itself')
            return None
        path = _PATHS.get(kind, "generic")
        return Switch(shown, f"its webhook to {{url}}/api/v1/alerts/{path}?token=TOKEN")

    def _routes(self, names: Mapping[str, str]) -> None:
        for entity in self.of("route"):
            route = entity.fit(Route)
            if route.routing_regex:
                name = names.get(route.integration_id, route.integration_id)
                self.left_out.append(
                    f'route "{route.routing_regex}" of "{name}": match labels under [services] instead'
                )

    def _unknown(self) -> None:
        known = {"user", "schedule", "shift", "chain", "step", "integration", "route", "rule"}
        for entity in self.found:
            if entity.kind not in known:
                name = str(entity.data.get("name") or entity.data.get("id") or entity.path)
                why = _NO_EQUIVALENT.get(entity.kind, "is nothing that this import knows")
                self.left_out.append(f'{entity.kind or entity.file} "{name}": {why}')


_PATHS = {
    "alertmanager": "alertmanager", "grafana": "grafana", "grafana_alerting": "grafana", "amazon_sns": "sns",
    "legacy_grafana_alerting": "grafana", "datadog": "datadog", "sentry": "sentry", "sentry_platform": "sentry",
    "uptimekuma": "uptime-kuma", "uptime_kuma": "uptime-kuma", "healthchecks": "healthchecks",
}  # fmt: skip
