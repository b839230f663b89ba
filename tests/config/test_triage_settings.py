"""Routes, maintenance windows and inhibitions that could not be meant are refused with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.config import Settings, SettingsError, load

GOOD = """
[[routes]]
match = ['team="pay"', 'severity=~"crit.*"']
role = "CTO"
[[maintenance]]
name = "weekly"
match = 'service="shop"'
at = "02:00"
for = "2h"
days = ["sun"]
timezone = "Europe/Prague"
[[inhibit]]
source = 'severity="critical"'
target = 'severity="warning"'
equal = ["alertname"]
"""


def read(folder: Path, text: str) -> Settings:
    (folder / "tocsin.toml").write_text(text, encoding="utf-8")
    return load(folder / "tocsin.toml", environ={})


def test_what_is_written_well_is_read(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert (len(settings.routes), settings.maintenance[0].days, len(settings.inhibit)) == (1, ("sun",), 1)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('role = "CTO"\n', "", "says nothing"),
        ('role = "CTO"', 'role = "CTO"\nincident = false', "what is no incident"),
        ("'service=\"shop\"'", "'shop'", "is no matcher"),
        ("'service=\"shop\"'", "'team!=\"x\"'", "all alerts would be meant"),
        ('at = "02:00"', 'at = "25:00"', "not a time of day"),
        ('for = "2h"\n', "", "needs either at"),
        ('for = "2h"', 'for = "8d"', "longer than 7 days"),
        ('at = "02:00"', "starts = 2026-01-01T00:00:00", "needs either at"),
        ('"Europe/Prague"', '"Prague"', "not a time zone"),
        ('equal = ["alertname"]', 'equal = ["service"]', "must name its source"),
    ],
)
def test_what_could_not_be_meant_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in GOOD
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, GOOD.replace(before, after))
    assert said in str(refused.value)
