"""What lasts is told when it begins, once a minute with how often it happened, and when it is over."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from tocsin.engine.murmur import EVERY, Murmur

Lines = list[MutableMapping[str, Any]]


def test_an_outage_of_minutes_is_a_line_at_its_beginning_one_a_minute_and_one_at_its_end(said: Lines) -> None:
    now = 0.0
    murmur = Murmur("away", seconds=lambda: now)
    for second in range(150):
        now = float(second)
        murmur.trouble(reason="no route")
    now = 150.0
    murmur.over()
    assert [(x["event"], x.get("times"), x.get("seconds")) for x in said] == [
        ("away", None, None), ("away", 61, 60), ("away", 121, 120), ("away_over", 150, 150),
    ]  # fmt: skip


def test_just_before_the_minute_nothing_more_is_said(said: Lines) -> None:
    now = 0.0
    murmur = Murmur("away", seconds=lambda: now)
    murmur.trouble()
    now = EVERY - 0.01
    murmur.trouble()
    assert len(said) == 1
    now = EVERY
    murmur.trouble()
    assert len(said) == 2


def test_what_never_began_is_not_said_to_be_over_and_the_next_outage_begins_anew(said: Lines) -> None:
    murmur = Murmur("away")
    murmur.over()
    assert said == []
    murmur.trouble(reason="first")
    murmur.over()
    murmur.trouble(reason="second")
    assert [(x["event"], x.get("reason")) for x in said] == [("away", "first"), ("away_over", None), ("away", "second")]
