"""Runs as they happen: what their steps say, streamed; stopping them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Body, Depends
from starlette.responses import StreamingResponse

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.engine.live import RunEnded, Said, StepEnded
from tocsin.engine.running import of_mitigation
from tocsin.incident.state import Incident
from tocsin.web import requests as r
from tocsin.web import shapes, showing, views
from tocsin.web.auth import Here, Responder, viewer

PING_SECONDS = 15.0
router = APIRouter(prefix="/api/v1/incidents/{ref}", tags=["procedures"])
_UNDER_WAY = ("running", "pending", "approved")
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@router.get("/runs/{run}/stream", dependencies=[Depends(viewer)], response_class=StreamingResponse)
async def follow_run(house: Here, ref: str, run: str) -> StreamingResponse:
    """Server-sent events: what the run's steps have said, then what they say, until it ends.

    `event: output` with `{step, stream, text}`, `event: step` with `{step, outcome, reason}` once a step has ended,
    `event: end` with `{status}` last. Every connection is told all of it from the beginning.
    """
    incident = await house.desk.incident(ref)
    if incident.run(run) is None:
        raise NotFound(f"incident {incident.number} has no run {run!r}")
    return StreamingResponse(lines(house, incident, run), media_type="text/event-stream", headers=_HEADERS)


@router.get("/approvals/{approval}/stream", dependencies=[Depends(viewer)], response_class=StreamingResponse)
async def follow_mitigation(house: Here, ref: str, approval: str) -> StreamingResponse:
    """The same of a mitigation; its only step is 1, and `status` that of the approval."""
    incident = await house.desk.incident(ref)
    if incident.approval(approval) is None:
        raise NotFound(f"incident {incident.number} has no approval {approval!r}")
    told = lines(house, incident, of_mitigation(approval))
    return StreamingResponse(told, media_type="text/event-stream", headers=_HEADERS)


@router.post("/runs/{run}/cancel", response_model=shapes.IncidentAnswer)
async def cancel_run(
    house: Here, actor: Responder, ref: str, run: str, body: Annotated[r.MaybeWhy | None, Body()] = None
) -> shapes.IncidentJson:
    """Stops a run: its processes end, what they had printed is kept."""
    incident = await house.desk.incident(ref)
    if incident.run(run) is None:
        raise NotFound(f"incident {incident.number} has no run {run!r}")
    reason = (body or r.MaybeWhy()).reason
    return await showing.show(house, await house.desk.cancel_run(incident.id, actor, run=run, reason=reason))


@router.post("/approvals/{approval}/cancel", tags=["mitigations"])
async def stop_mitigation(
    house: Here, actor: Responder, ref: str, approval: str, body: r.MaybeWhy
) -> shapes.ApprovalAnswerJson:
    """Stops a running mitigation half-way, for a reason: its outcome is unknown then. Takes the commander."""
    incident = await house.desk.incident(ref)
    if incident.approval(approval) is None:
        raise NotFound(f"incident {incident.number} has no approval {approval!r}")
    after = await house.desk.stop_mitigation(incident.id, actor, approval=approval, reason=body.reason)
    found = after.approval(approval)
    if found is None:
        raise NotFound(f"incident {incident.number} has no approval {approval!r}")
    return {"approval": views.approval(found)}


async def lines(house: House, incident: Incident, run: str) -> AsyncGenerator[bytes]:
    """The events of one viewer. What has ended comes from its evidence, what runs from its own mouth."""
    async with aclosing(house.desk.follow_run(incident, run)) as news:
        following = asyncio.ensure_future(anext(news))
        try:
            await asyncio.sleep(0)  # subscribes before the evidence is read: nothing falls between the two
            yield b": following\n\n"
            incident = await house.desk.incident(incident.id)
            ended = await _ended(house, incident, run)
            for piece in ended.values():
                yield piece
            while _status(incident, run) in _UNDER_WAY:
                done, _ = await asyncio.wait({following}, timeout=PING_SECONDS)
                if not done:  # another process may run it, or nobody may approve it
                    yield b": ping\n\n"
                    incident = await house.desk.incident(incident.id)
                    continue
                said = following.result()
                if isinstance(said, RunEnded):
                    yield _sent("end", {"status": said.status})
                    return
                if said.index not in ended:
                    yield _event(said)
                following = asyncio.ensure_future(anext(news))
            yield _sent("end", {"status": _status(incident, run)})
        except StopAsyncIteration:
            return
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await following


async def _ended(house: House, incident: Incident, run: str) -> dict[int, bytes]:
    """The events of each step that has ended, from the evidence kept of it."""
    kept = [one for one in await house.desk.evidence_of(incident.id) if one.run == run]
    return {
        one.index: b"".join(
            [_event(Said(one.index, "stdout", one.stdout))] * bool(one.stdout)
            + [_event(Said(one.index, "stderr", one.stderr))] * bool(one.stderr)
            + [_event(StepEnded(one.index, one.outcome, one.reason))]
        )
        for one in kept
    }


def _status(incident: Incident, run: str) -> str:
    found = incident.run(run)
    if found is not None:
        return found.status
    return next((a.status for a in incident.approvals if of_mitigation(a.id) == run), "unknown")


def _event(news: Said | StepEnded) -> bytes:
    if isinstance(news, Said):
        return _sent("output", {"step": news.index, "stream": news.stream, "text": news.text})
    return _sent("step", {"step": news.index, "outcome": news.outcome, "reason": news.reason})


def _sent(kind: str, data: Mapping[str, object]) -> bytes:
    """One event; JSON keeps every line end of the text inside one line."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
