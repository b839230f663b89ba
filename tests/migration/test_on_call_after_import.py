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
from typing import Any

import pytest
from oracles import Oracle, oncall_oracle, opsgenie_oracle, pagerduty_oracle

from tocsin.cli.importing import bring_over
from tocsin.config import load, roster

EXPORTS = Path(__file__).parent.parent / "fixtures" / "exports"


def read(path: str) -> Any:
    return json.loads((EXPORTS / path).read_text())


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
