"""The names of the facts only a person knows (`FactRecorded.name`), and what they are called when shown."""

from __future__ import annotations

from enum import StrEnum


class Fact(StrEnum):
    """Any other name is a blank of one of the runbook's templates."""

    SUMMARY = "summary"
    IMPACT = "impact"
    ROOT_CAUSE = "root_cause"
    FOLLOW_UP = "follow_up"
    LESSONS = "lessons"
    WENT_WELL = "went_well"
    TO_IMPROVE = "to_improve"
    PROGRESS = "progress"
    NEXT = "next"
    ETA = "eta"


_LABELS = {
    Fact.FOLLOW_UP: "follow-up",
    Fact.WENT_WELL: "what went well",
    Fact.TO_IMPROVE: "what could improve",
    Fact.NEXT: "next step",
    Fact.ETA: "ETA",
}


def label(name: str) -> str:
    """The fact's name in words: `root_cause` gives `root cause`; a template's own field stays as it is written."""
    if name not in set(Fact):
        return name
    return _LABELS.get(Fact(name), name.replace("_", " "))
