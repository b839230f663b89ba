"""`POST /api/v1/incidents/...`: what people ask of an incident. Each answers with the incident after it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from tocsin.web import requests as r
from tocsin.web import shapes, showing
from tocsin.web.auth import Here, Responder

router = APIRouter(prefix="/api/v1/incidents", tags=["commands"])
VIA = "api"
NoBody = Annotated[r.Empty | None, Body()]
NoReason = Annotated[r.MaybeWhy | None, Body()]


@router.post("", status_code=201, response_model=shapes.IncidentAnswer)
async def declare(house: Here, actor: Responder, body: r.Declare) -> shapes.IncidentJson:
    """Opens an incident and pages as the runbook says."""
    incident = await house.desk.declare(
        actor,
        title=body.title,
        severity=body.severity,
        summary=body.summary,
        service=body.service,
        runbook=body.runbook,
    )
    return await showing.show(house, incident)


@router.post("/{ref}/acknowledge", response_model=shapes.IncidentAnswer)
async def acknowledge(house: Here, actor: Responder, ref: str, body: NoBody = None) -> shapes.IncidentJson:
    """I own it: no rung pages anybody any more."""
    return await showing.show(house, await house.desk.acknowledge(ref, actor, via=VIA))


@router.post("/{ref}/escalate", response_model=shapes.IncidentAnswer)
async def escalate(
    house: Here, actor: Responder, ref: str, body: Annotated[r.Escalate | None, Body()] = None
) -> shapes.IncidentJson:
    """Pages the next rung of the matrix, or the role named."""
    asked = body or r.Escalate()
    return await showing.show(house, await house.desk.escalate(ref, actor, role=asked.role, reason=asked.reason))


@router.post("/{ref}/severity", response_model=shapes.IncidentAnswer)
async def severity(house: Here, actor: Responder, ref: str, body: r.SetSeverity) -> shapes.IncidentJson:
    """Another level; every deadline follows."""
    incident = await house.desk.set_severity(ref, actor, severity=body.severity, reason=body.reason)
    return await showing.show(house, incident)


@router.post("/{ref}/notes", response_model=shapes.IncidentAnswer)
async def notes(house: Here, actor: Responder, ref: str, body: r.Note) -> shapes.IncidentJson:
    return await showing.show(house, await house.desk.note(ref, actor, text=body.text))


@router.post("/{ref}/roles", response_model=shapes.IncidentAnswer)
async def roles(house: Here, actor: Responder, ref: str, body: r.Assign) -> shapes.IncidentJson:
    """Gives a role of this incident (`commander` ...) to a person."""
    return await showing.show(house, await house.desk.assign(ref, actor, role=body.role, person=body.person))


@router.post("/{ref}/status", response_model=shapes.IncidentAnswer)
async def status(house: Here, actor: Responder, ref: str, body: r.Publish) -> shapes.IncidentJson:
    """The public word, on the status page."""
    return await showing.show(house, await house.desk.publish(ref, actor, status=body.status, text=body.text))


@router.post("/{ref}/facts", response_model=shapes.IncidentAnswer)
async def facts(house: Here, actor: Responder, ref: str, body: r.Fields) -> shapes.IncidentJson:
    """What only a person knows, by name: impact, root_cause, follow_up, went_well, to_improve ..."""
    return await showing.show(house, await house.desk.record_facts(ref, actor, body))


@router.post("/{ref}/updates", response_model=shapes.IncidentAnswer)
async def updates(house: Here, actor: Responder, ref: str, body: r.Update) -> shapes.IncidentJson:
    """An update to the team's channel. 422 names the blanks of the template that nobody has filled."""
    incident = await house.desk.update(ref, actor, template=body.template, fields=body.fields, text=body.text)
    return await showing.show(house, incident)


@router.post("/{ref}/answers", response_model=shapes.IncidentAnswer)
async def answers(house: Here, actor: Responder, ref: str, body: r.GiveAnswer) -> shapes.IncidentJson:
    """Answers a question of the decision tree; at a leaf with a command, its mitigation is proposed."""
    incident = await house.desk.answer(ref, actor, question=body.question, answer=body.answer, reason=body.reason)
    return await showing.show(house, incident)


@router.post("/{ref}/checklist", response_model=shapes.IncidentAnswer)
async def checklist(house: Here, actor: Responder, ref: str, body: r.Tick) -> shapes.IncidentJson:
    incident = await house.desk.tick(ref, actor, item=body.item, done=body.done, note=body.note)
    return await showing.show(house, incident)


@router.post("/{ref}/mitigated", response_model=shapes.IncidentAnswer)
async def mitigated(house: Here, actor: Responder, ref: str, body: NoReason = None) -> shapes.IncidentJson:
    """The impact stopped."""
    asked = body or r.MaybeWhy()
    return await showing.show(house, await house.desk.mitigated(ref, actor, reason=asked.reason))


@router.post("/{ref}/resolve", response_model=shapes.IncidentAnswer)
async def resolve(house: Here, actor: Responder, ref: str, body: NoReason = None) -> shapes.IncidentJson:
    """It is over: the incident resolves once verification and checklist agree, with a reason at once."""
    asked = body or r.MaybeWhy()
    return await showing.show(house, await house.desk.resolve(ref, actor, reason=asked.reason))


@router.post("/{ref}/reopen", response_model=shapes.IncidentAnswer)
async def reopen(house: Here, actor: Responder, ref: str, body: r.Why) -> shapes.IncidentJson:
    """It was not over: the ladder starts again."""
    return await showing.show(house, await house.desk.reopen(ref, actor, reason=body.reason))


@router.post("/{ref}/close", response_model=shapes.IncidentAnswer)
async def close(house: Here, actor: Responder, ref: str, body: NoReason = None) -> shapes.IncidentJson:
    """The review is done. What the runbook still asks for keeps it open unless a reason is given."""
    asked = body or r.MaybeWhy()
    return await showing.show(house, await house.desk.close(ref, actor, reason=asked.reason))
