"""The Statuspage-compatible documents that aggregators read (`/api/v2/*.json`), as plain dicts.

Tocsin plans no maintenance, so the three lists of maintenances are always empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from tocsin.incident.wording import harmless, one_line
from tocsin.statuspage.view import (
    Component,
    Impact,
    PageInfo,
    PublicIncident,
    PublicUpdate,
    newest_first,
    unresolved,
    worst,
)

Document: TypeAlias = dict[str, Any]
Incidents: TypeAlias = Sequence[PublicIncident]
Components: TypeAlias = Sequence[Component]

_DESCRIPTIONS = {
    Impact.NONE: "All Systems Operational",
    Impact.MINOR: "Partially Degraded Service",
    Impact.MAJOR: "Partial System Outage",
    Impact.CRITICAL: "Major Service Outage",
}
_COMPONENT = {
    Impact.NONE: "operational",
    Impact.MINOR: "degraded_performance",
    Impact.MAJOR: "partial_outage",
    Impact.CRITICAL: "major_outage",
}


def documents(page: PageInfo, incidents: Incidents, components: Components, now: datetime) -> dict[str, Document]:
    """Every document of the API by its path below `/api/v2/`."""
    head = _page(page, incidents, now)
    shown = [_incident(page, incident, components) for incident in newest_first(incidents)]
    open_ = [_incident(page, incident, components) for incident in newest_first(unresolved(incidents))]
    parts = [_component(page, part, n, incidents) for n, part in enumerate(components, start=1)]
    state = _status(incidents)
    maintenances = {"page": head, "scheduled_maintenances": []}
    return {
        "summary.json": {
            "page": head,
            "components": parts,
            "incidents": open_,
            "scheduled_maintenances": [],
            "status": state,
        },
        "status.json": {"page": head, "status": state},
        "components.json": {"page": head, "components": parts},
        "incidents.json": {"page": head, "incidents": shown},
        "incidents/unresolved.json": {"page": head, "incidents": open_},
        "scheduled-maintenances.json": maintenances,
        "scheduled-maintenances/upcoming.json": maintenances,
        "scheduled-maintenances/active.json": maintenances,
    }


def summary(page: PageInfo, incidents: Incidents, components: Components, now: datetime) -> Document:
    """Page, indicator, components and the open incidents, newest first."""
    return documents(page, incidents, components, now)["summary.json"]


def component_status(component: Component, incidents: Incidents) -> str:
    """`operational`, or the outage word of the worst open incident of its service."""
    return _COMPONENT[worst(i for i in incidents if i.service == component.service)]


def description(incidents: Incidents) -> str:
    """The page's state in words, e.g. `All Systems Operational`."""
    return _DESCRIPTIONS[worst(incidents)]


def _page(page: PageInfo, incidents: Incidents, now: datetime) -> Document:
    """`updated_at` is the last published change, so that an unchanged page keeps its ETag.

    Before the first one it is the minute of `now`.
    """
    changed = max((i.updated_at for i in incidents), default=now.replace(second=0, microsecond=0))
    return {
        "id": page.id,
        "name": page.name,
        "url": page.url,
        "time_zone": page.time_zone,
        "updated_at": _time(changed),
    }


def _status(incidents: Incidents) -> Document:
    return {"indicator": str(worst(incidents)), "description": description(incidents)}


def _component(page: PageInfo, component: Component, position: int, incidents: Incidents) -> Document:
    touched = [i.updated_at for i in incidents if i.service == component.service]
    return {
        "id": component.id,
        "name": component.name,
        "status": component_status(component, incidents),
        "created_at": None,
        "updated_at": _time(max(touched)) if touched else None,
        "position": position,
        "description": component.description or None,
        "showcase": True,
        "start_date": None,
        "group_id": None,
        "page_id": page.id,
        "group": False,
        "only_show_if_degraded": False,
    }


def _incident(page: PageInfo, incident: PublicIncident, components: Components) -> Document:
    hit = [component for component in components if component.service == incident.service]
    return {
        "id": incident.id,
        "name": one_line(incident.title),
        "status": incident.status,
        "created_at": _time(incident.created_at),
        "updated_at": _time(incident.updated_at),
        "monitoring_at": _time(incident.monitoring_at),
        "resolved_at": _time(incident.resolved_at),
        "impact": str(incident.impact),
        "shortlink": page.link(incident.id),
        "started_at": _time(incident.created_at),
        "page_id": page.id,
        "incident_updates": [_update(incident, update, hit) for update in reversed(incident.updates)],
        "components": [{"id": c.id, "name": c.name} for c in hit],
    }


def _update(incident: PublicIncident, update: PublicUpdate, hit: Components) -> Document:
    return {
        "id": update.id,
        "status": update.status,
        "body": harmless(update.text),
        "incident_id": incident.id,
        "created_at": _time(update.at),
        "updated_at": _time(update.at),
        "display_at": _time(update.at),
        "affected_components": [{"code": c.id, "name": c.name} for c in hit],
    }


def _time(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, as Statuspage writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at is not None else None
