"""Whether settings and runbook fit together. What does not is refused at start, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.config.lines import KeyPath
from tocsin.config.model import Settings
from tocsin.config.problems import did_you_mean
from tocsin.incident.policy import FIRST_ROLE
from tocsin.oncall.roster import EVERY_OTHER
from tocsin.runbook.model import Runbook

SCHEDULE = "schedule:"
PUSH = "push"
_CHANNELS = ("console", "email", "slack", "webhook")


def check_against(settings: Settings, runbook: Runbook, *, name: str = "") -> tuple[str, ...]:
    """Every disagreement, in the order of the settings file: place, what, remedy. Empty when all is well.

    `name` is the runbook's under [runbooks], empty for the main one.
    """
    found = [*_levels(settings, runbook, name), *_unheld(settings, runbook), *_holders(settings)]
    found += [*_schedules(settings), *_ways(settings), *_routes(settings, runbook, name)]
    place = settings.origin
    ordered = sorted(found, key=lambda problem: place.lines.of(problem[0]))
    return tuple(dict.fromkeys(f"{place.place(path)} {text}" for path, text in ordered))


def _levels(settings: Settings, runbook: Runbook, name: str) -> Iterator[tuple[KeyPath, str]]:
    names = [s.name for s in runbook.severities]
    own = bool(name and settings.runbooks[name].severity)
    place: KeyPath = ("runbooks", name, "severity") if own else ("severity",)
    which = f'the runbook "{name}"' if name else "the runbook"
    more = "" if own or not name else f": give it its own as [runbooks.{name}.severity]"
    for label, level in settings.levels(name).items():
        if level not in names:
            known = ", ".join(names)
            yield (*place, label), f'{label}: {which} has no severity "{level}": known are {known}{more}'


def _unheld(settings: Settings, runbook: Runbook) -> Iterator[tuple[KeyPath, str]]:
    held = {role.casefold() for role in settings.roles}
    if EVERY_OTHER in held:
        return
    for role in dict.fromkeys(rung.to for rung in runbook.escalation):
        if role.casefold() not in held:
            line = next(rung.line for rung in runbook.escalation if rung.to == role)
            where = f"{runbook.file}:{line}"
            yield (
                ("roles", role),
                f'nobody holds "{role}" ({where}): add "{role}" = "a person" or "schedule:a schedule"',
            )
    first = settings.escalation.first
    if not runbook.escalation and not first and FIRST_ROLE.casefold() not in held:
        yield (
            ("roles", FIRST_ROLE),
            f'nobody holds "{FIRST_ROLE}", who is paged when an incident opens, since {runbook.file} has no escalation '
            f'matrix: add "{FIRST_ROLE}" = "a person" or "schedule:a schedule", or name another as [escalation] first',
        )
    if first and first.casefold() not in held:
        yield (
            ("escalation", "first"),
            f'first: nobody holds "{first}": {did_you_mean(first, list(settings.roles))}',
        )


def _holders(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    for role, holders in settings.roles.items():
        for holder in holders:
            schedule = holder.removeprefix(SCHEDULE)
            if schedule == holder and holder not in settings.people:
                text = f'no person "{holder}" under [people]: {did_you_mean(holder, list(settings.people))}'
            elif schedule != holder and schedule not in settings.schedules:
                text = f'no schedule "{schedule}" under [schedules]: {did_you_mean(schedule, list(settings.schedules))}'
            else:
                continue
            yield ("roles", role), f'"{role}": {text}'


def _schedules(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    for name, schedule in settings.schedules.items():
        named: list[tuple[KeyPath, str, str]] = [((), "people", person) for person in schedule.people]
        for place, override in enumerate(schedule.overrides):
            named.append((("overrides", place), "person", override.person))
        for at, layer in enumerate(schedule.layers):
            named += [(("layers", at), "people", person) for group in layer.people for person in group]
            named += [(("layers", at, "overrides", n), "person", o.person) for n, o in enumerate(layer.overrides)]
        for inner, key, person in named:
            if person not in settings.people:
                remedy = did_you_mean(person, list(settings.people))
                yield ("schedules", name, *inner, key), f'{key}: no person "{person}" under [people]: {remedy}'


def _ways(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    on = settings.channels.names()
    for name, person in settings.people.items():
        for place, rule in enumerate(person.notify):
            if rule.via == PUSH or rule.via in on:
                continue
            if rule.via in _CHANNELS:
                text = f'channel "{rule.via}" is not configured: add [channels.{rule.via}] or notify another way'
            else:
                text = f'no channel "{rule.via}": {did_you_mean(rule.via, [*_CHANNELS, PUSH])}'
            yield ("people", name, "notify", place, "via"), f"notify[{place + 1}].via: {text}"


def _routes(settings: Settings, runbook: Runbook, name: str) -> Iterator[tuple[KeyPath, str]]:
    names = [s.name for s in runbook.severities]
    held = {role.casefold() for role in settings.roles}
    for place, route in enumerate(settings.routes):
        if route.severity and route.severity not in names and (route.runbook or "") == name:
            which = f'the runbook "{name}"' if name else "the runbook"
            text = f'severity: {which} has no severity "{route.severity}": known are {", ".join(names)}'
            yield ("routes", place, "severity"), text
        for key, named, known in (
            ("runbook", route.runbook, settings.runbooks),
            ("schedule", route.schedule, settings.schedules),
        ):
            if named and named not in known:
                text = f'{key}: no {key} "{named}" under [{key}s]: {did_you_mean(named, list(known))}'
                yield ("routes", place, key), text
        if route.role and EVERY_OTHER not in held and route.role.casefold() not in held:
            remedy = did_you_mean(route.role, list(settings.roles))
            yield ("routes", place, "role"), f'role: nobody holds "{route.role}": {remedy}'
