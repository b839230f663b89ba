"""`tocsin import`: what is written, what is said to be left out, and that nothing is ever half done."""

from __future__ import annotations

import json
import shutil
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tocsin.cli.importing import SYSTEMS, bring_over, reads_back
from tocsin.migration import matrix, oncall, opsgenie, pagerduty
from tocsin.migration.errors import ExportError
from tocsin.migration.naming import hours
from tocsin.migration.plan import Ladder, Rung
from tocsin.oncall.layers import Window, window

EXPORTS = Path(__file__).parent.parent / "fixtures" / "exports"


@pytest.fixture(params=list(SYSTEMS))
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def written(folder: Path, system: str) -> dict[str, Any]:
    assert bring_over(system, EXPORTS / system, output=folder / "tocsin.toml", force=False) == 0
    return tomllib.loads((folder / "tocsin.toml").read_text())


def broken(folder: Path, system: str, file: str, change: str, into: str) -> Path:
    """A copy of the export with one text of one file changed."""
    shutil.copytree(EXPORTS / system, folder / "export")
    text = (folder / "export" / file).read_text()
    assert change in text
    (folder / "export" / file).write_text(text.replace(change, into, 1))
    return folder / "export"


def test_everything_with_an_equivalent_is_written(tmp_path: Path) -> None:
    found = written(tmp_path, "opsgenie")
    assert found["people"]["ana"] == {
        "name": "Ana Nová",
        "email": "ana@example.com",
        "phone": "+420777123456",
        "notify": [{"after": after, "via": "push"} for after in ("0m", "1m", "5m")],
    }
    assert found["people"]["dan"]["name"] == 'Dan "D" Silva'
    assert set(found["schedules"]) == {"follow-the-sun", "management"}
    assert found["services"] == {"checkout": {"match": {"service": "checkout"}}}
    assert found["sources"]["heartbeats"] == [{"name": "nightly-backup", "every": "10m"}]
    assert found["roles"]["Management + Platform"] == ["schedule:management", "ben", "cyd"]


def test_calendars_slack_and_personal_delays_of_oncall_are_kept(tmp_path: Path) -> None:
    found = written(tmp_path, "oncall")
    assert found["people"]["ana"]["slack"] == "UALEXSLACKDJPK"
    assert [rule["after"] for rule in found["people"]["ana"]["notify"]] == ["0m", "2m30s"]
    assert found["schedules"]["from-a-calendar"]["ical"] == "https://example.com/meow_calendar.ics"


@pytest.mark.parametrize(
    ("system", "name", "delays"),
    [
        ("opsgenie", "Platform escalation", [0, 420, 1380, 7200]),
        ("pagerduty", "Default", [0, 660, 2460]),
        ("oncall", "default", [0, 300, 390]),
    ],
)
def test_the_delays_of_an_escalation_policy_are_exact_in_the_section_to_paste(
    system: str, name: str, delays: list[int]
) -> None:
    ladder = next(ladder for ladder in SYSTEMS[system](EXPORTS / system).ladders if ladder.name == name)
    assert [rung.after.total_seconds() for rung in ladder.rungs] == delays
    assert reads_back(ladder)


@examples(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7 * 24 * 3600), min_size=1, max_size=6, unique=True))
def test_any_delay_reads_back_from_the_section(seconds: list[int]) -> None:
    rungs = tuple(Rung(timedelta(seconds=s), f"Role {place}") for place, s in enumerate(sorted(seconds)))
    assert reads_back(Ladder("any", rungs))


@examples(max_examples=60, deadline=None)
@given(st.integers(0, 1439), st.integers(1, 1439), st.integers(0, 6) | st.none())
def test_hours_are_written_as_they_are_read(begin: int, length: int, day: int | None) -> None:
    wanted = Window(timedelta(minutes=begin), timedelta(minutes=length), day)
    assert window(hours(wanted.begin, wanted.length, day)) == wanted


def test_the_policy_that_most_services_use_comes_first() -> None:
    main = matrix.main_ladder(pagerduty.read(EXPORTS / "pagerduty"))
    assert main is not None
    assert (main.name, main.services) == ("Default", ("Checkout",))


def test_what_has_no_equivalent_is_said_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, "opsgenie")
    said = capsys.readouterr().out
    for line in (
        '  policy "Lower at night": alert policies',
        '  schedule "Old one": is switched off in Opsgenie',
        '  escalation "Platform escalation": repeats itself',
        '  rule 4 of escalation "Platform escalation": goes on until closed',
    ):
        assert said.count(line) == 1


def test_senders_are_told_what_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, "pagerduty")
    assert "Prometheus of Checkout: its URL to https://TOCSIN/v2/enqueue" in capsys.readouterr().out


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str) -> None:
    there = tmp_path / "tocsin.toml"
    there.write_text("# mine\n")
    assert bring_over(system, EXPORTS / system, output=there, force=False) == 2
    assert there.read_text() == "# mine\n"
    assert "exists already: nothing was written" in capsys.readouterr().err


MINE = """# ours, kept
public_url = "https://tocsin.example.com"   # kept too

[roles]
"On-call" = "schedule:old"   # who is paged first
"Primary" = "eve"

[people.eve]
name = "Eve"

[people.ana]
name = "Another Ana"

[schedules.old]
people = ["eve"]
starts = 2026-01-05

[[sources.probes]]
name = "home"
url = "https://example.com"
"""


def test_with_force_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    there = tmp_path / "tocsin.toml"
    there.write_text(MINE)
    assert bring_over("pagerduty", EXPORTS / "pagerduty", output=there, force=True) == 0
    text = there.read_text()
    found = tomllib.loads(text)
    assert text.startswith('# ours, kept\npublic_url = "https://tocsin.example.com"   # kept too\n')
    assert '"On-call" = "schedule:old"   # who is paged first' in text
    assert found["people"]["eve"] == {"name": "Eve"}
    assert found["people"]["ana"]["name"] == "Ana Nová"
    assert found["roles"]["Primary"] == "schedule:primary"
    assert found["sources"]["probes"] == [{"name": "home", "url": "https://example.com"}]


def test_importing_twice_changes_nothing_more(tmp_path: Path, system: str) -> None:
    there = tmp_path / "tocsin.toml"
    there.write_text(MINE)
    assert bring_over(system, EXPORTS / system, output=there, force=True) == 0
    once = tomllib.loads(there.read_text())
    assert bring_over(system, EXPORTS / system, output=there, force=True) == 0
    assert tomllib.loads(there.read_text()) == once


def test_a_file_that_cannot_be_added_to_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "tocsin.toml"
    there.write_text('people = {eve = {name = "Eve"}}\n')
    assert bring_over("oncall", EXPORTS / "oncall", output=there, force=True) == 2
    assert there.read_text() == 'people = {eve = {name = "Eve"}}\n'
    assert "cannot be added to" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["tocsin.toml"]


BROKEN = [
    ("opsgenie", "users.json", '"ana@example.com", "fullName"', '7, "fullName"', "users.json: $.data[0].username: "),
    ("opsgenie", "users.json", '{\n  "totalCount"', '{,\n  "totalCount"', "users.json: line 1 column 2: not valid"),
    ("opsgenie", "schedules.json", '"hourly"', '"lunar"', "$.data[0].rotations[2].type: expected hourly, daily or"),
    ("opsgenie", "schedules.json", '"Europe/Prague"', '"Mars/Base"', "schedules.json: $.data[0].timezone: 'Mars/Ba"),
    ("opsgenie", "schedules.json", '"monday"', '"someday"', ".timeRestriction.restrictions[0]: names no day"),
    ("opsgenie", "escalations.json", 'd875e654-9b4e-4219-a803-0c26936d18de", "name": "Fo', 'no", "name": "No',
     'escalations.json: $.data[0].rules[0].recipient: names schedule "No'),
    ("pagerduty", "schedules/PSCH001.json", ": 86400", ': "x"',
     "PSCH001.json: $.schedule.schedule_layers[0].rotation_turn_length_seconds: Expected int, got str"),
    ("pagerduty", "schedules/PSCH001.json", '"schedule_layers"', '"layers"', "is missing: save the answer of /sched"),
    ("pagerduty", "escalation_policies.json", '"PSCH001"', '"PSCH999"', "$.escalation_policies[0].escalation_rules[0]"),
    ("oncall", "on_call_shifts.json", '"2025-02-01T18:00:00"', '"noon"', "_shifts.json: $.results[3].start: "),
    ("oncall", "schedules.json", '"OWEEK"', '"OGONE"', "schedules.json: $.results[0].shifts[0]: names shift 'OGON"),
    ("oncall", "escalation_policies.json", '"SBM7DV7BKFUYU"', '"S9"', "$.results[0].notify_on_call_from_schedule"),
    ("oncall", "on_call_shifts.json", '["SU", "SA"]', '["SU", "XX"]', "_shifts.json: $.results[4].by_day: 'XX'"),
]  # fmt: skip


@pytest.mark.parametrize(("system", "file", "change", "into", "said"), BROKEN)
def test_an_unreadable_export_names_file_and_field_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str, file: str, change: str, into: str, said: str
) -> None:
    export = broken(tmp_path, system, file, change, into)
    assert bring_over(system, export, output=tmp_path / "tocsin.toml", force=False) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert error.endswith("nothing was written\n")
    assert not (tmp_path / "tocsin.toml").exists()


@pytest.mark.parametrize("content", ["[]", "{}", "3", '"x"', "null", '{"data": 3}', "[[1]]", '{"hello": {"a": 1}}'])
def test_what_is_no_export_at_all_is_refused(tmp_path: Path, system: str, content: str) -> None:
    file = tmp_path / "export.json"
    file.write_text(content)
    with pytest.raises(ExportError):
        SYSTEMS[system](file)


def test_a_folder_without_json_and_one_that_is_not_there_are_refused(tmp_path: Path, system: str) -> None:
    with pytest.raises(ExportError, match="save the answers"):
        SYSTEMS[system](tmp_path)
    with pytest.raises(ExportError, match="no such file or folder"):
        SYSTEMS[system](tmp_path / "gone")


def test_a_schedule_of_pagerdutys_new_kind_is_left_out_and_said(tmp_path: Path) -> None:
    shutil.copytree(EXPORTS / "pagerduty", tmp_path / "export")
    new = {"schedule": {"id": "PNEW", "type": "schedule", "name": "New", "time_zone": "UTC", "rotations": []}}
    (tmp_path / "export" / "schedules" / "PNEW.json").write_text(json.dumps(new))
    plan = pagerduty.read(tmp_path / "export")
    assert [schedule.name for schedule in plan.schedules] == ["Primary"]
    assert 'schedule "New": is of the new kind (v3): take its calendar feed as ical' in plan.left_out


def test_a_folder_that_is_not_there_to_write_into_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring_over("oncall", EXPORTS / "oncall", output=tmp_path / "gone" / "tocsin.toml", force=False) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_system_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bring_over("victorops", tmp_path, output=tmp_path / "tocsin.toml", force=False) == 2
    assert "use one of opsgenie, oncall, pagerduty" in capsys.readouterr().err


def test_the_files_of_the_backup_tool_of_opsgenie_are_read_too(tmp_path: Path) -> None:
    user = json.loads((EXPORTS / "opsgenie" / "users.json").read_text())["data"][0]
    schedule = json.loads((EXPORTS / "opsgenie" / "schedules.json").read_text())["data"][0]
    overrides = json.loads(next((EXPORTS / "opsgenie" / "overrides").iterdir()).read_text())["data"]
    schedule["rotations"] = schedule["rotations"][:1]
    for folder, name, body in (
        ("users", "ana", {"user": user, "notificationRuleList": [{"id": "r", "steps": user["notification_rules"]}]}),
        ("schedules", "sun-d875", {"schedule": schedule, "scheduleOverrideList": overrides}),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.json").write_text(json.dumps(body))
    plan = opsgenie.read(tmp_path)
    assert [delay.total_seconds() for delay in plan.people[0].delays] == [0, 60, 300]
    assert [len(plan.schedules[0].overrides), len(plan.schedules[0].layers[0].overrides)] == [1, 1]


def test_one_file_may_hold_everything(tmp_path: Path) -> None:
    names = ("users", "schedules", "on_call_shifts", "escalation_chains", "escalation_policies")
    whole = {name: json.loads((EXPORTS / "oncall" / f"{name}.json").read_text())["results"] for name in names}
    file = tmp_path / "everything.json"
    file.write_text(json.dumps(whole))
    assert oncall.read(file).schedules == oncall.read(EXPORTS / "oncall").schedules
