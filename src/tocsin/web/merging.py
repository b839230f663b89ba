"""Incidents that are one trouble, and one that is several: suggested, merged, split, kept apart."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from tocsin.incident.relating import Related
from tocsin.web import requests as r
from tocsin.web import shapes, showing
from tocsin.web.auth import Here, Responder, viewer

router = APIRouter(prefix="/api/v1/incidents")


@router.get("/{ref}/related", tags=["incidents"], dependencies=[Depends(viewer)])
async def related(house: Here, ref: str) -> shapes.RelatedJson:
    """Open incidents that may be one trouble with this one, the likeliest first, each with why in words."""
    found = await house.desk.merging.related(await house.desk.incident(ref))
    briefs = showing.listed(house, (one.incident for one in found))
    return {"related": [_related(one, brief) for one, brief in zip(found, briefs, strict=True)]}


@router.post("/{ref}/merge", tags=["commands"], response_model=shapes.IncidentAnswer)
async def merge(house: Here, actor: Responder, ref: str, body: r.Merge) -> shapes.IncidentJson:
    """Makes it one with another incident, and answers with that one, which has its alerts and all that was owed."""
    incident = await house.desk.merging.merge(ref, actor, into=body.into, reason=body.reason)
    return await showing.show(house, incident)


@router.post("/{ref}/split", status_code=201, tags=["commands"], response_model=shapes.IncidentAnswer)
async def split(house: Here, actor: Responder, ref: str, body: r.Split) -> shapes.IncidentJson:
    """Makes some of its alerts an incident of their own, and answers with that one."""
    incident = await house.desk.merging.split(ref, actor, alerts=body.alerts, title=body.title, reason=body.reason)
    return await showing.show(house, incident)


@router.post("/{ref}/unrelated", tags=["commands"], response_model=shapes.IncidentAnswer)
async def unrelated(house: Here, actor: Responder, ref: str, body: r.Unrelated) -> shapes.IncidentJson:
    """The two have nothing to do with each other: neither is suggested to the other any more."""
    incident = await house.desk.merging.unrelated(ref, actor, other=body.incident, reason=body.reason)
    return await showing.show(house, incident)


def _related(one: Related, brief: shapes.IncidentBriefJson) -> shapes.RelatedIncidentJson:
    return {"incident": brief, "score": one.score, "reasons": list(one.reasons)}
