"""What stands in the database, as the jobs that look after it see it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tocsin.engine.records import Evidence
from tocsin.incident.state import Incident


class Standing(Struct, frozen=True):
    """An incident that is not over and when its clock is said to look at it next; None for one we cannot read."""

    id: str
    number: int
    incident: Incident | None
    next_due_at: datetime | None


class Queued(Struct, frozen=True):
    """Work of one kind in one state: how many, counted as far as `COUNTED`, and since when the oldest could be had."""

    kind: str
    state: str
    count: int
    oldest_at: datetime


class Gauges(Struct, frozen=True):
    """How much there is of what, at one instant. `incidents` is by (severity, status), of those not over; drills
    are not counted."""

    queue: tuple[Queued, ...]
    incidents: dict[tuple[str, str], int]


COUNTED = 100_000
"""Nothing is counted further, so that looking costs little however much there is."""


class Old(Struct, frozen=True):
    """Evidence of incidents that are over, with output, and the id to go on from; None at the end."""

    evidence: tuple[Evidence, ...]
    last: str | None
