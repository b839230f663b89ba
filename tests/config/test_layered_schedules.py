"""`[[schedules.NAME.layers]]`: read, refused, and turned into who is on."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tocsin.config import SettingsError, check_against, load, roster
from tocsin.config.model import Settings
from tocsin.runbook.reader import read

HEAD = """
[people]
ana = {}
ben = {}
cyd = {}

[roles]
"On-call" = "schedule:primary"

[schedules.primary]
timezone = "Europe/Prague"
"""
LAYERS = """
[[schedules.primary.layers]]
people = ["cyd"]
starts = 2026-01-05

[[schedules.primary.layers]]
name = "Office"
level = 1
people = ["ana", ["ben", "cyd"], []]
rotation = "2w"
starts = 2026-01-05T09:00:00
during = ["Mon 09:00 - Mon 17:00", "Tue 09:00 - Tue 17:00"]
overrides = [{from = 2026-01-07T00:00:00, until = 2026-01-08T00:00:00, person = "ben"}]
"""


def settings(folder: Path, text: str) -> Settings:
    file = folder / "tocsin.toml"
    file.write_text(text)
    return load(file, environ={})


def on_call(found: Settings, *parts: int) -> list[str]:
    instant = datetime(*parts, tzinfo=ZoneInfo("Europe/Prague"))  # type: ignore[misc, arg-type]
    return [person.id for person in roster(found).holders("On-call", instant)]


def test_layers_say_who_is_on(tmp_path: Path) -> None:
    found = settings(tmp_path, HEAD + LAYERS)
    assert on_call(found, 2026, 1, 5, 10) == ["ana"]
    assert on_call(found, 2026, 1, 5, 17) == ["cyd"]
    assert on_call(found, 2026, 1, 19, 10) == ["ben", "cyd"]
    assert on_call(found, 2026, 2, 2, 10) == ["cyd"]
    assert on_call(found, 2026, 1, 7, 3) == ["ben"]


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("people = []\nstarts = 2026-01-05", "people"),
        ('people = ["ana"]', 'missing key "starts"'),
        ('people = ["ana"]\nstarts = "soon"', "is not a day or time"),
        ('people = ["ana"]\nstarts = 2026-01-05\nduring = "nine to five"', "states no hours"),
        ('people = ["ana"]\nstarts = 2026-01-05\nrotation = "often"', "rotation must be"),
        ('people = ["ana"]\nstarts = 2026-01-05\nlevle = 1', 'did you mean "level"?'),
        ('people = ["ana"]\nstarts = 2026-01-05\nsince = 2026-02-01', "is not a time"),
    ],
)
def test_a_layer_that_cannot_be_is_refused_with_its_place(tmp_path: Path, layer: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"tocsin\.toml:1[0-9]:") as refusal:
        settings(tmp_path, f"{HEAD}\n[[schedules.primary.layers]]\n{layer}\n")
    assert said in str(refusal.value)


def test_a_layer_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    bounds = "since = 2026-01-02T00:00:00\nuntil = {}"
    layer = f'[[schedules.primary.layers]]\npeople = ["ana"]\nstarts = 2026-01-05\n{bounds}'
    settings(tmp_path, HEAD + layer.format("2026-01-02T00:00:01"))
    with pytest.raises(SettingsError, match="swap since and until"):
        settings(tmp_path, HEAD + layer.format("2026-01-02T00:00:00"))


def test_layers_beside_people_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs either people"):
        settings(tmp_path, f'{HEAD}people = ["ana"]\nstarts = 2026-01-05\n{LAYERS}')


def test_a_layer_that_names_nobody_of_the_people_is_refused(tmp_path: Path) -> None:
    found = settings(tmp_path, HEAD + LAYERS.replace('["ben", "cyd"]', '["bne", "cyd"]'))
    problems = check_against(found, read("", file="runbook.md").runbook)
    assert any('people: no person "bne" under [people]: did you mean "ben"?' in line for line in problems)
