"""Procedures run, mitigations proposed and decided on, and what is owed afterwards: postmortem and action items."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.incident.policy import Actor
from tocsin.incident.state import Incident
from tocsin.review.document import Postmortem
from tocsin.review.postmortem import as_html, as_json, as_markdown, postmortem
from tocsin.web import requests as r
from tocsin.web import shapes, showing, views
from tocsin.web.auth import Here, Responder, viewer

router = APIRouter(prefix="/api/v1/incidents/{ref}")
Format = Literal["md", "html", "json"]


@router.post("/procedures/{slug:path}/steps/{number}/propose", status_code=202, tags=["mitigations"])
async def propose_step(
    house: Here, actor: Responder, ref: str, slug: str, number: int, body: Annotated[r.Propose | None, Body()] = None
) -> shapes.ApprovalAnswerJson:
    """Proposes a changing step of a procedure, counted from 1, as a mitigation."""
    return await _proposed(house, actor, ref, f"{slug}#{number}", body or r.Propose())


@router.get("/procedures/{slug:path}/values", tags=["procedures"], dependencies=[Depends(viewer)])
async def values_of_procedure(house: Here, ref: str, slug: str) -> shapes.ValuesJson:
    """What a procedure asks for, with what there is to choose from in the cluster, and what the alerts suggest."""
    return {"values": [views.asked(one) for one in await house.desk.values(ref, slug)]}


@router.get("/mitigations/{slug:path}/values", tags=["mitigations"], dependencies=[Depends(viewer)])
async def values_of_mitigation(house: Here, ref: str, slug: str) -> shapes.ValuesJson:
    """The same of a mitigation; `slug` may be a step, `procedure#2`."""
    return {"values": [views.asked(one) for one in await house.desk.values(ref, slug, mitigation=True)]}


@router.post("/procedures/{slug:path}", status_code=202, tags=["procedures"])
async def run_procedure(
    house: Here, actor: Responder, ref: str, slug: str, body: Annotated[r.RunProcedure | None, Body()] = None
) -> shapes.RunStartedJson:
    """Begins a run of a procedure's reading steps. 422 names a value that is missing or cannot be used."""
    asked = body or r.RunProcedure()
    _, run = await house.desk.run_procedure(ref, actor, slug=slug, steps=asked.steps, values=asked.values)
    return {"run": run}


@router.post("/mitigations/{slug:path}", status_code=202, tags=["mitigations"])
async def propose(
    house: Here, actor: Responder, ref: str, slug: str, body: Annotated[r.Propose | None, Body()] = None
) -> shapes.ApprovalAnswerJson:
    """Proposes a mitigation; nothing runs before it is approved, unless an admin breaks the glass."""
    return await _proposed(house, actor, ref, slug, body or r.Propose())


@router.post("/approvals/{approval}", tags=["mitigations"])
async def decide(house: Here, actor: Responder, ref: str, approval: str, body: r.Decide) -> shapes.ApprovalAnswerJson:
    """Approves or rejects. 409 when it was used, expired, or the command changed since it was shown."""
    incident = await _holding(house, ref, approval)
    if body.decision == "approve":
        incident = await house.desk.approve(incident.id, actor, approval=approval)
    else:
        incident = await house.desk.reject(incident.id, actor, approval=approval, reason=body.reason)
    return _approval(incident, approval)


@router.post("/approvals/{approval}/settle", tags=["mitigations"])
async def settle(house: Here, actor: Responder, ref: str, approval: str, body: r.Settle) -> shapes.ApprovalAnswerJson:
    """Says what came of a mitigation whose outcome was unknown."""
    found = await _holding(house, ref, approval)
    incident = await house.desk.settle(found.id, actor, approval=approval, outcome=body.outcome, reason=body.reason)
    return _approval(incident, approval)


@router.get("/postmortem", tags=["afterwards"], dependencies=[Depends(viewer)])
async def show_postmortem(house: Here, ref: str, format: Format = "md") -> Response:
    """The postmortem as the timeline writes it so far, in Markdown, HTML or JSON."""
    written = await review(house, ref)
    if format == "json":
        return JSONResponse(as_json(written))
    if format == "html":
        return Response(as_html(written), media_type="text/html")
    return PlainTextResponse(as_markdown(written), media_type="text/markdown")


@router.post("/action-items", status_code=201, tags=["afterwards"], response_model=shapes.IncidentAnswer)
async def add_action_item(house: Here, actor: Responder, ref: str, body: r.AddActionItem) -> shapes.IncidentJson:
    """Adds what somebody promised to do; they are reminded when it is due."""
    incident = await house.desk.add_action_item(
        ref, actor, title=body.title, owner=body.owner, due_at=body.due(house.desk.now()), kind=body.kind
    )
    return await showing.show(house, incident)


@router.post("/action-items/{item}/done", tags=["afterwards"], response_model=shapes.IncidentAnswer)
async def finish_action_item(
    house: Here, actor: Responder, ref: str, item: str, body: Annotated[r.Empty | None, Body()] = None
) -> shapes.IncidentJson:
    found = await house.desk.incident(ref)
    if not any(a.id == item for a in found.action_items):
        raise NotFound(f"incident {found.number} has no action item {item!r}")
    return await showing.show(house, await house.desk.finish_action_item(found.id, actor, item=item))


async def review(house: House, ref: str) -> Postmortem:
    """The postmortem of an incident as of now."""
    incident = await house.desk.incident(ref)
    timeline = await house.desk.timeline(incident.id)
    return postmortem(incident, timeline, house.desk.policy_of(incident).runbook, now=house.desk.now())


async def _proposed(house: House, actor: Actor, ref: str, slug: str, asked: r.Propose) -> shapes.ApprovalAnswerJson:
    if asked.break_glass:
        incident, approval = await house.desk.break_glass(
            ref, actor, slug=slug, reason=asked.reason, values=asked.values
        )
    else:
        incident, approval = await house.desk.propose(ref, actor, slug=slug, values=asked.values)
    return _approval(incident, approval)


async def _holding(house: House, ref: str, approval: str) -> Incident:
    incident = await house.desk.incident(ref)
    if incident.approval(approval) is None:
        raise NotFound(f"incident {incident.number} has no approval {approval!r}")
    return incident


def _approval(incident: Incident, approval: str) -> shapes.ApprovalAnswerJson:
    found = incident.approval(approval)
    if found is None:
        raise NotFound(f"incident {incident.number} has no approval {approval!r}")
    return {"approval": views.approval(found)}
