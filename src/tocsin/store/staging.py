"""What one transaction will write, kept until it is known: written set by set, undone job by job without the database.

A job's writes stand on a layer of their own; they sink into the layer below when the job succeeds and are forgotten
when it raises. So a hundred jobs of one transaction cost a few statements, and a storm of copies costs one row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct, field
from sqlalchemy import NestedTransaction

from tocsin.engine.records import AlertRecord
from tocsin.incident.state import Incident
from tocsin.store.rows import Values

Due = Callable[[], datetime | None]
"""When the incident's clock next has something to do, asked once, for what is written in the end."""


class Finished(Struct, frozen=True):
    """How an attempt ended, for its row of work."""

    values: Values


class Layer(Struct):
    """What one job wants written. Of an incident or alert only the last word counts."""

    incidents: dict[str, tuple[Incident, Due]] = field(default_factory=dict)
    opened: dict[str, None] = field(default_factory=dict)
    highest: int = 0
    of_service: dict[str, dict[str, None]] = field(default_factory=dict)
    events: list[Values] = field(default_factory=list)
    alerts: dict[str, AlertRecord] = field(default_factory=dict)
    first_seen: dict[str, None] = field(default_factory=dict)
    work: dict[str, Values] = field(default_factory=dict)
    finished: dict[int, Finished] = field(default_factory=dict)
    evidence: dict[str, Values] = field(default_factory=dict)
    savepoint: NestedTransaction | None = None

    def keep(self, incident: Incident, due: Due, *, new: bool) -> None:
        self.incidents[incident.id] = (incident, due)
        if incident.service:
            self.of_service.setdefault(incident.service, {})[incident.id] = None
        if new:
            self.opened[incident.id] = None
            self.highest = max(self.highest, incident.number)

    def sink_into(self, below: Layer) -> None:
        below.alerts.update(self.alerts)
        if not (self.incidents or self.events or self.first_seen or self.work or self.finished or self.evidence):
            return  # a copy of an alert: the usual job of a storm
        below.incidents.update(self.incidents)
        below.opened.update(self.opened)
        below.highest = max(below.highest, self.highest)
        for service, ids in self.of_service.items():
            below.of_service.setdefault(service, {}).update(ids)
        below.events += self.events
        below.first_seen.update(self.first_seen)
        for key, row in self.work.items():
            below.work.setdefault(key, row)
        below.finished.update(self.finished)
        below.evidence.update(self.evidence)

    def clear(self) -> None:
        """After its rows were sent to the database."""
        for kept in (
            self.incidents, self.opened, self.of_service, self.events, self.alerts, self.first_seen, self.work,
            self.finished, self.evidence,
        ):  # fmt: skip
            kept.clear()
        self.highest = 0
