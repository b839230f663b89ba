"""Made-up exports of any shape: who is on after the import is who the oracle of the system says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import Json, Oracle, oncall_oracle, opsgenie_oracle, pagerduty_oracle

from tocsin.cli.importing import bring_over
from tocsin.config import check_against, load, roster
from tocsin.runbook.reader import read

PEOPLE = ("ana", "ben", "cyd", "dan")
ZONES = st.sampled_from(["Europe/Prague", "America/Chicago", "UTC", "Australia/Sydney"])
# no clock changes between five in the morning and midnight: what a handoff in a skipped hour is, no manual says
HOURS = st.integers(5, 23)
DAYS = st.dates(datetime(2025, 1, 1).date(), datetime(2025, 12, 31).date())
INSTANTS = st.lists(
    st.datetimes(datetime(2026, 1, 2), datetime(2027, 6, 1), timezones=st.just(UTC)), min_size=25, max_size=25
)
TURNS = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4)
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def imported(folder: Path, system: str, export: object) -> Any:
    """The roster after an import of one file."""
    (folder / "export.json").write_text(json.dumps(export))
    output = folder / "tocsin.toml"
    output.unlink(missing_ok=True)
    assert bring_over(system, folder / "export.json", output=output, force=False) == 0
    return roster(load(output, environ={}))


def agree(people: Any, oracle: Oracle, instants: list[datetime]) -> None:
    for at in instants:
        assert {p.email for p in people.holders("Primary", at)} == oracle(at), at


def mail(person: str) -> str:
    return f"{person}@example.com"


@st.composite
def clocks(draw: st.DrawFn) -> Json:
    begin, end = draw(HOURS), draw(HOURS)
    return {"startHour": begin, "startMin": draw(st.sampled_from([0, 30])), "endHour": end, "endMin": 15}


@st.composite
def rotations(draw: st.DrawFn) -> Json:
    names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    weekly = st.lists(
        st.builds(lambda c, a, b: c | {"startDay": a, "endDay": b}, clocks(), st.sampled_from(names),
                  st.sampled_from(names)), min_size=1, max_size=3,
    )  # fmt: skip
    restriction = draw(
        st.none()
        | st.builds(lambda c: {"type": "time-of-day", "restriction": c}, clocks())
        | st.builds(lambda c: {"type": "weekday-and-time-of-day", "restrictions": c}, weekly)
    )
    people = [{"type": "user", "username": mail(p)} if p != "dan" else {"type": "none"} for p in draw(TURNS)]
    found = {"id": draw(st.uuids()).hex, "name": "r", "startDate": f"{draw(DAYS)}T12:00:00Z", "participants": people,
             "type": draw(st.sampled_from(["daily", "weekly"])), "length": draw(st.integers(1, 3))}  # fmt: skip
    return found | ({"timeRestriction": restriction} if restriction else {})


@FEW
@given(st.lists(rotations(), min_size=1, max_size=3), ZONES, INSTANTS)
def test_of_opsgenie(tmp_path: Path, given_rotations: list[Json], zone: str, instants: list[datetime]) -> None:
    schedule = {"id": "s1", "name": "Primary", "timezone": zone, "enabled": True, "rotations": given_rotations}
    users = [{"id": p, "username": mail(p), "fullName": p} for p in PEOPLE]
    people = imported(tmp_path, "opsgenie", {"users": users, "schedules": [schedule]})
    agree(people, opsgenie_oracle(schedule, [], {}), instants)


@st.composite
def layers(draw: st.DrawFn) -> Json:
    daily = st.fixed_dictionaries(
        {"type": st.just("daily_restriction"), "start_time_of_day": st.builds("{:02}:30:00".format, HOURS),
         "duration_seconds": st.integers(1, 18).map(lambda hours: hours * 3600)}
    )  # fmt: skip
    weekly = st.fixed_dictionaries(
        {"type": st.just("weekly_restriction"), "start_time_of_day": st.builds("{:02}:00:00".format, HOURS),
         "duration_seconds": st.integers(1, 7).map(lambda days: days * 86_400 - 3_600),
         "start_day_of_week": st.integers(1, 7)}
    )  # fmt: skip
    day = draw(DAYS)
    begin = f"{day}T{draw(HOURS):02}:00:00+00:00"
    return {
        "id": "l", "name": "l", "start": begin, "rotation_virtual_start": begin,
        "end": draw(st.none() | st.just("2026-09-01T12:00:00+00:00")),
        "rotation_turn_length_seconds": draw(st.sampled_from([86_400, 172_800, 604_800, 1_209_600])),
        "users": [{"user": {"id": p, "type": "user_reference"}} for p in draw(TURNS)],
        "restrictions": draw(st.lists(daily, max_size=2) | st.lists(weekly, max_size=3)),
    }  # fmt: skip


@FEW
@given(st.lists(layers(), min_size=1, max_size=3), st.just("UTC"), INSTANTS)
def test_of_pagerduty(tmp_path: Path, given_layers: list[Json], zone: str, instants: list[datetime]) -> None:
    schedule = {"id": "S1", "type": "schedule", "name": "Primary", "time_zone": zone, "schedule_layers": given_layers}
    users = [{"id": p, "type": "user", "name": p, "email": mail(p)} for p in PEOPLE]
    people = imported(tmp_path, "pagerduty", {"users": users, "schedules": [schedule]})
    agree(people, pagerduty_oracle(schedule, [], {p: mail(p) for p in PEOPLE}), instants)


@st.composite
def shifts(draw: st.DrawFn) -> Json:
    names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    frequency = draw(st.sampled_from(["daily", "weekly"]))
    days = draw(st.none() | st.lists(st.sampled_from(names), min_size=1, max_size=5, unique=True))
    interval = draw(st.integers(1, 3)) if not days or frequency == "weekly" else 1
    day = draw(DAYS)
    week_start = draw(st.sampled_from(["MO", "SU"]))
    if days:  # a first event on a day that is not its own begins elsewhere: drilled by an example of its own
        while names[day.weekday()] not in days:
            day += timedelta(days=1)
    groups = draw(st.lists(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=2), min_size=1, max_size=4))
    return {
        "id": draw(st.uuids()).hex, "name": "x", "type": "rolling_users", "time_zone": None, "frequency": frequency,
        "level": draw(st.integers(0, 2)), "start": f"{day}T{draw(HOURS):02}:00:00", "week_start": week_start,
        "duration": draw(st.sampled_from([3_600, 28_800, 86_400, 43_200])), "interval": interval, "by_day": days,
        "rolling_users": groups, "start_rotation_from_user_index": draw(st.integers(0, len(groups) - 1)),
    }  # fmt: skip


@FEW
@given(st.lists(shifts(), min_size=1, max_size=3), ZONES, INSTANTS)
def test_of_oncall(tmp_path: Path, given_shifts: list[Json], zone: str, instants: list[datetime]) -> None:
    schedule = {"id": "S1", "name": "Primary", "type": "web", "time_zone": zone, "on_call_now": [],
                "shifts": [s["id"] for s in given_shifts]}  # fmt: skip
    users = [{"id": p, "username": p, "email": mail(p)} for p in PEOPLE]
    people = imported(tmp_path, "oncall", {"users": users, "schedules": [schedule], "on_call_shifts": given_shifts})
    agree(people, oncall_oracle(schedule, {s["id"]: s for s in given_shifts}, {p: mail(p) for p in PEOPLE}), instants)


def test_a_rotation_of_oncall_whose_start_is_none_of_its_days_begins_with_the_next_week(tmp_path: Path) -> None:
    wednesday = {"id": "X", "name": "x", "type": "rolling_users", "frequency": "weekly", "interval": 1, "level": 0,
                 "start": "2025-01-08T09:00:00", "duration": 3600, "by_day": ["MO", "FR"], "week_start": "MO",
                 "rolling_users": [["ana"], ["ben"]]}  # fmt: skip
    schedule = {"id": "S1", "name": "Primary", "time_zone": "UTC", "on_call_now": [], "shifts": ["X"]}
    users = [{"id": p, "username": p, "email": mail(p)} for p in PEOPLE]
    people = imported(tmp_path, "oncall", {"users": users, "schedules": [schedule], "on_call_shifts": [wednesday]})
    days = [datetime(2025, 1, day, 9, 30, tzinfo=UTC) for day in (10, 13, 17, 20)]
    on = {at.day: [p.id for p in people.holders("Primary", at)] for at in days}
    assert on == {10: [], 13: ["ana"], 17: ["ana"], 20: ["ben"]}


RUNBOOK = """# Incidents

## Severity levels

| Severity | Description | Response time |
|---|---|---|
| SEV1 | Down | 5 min |
| SEV2 | Degraded | 30 min |
| SEV3 | Odd | 4 hours |

"""


@pytest.mark.parametrize("system", ["opsgenie", "oncall", "pagerduty"])
def test_the_settings_fit_a_runbook_with_the_section_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str
) -> None:
    export = Path(__file__).parent.parent / "fixtures" / "exports" / system
    assert bring_over(system, export, output=tmp_path / "tocsin.toml", force=False) == 0
    said = capsys.readouterr().out
    section = said[said.index("## Escalation matrix") :].split("\n<!--")[0].split("\nNext:")[0]
    runbook = read(RUNBOOK + section, file="runbook.md").runbook
    assert {rung.severity for rung in runbook.escalation} == {"SEV1", "SEV2", "SEV3"}
    assert check_against(load(tmp_path / "tocsin.toml", environ={}), runbook) == ()
