"""How bad it is, by the share of users that is affected: the level that the runbook's own indicators make of it.

A suggestion, with its evidence: measurements raise nobody's severity by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from tocsin.diagnosis.indicators import Suggested, by_share
from tocsin.diagnosis.walk import UNKNOWN, YES
from tocsin.runbook.model import Runbook


class Impact(Struct, frozen=True):
    """The share of users affected, 0 to 1, measured `at` (aware UTC) by the query that `by` names."""

    share: float
    at: datetime
    by: str

    @property
    def said(self) -> str:
        return f"{self.share:.0%} of the users are affected, by {self.by} at {self.at:%H:%M:%S} UTC"


class Weighed(Struct, frozen=True):
    """What measurements make of the severity. `severity` is empty for unknown: `reason` says what is missing."""

    severity: str
    indicator: str
    reason: str


def weighed(runbook: Runbook, found: Sequence[Suggested]) -> Weighed | None:
    """The worst level of which an indicator is measured to hold; None when the runbook has none to be measured."""
    if not found:
        return None
    order = [level.name for level in runbook.severities]
    holding = [s for s in found if s.verdict.answer == YES and s.severity in order]
    if holding:
        worst = min(holding, key=lambda s: order.index(s.severity))
        return Weighed(worst.severity, worst.text, worst.verdict.reason)
    open_ = next((s.verdict.reason for s in found if s.verdict.answer == UNKNOWN), "")
    return Weighed("", "", open_ or f"no indicator holds: {found[0].verdict.reason}")


def of_impact(runbook: Runbook, impact: Impact) -> Weighed | None:
    """What the runbook makes of a share of users; None when no indicator that speaks of users holds."""
    answers = ((i, by_share(i.text, impact.share, impact.said)) for i in runbook.indicators)
    found = weighed(runbook, [Suggested(i.severity, i.text, verdict) for i, verdict in answers if verdict is not None])
    return found if found is not None and found.severity else None


def to_begin_with(label: tuple[str, str], told: bool, measured: Weighed | None) -> tuple[str, str]:
    """The level that an incident begins with and why, from what its label suggests and what was measured before.

    Where a label or a route has `told` the level it holds, with what was measured beside it; where none has, what was
    measured is better than a default.
    """
    severity, why = label
    if measured is None:
        return label
    said = f"{measured.reason}: “{measured.indicator}”"
    if not told:
        return measured.severity, f"{said} ({why})"
    return label if measured.severity == severity else (severity, f"{why}; {said} is {measured.severity}")
