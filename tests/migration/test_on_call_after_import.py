"""Who is on call after an import is who the other system says, at a thousand instants for each schedule.

The oracles below read the exported JSON themselves, by the systems' own documentation and with the clock on the wall
alone; they share nothing with what they check.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import DAILY, HOURLY, WEEKLY, rrule, weekday

from tocsin.cli.importing import bring_over
from tocsin.config import load, roster

EXPORTS = Path(__file__).parent.parent / "fixtures" / "exports"
Json = dict[str, Any]
Oracle = Callable[[datetime], set[str]]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEK = timedelta(weeks=1)


def read(path: str) -> Any:
    return json.loads((EXPORTS / path).read_text())


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def on_the_wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def of_week(wall: datetime) -> timedelta:
    return timedelta(days=wall.weekday(), hours=wall.hour, minutes=wall.minute, seconds=wall.second)


def inside(now: timedelta, begin: timedelta, length: timedelta, whole: timedelta) -> bool:
    return (now - begin) % whole < length


# Opsgenie: rotations are on together; a turn is counted on the wall, restricted hours pass too


def opsgenie_oracle(schedule: Json, overrides: list[Json], teams: dict[str, list[str]]) -> Oracle:
    zone = schedule["timezone"]

    def restricted(restriction: Json | None, wall: datetime) -> bool:
        if restriction is None:
            return False
        if restriction["type"] == "time-of-day":
            one = restriction["restriction"]
            begin = timedelta(hours=one["startHour"], minutes=one["startMin"])
            end = timedelta(hours=one["endHour"], minutes=one["endMin"])
            day = timedelta(days=1)
            return not inside(of_week(wall) % day, begin, (end - begin) % day, day)
        for one in restriction["restrictions"]:
            begin = timedelta(days=DAYS.index(one["startDay"]), hours=one["startHour"], minutes=one["startMin"])
            end = timedelta(days=DAYS.index(one["endDay"]), hours=one["endHour"], minutes=one["endMin"])
            if inside(of_week(wall), begin, (end - begin) % WEEK, WEEK):
                return False
        return True

    def answer(at: datetime) -> set[str]:
        running = [o for o in overrides if instant(o["startDate"]) <= at < instant(o["endDate"])]
        whole = [o for o in running if not o.get("rotations")]
        if whole:
            return {whole[-1]["user"]["username"]}
        found: set[str] = set()
        for rotation in schedule["rotations"]:
            mine = [o for o in running if any(r["id"] == rotation["id"] for r in o["rotations"])]
            if mine:
                found.add(mine[-1]["user"]["username"])
                continue
            if rotation.get("endDate") and at >= instant(rotation["endDate"]):
                continue
            wall, start = on_the_wall(at, zone), on_the_wall(instant(rotation["startDate"]), zone)
            unit = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": WEEK}[rotation["type"]]
            turn = (wall - start) // (unit * rotation["length"])
            if turn < 0 or restricted(rotation.get("timeRestriction"), wall):
                continue
            one = rotation["participants"][turn % len(rotation["participants"])]
            found |= {"user": {one.get("username")}, "none": set(), "team": set(teams.get(one.get("id"), ()))}[
                one["type"]
            ]
        return found

    return answer


# PagerDuty: the topmost layer with anybody on counts


def pagerduty_oracle(schedule: Json, overrides: list[Json], mails: dict[str, str]) -> Oracle:
    zone = schedule["time_zone"]

    def allowed(restriction: Json, wall: datetime) -> bool:
        hours, minutes, seconds = (int(part) for part in restriction["start_time_of_day"].split(":"))
        begin = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        length = timedelta(seconds=restriction["duration_seconds"])
        if restriction["type"] == "daily_restriction":
            return inside(of_week(wall) % timedelta(days=1), begin, length, timedelta(days=1))
        return inside(of_week(wall), begin + timedelta(days=restriction["start_day_of_week"] - 1), length, WEEK)

    def answer(at: datetime) -> set[str]:
        for override in overrides:
            if instant(override["start"]) <= at < instant(override["end"]):
                return {mails[override["user"]["id"]]}
        for layer in schedule["schedule_layers"]:
            wall = on_the_wall(at, zone)
            if at < instant(layer["start"]) or (layer["end"] and at >= instant(layer["end"])):
                continue
            if layer["restrictions"] and not any(allowed(r, wall) for r in layer["restrictions"]):
                continue
            since = wall - on_the_wall(instant(layer["rotation_virtual_start"]), zone)
            turn = since // timedelta(seconds=layer["rotation_turn_length_seconds"])
            return {mails[layer["users"][turn % len(layer["users"])]["user"]["id"]]}
        return set()

    return answer


# Grafana OnCall: every event of every shift, as its recurrence rule brings it about; the highest level counts


def oncall_oracle(schedule: Json, shifts: dict[str, Json], mails: dict[str, str]) -> Oracle:
    events: list[tuple[int, datetime, datetime, list[str]]] = []
    frequencies: dict[str, Literal[2, 3, 4]] = {"weekly": WEEKLY, "daily": DAILY, "hourly": HOURLY}
    names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    for id_ in schedule["shifts"]:
        shift = shifts[id_]
        zone = ZoneInfo(shift.get("time_zone") or schedule["time_zone"])
        level = 10**9 if shift["type"] == "override" else shift["level"]
        length, start = timedelta(seconds=shift["duration"]), datetime.fromisoformat(shift["start"])
        until = datetime.fromisoformat(shift.get("until") or "2028-01-01T00:00:00")
        groups = shift.get("rolling_users") or [shift["users"]]
        first = shift.get("start_rotation_from_user_index") or 0
        groups = groups[first:] + groups[:first]
        frequency = shift.get("frequency")
        if frequency == "monthly":
            continue
        days, interval = shift.get("by_day"), shift.get("interval") or 1
        begins = [start]
        if frequency:
            each_day = frequency == "daily" and days
            begins = list(
                rrule(
                    frequencies[frequency], dtstart=start, until=until, interval=1 if each_day else interval,
                    byweekday=[weekday(names.index(d)) for d in days] if days else None,
                    wkst=weekday(names.index(shift.get("week_start") or "MO")),
                )
            )  # fmt: skip
        week_start = names.index(shift.get("week_start") or "MO")
        weeks = list(dict.fromkeys((b - timedelta(days=(b.weekday() - week_start) % 7)).date() for b in begins))
        for number, begin in enumerate(begins):
            turn = number
            if frequency == "weekly" and days:
                turn = weeks.index((begin - timedelta(days=(begin.weekday() - week_start) % 7)).date())
            people = [mails[u] for u in groups[turn % len(groups)]]
            ends = (begin + length).replace(tzinfo=zone).astimezone(UTC)
            events.append((level, begin.replace(tzinfo=zone).astimezone(UTC), ends, people))

    def answer(at: datetime) -> set[str]:
        running = [event for event in events if event[1] <= at < event[2]]
        top = max((event[0] for event in running), default=0)
        return {mail for level, _, _, people in running if level == top for mail in people}

    return answer


def instants(seed: int, *, zone: str, count: int = 1000) -> list[datetime]:
    """Random instants of two years, a third of them in the weeks in which the clocks change."""
    choose = random.Random(seed)
    begin = datetime(2025, 8, 1, tzinfo=UTC)
    days = {"Europe/Prague": [(2025, 10, 26), (2026, 3, 29), (2026, 10, 25)],
            "America/Chicago": [(2025, 11, 2), (2026, 3, 8), (2026, 11, 1)]}[zone]  # fmt: skip
    changes = [datetime(*day, 1, tzinfo=UTC) for day in days]
    anywhere = [begin + timedelta(seconds=choose.randrange(63_000_000)) for _ in range(count * 2 // 3)]
    near = [choose.choice(changes) + timedelta(seconds=choose.randrange(-300_000, 300_000)) for _ in range(count // 3)]
    return [*anywhere, *near, *changes][:count]


def opsgenie_cases() -> dict[str, Oracle]:
    teams = {t["id"]: [m["user"]["username"] for m in t["members"]] for t in read("opsgenie/teams.json")["data"]}
    first, second, _off = read("opsgenie/schedules.json")["data"]
    overrides = read(f"opsgenie/overrides/{first['id']}.json")["data"]
    return {
        "Follow the sun": opsgenie_oracle(first, overrides, teams),
        "Management": opsgenie_oracle(second, [], teams),
    }


def pagerduty_cases() -> dict[str, Oracle]:
    mails = {u["id"]: u["email"] for u in read("pagerduty/users.json")["users"]} | {"PGONE01": "Gil Gone"}
    schedule = read("pagerduty/schedules/PSCH001.json")["schedule"]
    return {"Primary": pagerduty_oracle(schedule, read("pagerduty/overrides/PSCH001.json")["overrides"], mails)}


def oncall_cases() -> dict[str, Oracle]:
    mails = {u["id"]: u["email"] for u in read("oncall/users.json")["results"]}
    shifts = {s["id"]: s for s in read("oncall/on_call_shifts.json")["results"]}
    return {"Primary": oncall_oracle(read("oncall/schedules.json")["results"][0], shifts, mails)}


CASES = [
    ("opsgenie", "Follow the sun", "Europe/Prague", opsgenie_cases),
    ("opsgenie", "Management", "America/Chicago", opsgenie_cases),
    ("pagerduty", "Primary", "America/Chicago", pagerduty_cases),
    ("oncall", "Primary", "Europe/Prague", oncall_cases),
    ("oncall", "Primary", "America/Chicago", oncall_cases),
]


@pytest.mark.parametrize(("system", "role", "zone", "cases"), CASES)
def test_the_same_people_are_on_call_at_a_thousand_instants(
    tmp_path: Path, system: str, role: str, zone: str, cases: Callable[[], dict[str, Oracle]]
) -> None:
    settings = tmp_path / "tocsin.toml"
    assert bring_over(system, EXPORTS / system, output=settings, force=False) == 0
    found = load(settings, environ={})
    feeds = {"from-a-calendar": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"}
    people = roster(found, feeds=feeds)
    oracle = cases()[role]
    asked = instants(7, zone=zone)
    answers = {at: oracle(at) for at in asked}
    wrong = [at for at in asked if {p.email or p.name for p in people.holders(role, at)} != answers[at]]
    assert len(asked) == 1000
    assert wrong == []
    assert len({frozenset(on) for on in answers.values()}) >= 2  # they do take turns
