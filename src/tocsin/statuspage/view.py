"""What the public may know of an incident: its published title and texts, and how hard a component is hit.

Nothing else leaves: not the internal title, notes, alerts, people or the severity's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from tocsin.incident.state import Incident
from tocsin.runbook.model import Runbook

UNTITLED = "Service disruption"
OVER = ("resolved", "postmortem")


class Impact(StrEnum):
    """In the order of harm, least first."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class PageInfo(Struct, frozen=True):
    """`url` is the public page's own address, without a slash at its end; `id` is opaque and stays."""

    id: str
    name: str
    url: str
    time_zone: str = "Etc/UTC"

    def link(self, incident: str) -> str:
        """The address of one incident on the page: an anchor `incident-ID`."""
        return f"{self.url}#incident-{incident}"


class Component(Struct, frozen=True):
    """A part of production that the public knows. `service` is what incidents call it."""

    id: str
    name: str
    service: str
    description: str = ""


class PublicUpdate(Struct, frozen=True):
    """`status` is investigating, identified, monitoring or resolved; `id` is the incident's and a number."""

    id: str
    status: str
    text: str
    at: datetime


class PublicIncident(Struct, frozen=True):
    """`updates` are never empty, oldest first. `created_at` is when the public first heard of it."""

    id: str
    number: int
    title: str
    impact: Impact
    service: str
    created_at: datetime
    updates: tuple[PublicUpdate, ...]

    @property
    def status(self) -> str:
        return self.updates[-1].status

    @property
    def unresolved(self) -> bool:
        return self.status not in OVER

    @property
    def updated_at(self) -> datetime:
        return max(update.at for update in self.updates)

    @property
    def resolved_at(self) -> datetime | None:
        """When it was last published as resolved; None while it is open."""
        return None if self.unresolved else next(u.at for u in reversed(self.updates) if u.status in OVER)

    @property
    def monitoring_at(self) -> datetime | None:
        return next((u.at for u in self.updates if u.status == "monitoring"), None)


def public_view(incident: Incident, runbook: Runbook) -> PublicIncident | None:
    """The incident as the public sees it; None when nothing was published."""
    if not incident.public:
        return None
    updates = tuple(
        PublicUpdate(f"{incident.id}-{n}", u.status, u.text, u.at) for n, u in enumerate(incident.public, start=1)
    )
    return PublicIncident(
        id=incident.id,
        number=incident.number,
        title=incident.public_title.strip() or UNTITLED,
        impact=Impact.NONE if incident.drill else impact(incident.severity, runbook),
        service=incident.service,
        created_at=updates[0].at,
        updates=updates,
    )


def impact(severity: str, runbook: Runbook) -> Impact:
    """How bad the public is told it is, by the level's rank in the runbook: critical, major, minor for the rest.

    A published incident of the lowest level is still one that people feel, so `none` stays for a level that the runbook
    does not know.
    """
    names = [level.name for level in runbook.severities]
    if severity not in names:
        return Impact.NONE
    return (Impact.CRITICAL, Impact.MAJOR, Impact.MINOR)[min(names.index(severity), 2)]


def unresolved(incidents: Iterable[PublicIncident]) -> tuple[PublicIncident, ...]:
    return tuple(incident for incident in incidents if incident.unresolved)


def worst(incidents: Iterable[PublicIncident]) -> Impact:
    """The greatest impact among the open ones, `none` without any."""
    order = list(Impact)
    return max((i.impact for i in unresolved(incidents)), key=order.index, default=Impact.NONE)


def newest_first(incidents: Iterable[PublicIncident]) -> tuple[PublicIncident, ...]:
    return tuple(sorted(incidents, key=lambda i: (i.created_at, i.number), reverse=True))
