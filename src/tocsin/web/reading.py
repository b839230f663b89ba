"""`GET /api/v1/...`: incidents, alerts, timeline, deadlines, evidence, who is on call, the runbook. Nothing changes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tocsin.engine.errors import NotFound
from tocsin.incident import library
from tocsin.incident.alert import AlertStatus
from tocsin.runbook.report import as_json
from tocsin.web import shapes, showing, views
from tocsin.web.auth import Here, viewer
from tocsin.web.cursors import Cursor, Limit, cursor, place
from tocsin.web.requests import Instant

router = APIRouter(prefix="/api/v1", dependencies=[Depends(viewer)])
Over = Literal["open", "resolved", "all"]
Firing = Literal["firing", "resolved", "all"]
Search = Annotated[str, Query(max_length=200)]
_OVER = {"open": False, "resolved": True, "all": None}


@router.get("/incidents", tags=["incidents"])
async def incidents(
    house: Here,
    status: Over = "all",
    severity: Search = "",
    q: Search = "",
    limit: Limit = 50,
    cursor_: Annotated[Cursor, Query(alias="cursor")] = None,
) -> shapes.IncidentsJson:
    """Newest first. `resolved` includes closed; `q` is looked for in the title."""
    below = place("incidents", cursor_)
    found = await house.desk.incidents(over=_OVER[status], severity=severity, text=q, below=below, limit=limit + 1)
    shown, more = found[:limit], len(found) > limit
    return {
        "incidents": showing.listed(house, shown),
        "next": cursor("incidents", shown[-1].number) if more else None,
    }


@router.get("/incidents/{ref}", tags=["incidents"], response_model=shapes.IncidentAnswer)
async def incident(house: Here, ref: str) -> shapes.IncidentJson:
    """Everything about an incident but its timeline; `ref` is its number or its id."""
    return await showing.show(house, await house.desk.incident(ref))


@router.get("/incidents/{ref}/alerts", tags=["incidents"])
async def alerts_of(
    house: Here, ref: str, limit: Limit = 100, cursor_: Annotated[Cursor, Query(alias="cursor")] = None
) -> shapes.AlertsJson:
    """The incident's alerts in the order first seen."""
    found = await house.desk.incident(ref)
    skip = place("alerts", cursor_) or 0
    records = await house.desk.alerts(ref=found.id, skip=skip, limit=limit + 1)
    shown = [views.alert(r, found.number) for r in records[:limit]]
    return {"alerts": shown, "next": cursor("alerts", skip + limit) if len(records) > limit else None}


@router.get("/alerts", tags=["alerts"])
async def alerts(
    house: Here,
    status: Firing = "all",
    q: Search = "",
    limit: Limit = 100,
    cursor_: Annotated[Cursor, Query(alias="cursor")] = None,
) -> shapes.AlertsJson:
    """Every alert known, in the order first seen; `q` is looked for in labels and annotations."""
    skip = place("alerts", cursor_) or 0
    wanted = None if status == "all" else AlertStatus(status)
    records = await house.desk.alerts(status=wanted, text=q, skip=skip, limit=limit + 1)
    shown = await showing.numbered(house, records[:limit])
    return {"alerts": shown, "next": cursor("alerts", skip + limit) if len(records) > limit else None}


@router.get("/incidents/{ref}/timeline", tags=["incidents"])
async def timeline(
    house: Here,
    ref: str,
    after: Annotated[int, Query(ge=0, le=2**31, description="The seq to go on from")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[shapes.EntryJson]:
    """What happened, in order; ask again with `after` = the last `seq` until nothing comes."""
    found = await house.desk.incident(ref)
    entries = await house.desk.timeline(found.id, after=after, limit=limit)
    return [views.entry(line, found) for line in entries]


@router.get("/incidents/{ref}/deadlines", tags=["incidents"])
async def deadlines(house: Here, ref: str) -> list[shapes.DeadlineJson]:
    """What is owed, soonest first."""
    found = await house.desk.incident(ref)
    now = house.desk.now()
    return [views.deadline(owed, now) for owed in house.desk.deadlines(found)]


@router.get("/incidents/{ref}/runs/{run}", tags=["procedures"])
async def run(house: Here, ref: str, run: str) -> shapes.RunJson:
    """A procedure's run: its steps with their output, as far as they got."""
    found = await house.desk.incident(ref)
    wanted = found.run(run)
    if wanted is None:
        raise NotFound(f"incident {found.number} has no run {run!r}")
    written = library.procedure(house.desk.policy_of(found), wanted.procedure)
    kept = {one.id: one for one in await house.desk.evidence_of(found.id) if one.run == wanted.id}
    return views.run_whole(found, wanted, written, kept)


@router.get("/incidents/{ref}/evidence/{evidence}", tags=["procedures"])
async def evidence(house: Here, ref: str, evidence: str) -> shapes.EvidenceJson:
    """What one step gave, whole."""
    found = await house.desk.incident(ref)
    kept = await house.desk.evidence(evidence)
    if kept.incident_id != found.id:
        raise NotFound(f"incident {found.number} has no evidence {evidence!r}")
    return views.evidence(kept)


@router.get("/incidents/{ref}/evidence/{evidence}/chart.svg", tags=["procedures"], response_class=Response)
async def chart(house: Here, ref: str, evidence: str) -> Response:
    """What a PromQL step gave over the half hour before it, as a small SVG; 404 when there was nothing to draw."""
    found = await house.desk.incident(ref)
    kept = await house.desk.evidence(evidence)
    if kept.incident_id != found.id or not kept.chart:
        raise NotFound(f"incident {found.number} has no chart of evidence {evidence!r}")
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    return Response(kept.chart, media_type="image/svg+xml", headers=headers)


@router.get("/oncall", tags=["runbook"])
async def on_call(house: Here, at: Instant | None = None) -> shapes.OnCallJson:
    """Who holds each role, now or at an instant with its offset."""
    return views.on_call(house.desk.policy, at or house.desk.now())


@router.get("/runbook", tags=["runbook"])
async def runbook(house: Here, name: str = "") -> dict[str, Any]:
    """The runbook in force, as `tocsin check --format json` prints it, with the documents that it links to.

    `name` is of one beside the main one; `names` are all of these.

    The slugs of a linked document's procedures begin with its name: `rollback-deployment--quick-rollback`.
    """
    found = house.runbooks().get(name)
    if found is None:
        raise NotFound(f"no runbook is named {name!r}: see [runbooks] in tocsin.toml")
    linked = [views.linked(document) for document in house.core.policies.named(name).linked]
    return as_json(found[0]) | {"linked": linked, "name": name, "names": list(house.others)}
