"""A plan -> the text of `tocsin.toml`. Refuses to write files.

Everything is `[people.ID]`, `[schedules.NAME]`, `[[schedules.NAME.layers]]`, `[services.NAME]` and `[roles]`, so that
parts can be put into a file that is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.migration.plan import Heartbeat, Layer, Override, Person, Plan, Schedule

_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def text(plan: Plan) -> str:
    """The whole file, of a plan alone."""
    head = [
        f"# Brought over from {plan.system} by `tocsin import`. Every key: docs/settings.md.",
        '# runbook = "runbook.md"   # the document that is followed; its escalation matrix pages the roles below',
    ]
    return "\n".join([*head, "", roles(plan.roles), *tables(plan), ""])


def roles(held: Mapping[str, tuple[str, ...]]) -> str:
    """The `[roles]` table; empty without any."""
    return "\n".join(["[roles]", *role_lines(held), ""]) if held else ""


def role_lines(held: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{_quoted(r)} = {_quoted(h[0]) if len(h) == 1 else _listed(h)}" for r, h in held.items()]


def tables(plan: Plan) -> Iterator[str]:
    """Every other table, each a text of its own that ends in a blank line."""
    for person in plan.people:
        yield "\n".join([f"[people.{key(person.id)}]", *_person(person), ""])
    for schedule in plan.schedules:
        yield "\n".join([f"[schedules.{key(schedule.id)}]   # {_comment(schedule.name)}", *_schedule(schedule), ""])
    for service in plan.services:
        yield f"[services.{key(service.id)}]\nmatch = {{service = {_quoted(service.name)}}}\n"
    for heartbeat in plan.heartbeats:
        yield "\n".join(["[[sources.heartbeats]]", *_heartbeat(heartbeat), ""])


def key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _quoted(name)


def length(span: timedelta) -> str:
    """A length as the settings write it: `1h30m`."""
    left = int(span.total_seconds())
    if left and left % 604_800 == 0:
        return f"{left // 604_800}w"
    found = ""
    for unit, seconds in _UNITS[1:]:
        count, left = divmod(left, seconds)
        found += f"{count}{unit}" if count else ""
    return found or "0m"


def _person(person: Person) -> Iterator[str]:
    yield f"name = {_quoted(person.name)}"
    for name, value in (("email", person.email), ("phone", person.phone), ("slack", person.slack)):
        if value:
            yield f"{name} = {_quoted(value)}"
    if person.delays:
        rules = ", ".join(f'{{after = "{length(delay)}", via = "push"}}' for delay in person.delays)
        yield f"notify = [{rules}]"


def _schedule(schedule: Schedule) -> Iterator[str]:
    yield f"timezone = {_quoted(schedule.timezone)}"
    if schedule.ical:
        yield f"ical = {_quoted(schedule.ical)}"
    if schedule.overrides:
        yield from _overrides(schedule.overrides, schedule.timezone)
    for layer in schedule.layers:
        yield f"\n[[schedules.{key(schedule.id)}.layers]]"
        yield from _layer(layer, schedule.timezone)


def _layer(layer: Layer, zone: str) -> Iterator[str]:
    if layer.name:
        yield f"name = {_quoted(layer.name)}"
    yield f"people = [{', '.join(_quoted(g[0]) if len(g) == 1 else _listed(g) for g in layer.groups)}]"
    yield f"rotation = {_quoted(_turn(layer.every))}"
    yield f"starts = {layer.starts.isoformat()}"
    if layer.lasts:
        yield f"lasts = {_quoted(length(layer.lasts))}"
    if layer.during:
        yield f"during = {_listed(layer.during)}"
    for name, moment in (("since", layer.since), ("until", layer.until)):
        if moment is not None:
            yield f"{name} = {_instant(moment, zone)}"
    if layer.level:
        yield f"level = {layer.level}"
    if layer.timezone and layer.timezone != zone:
        yield f"timezone = {_quoted(layer.timezone)}"
    if layer.overrides:
        yield from _overrides(layer.overrides, zone)


def _overrides(overrides: tuple[Override, ...], zone: str) -> Iterator[str]:
    yield "overrides = ["
    for one in overrides:
        begins, ends = _instant(one.starts_at, zone), _instant(one.ends_at, zone)
        yield f"    {{from = {begins}, until = {ends}, person = {_quoted(one.person)}}},"
    yield "]"


def _heartbeat(heartbeat: Heartbeat) -> Iterator[str]:
    yield f"name = {_quoted(heartbeat.name)}"
    yield f"every = {_quoted(length(heartbeat.every))}"


def _turn(every: timedelta) -> str:
    return {timedelta(days=1): "daily", timedelta(weeks=1): "weekly"}.get(every) or length(every)


def _instant(moment: datetime, zone: str) -> str:
    """With its offset, so that the hour that comes twice in autumn stays told apart."""
    return moment.astimezone(ZoneInfo(zone)).isoformat()


def _listed(values: tuple[str, ...]) -> str:
    return f"[{', '.join(_quoted(v) for v in values)}]"


def _quoted(value: str) -> str:
    """A TOML basic string: the escapes of JSON are among its own."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(value: str) -> str:
    return "".join(c for c in value if c.isprintable())
