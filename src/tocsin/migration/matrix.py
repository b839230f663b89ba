"""Ladders -> the Markdown section to paste into the runbook: the matrix is the document's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tocsin.migration.plan import Ladder, Plan

_NOTE = (
    "The first role is paged when the incident opens. If nobody has acknowledged by then, the time in the header pages "
    "the next."
)


def main_ladder(plan: Plan) -> Ladder | None:
    """The ladder that most services use, the first of several; None without any that pages somebody."""
    paging = [ladder for ladder in plan.ladders if ladder.rungs]
    return max(paging, key=lambda ladder: len(ladder.services), default=None)


def section(ladder: Ladder, severities: Sequence[str]) -> str:
    """A section of that ladder for every level."""
    times = sorted({rung.after for rung in ladder.rungs})
    by_time = {rung.after: rung.role for rung in ladder.rungs}
    rows = [f"| {level} | " + " | ".join(by_time[t] for t in times) + " |" for level in severities]
    head = "| Severity | " + " | ".join(written(t) for t in times) + " |"
    return "\n".join(["## Escalation matrix", "", _NOTE, "", head, "|---" * (len(times) + 1) + "|", *rows, ""])


def written(after: timedelta) -> str:
    """The time as a column's header says it, exactly: `5 min`, `1 hour`, `90 min`."""
    seconds = int(after.total_seconds())
    if seconds % 60:
        return f"{seconds} seconds"
    if seconds and seconds % 3600 == 0:
        hours = seconds // 3600
        return f"{hours} hour" + ("s" if hours > 1 else "")
    return f"{seconds // 60} min"
