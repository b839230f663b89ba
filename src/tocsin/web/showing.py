"""What a view needs fetched, then shown: the one place where reading the desk and `views` meet."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.bootstrap.house import House
from tocsin.engine.records import AlertRecord
from tocsin.incident.state import Incident
from tocsin.web import shapes, views

ALERTS_SHOWN = 100


async def show(house: House, incident: Incident) -> shapes.IncidentJson:
    """An incident as the API gives it."""
    desk = house.desk
    return views.whole(
        incident,
        desk.policy_of(incident),
        desk.now(),
        alerts=await desk.alerts(ref=incident.id, limit=ALERTS_SHOWN) if incident.alerts_total else (),
        position=desk.position(incident),
        missing=() if incident.status.over else desk.missing(incident),
        awaited=house.diagnosing is not None and house.diagnosing.awaited(incident) is not None,
        indicators=house.diagnosing.indicators.get(incident.id, ()) if house.diagnosing else (),
    )


def listed(house: House, incidents: Iterable[Incident]) -> list[shapes.IncidentBriefJson]:
    """Incidents as lists give them."""
    desk, now = house.desk, house.desk.now()
    return [views.brief(incident, desk.policy_of(incident), now) for incident in incidents]


async def numbered(house: House, records: Iterable[AlertRecord]) -> list[shapes.AlertJson]:
    """Alerts of any incidents, each with its incident's number; every incident is fetched once."""
    kept = list(records)
    ids = dict.fromkeys(r.incident_id for r in kept if r.incident_id is not None)
    numbers = {id_: (await house.desk.incident(id_)).number for id_ in ids}
    return [views.alert(r, numbers.get(r.incident_id or "")) for r in kept]
