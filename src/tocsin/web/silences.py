"""`/silences` and `/api/v1/silences`: what is to disturb nobody for a while, and what it holds back now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.bootstrap.house import House
from tocsin.config.scalars import duration
from tocsin.engine.silencing import Silencing
from tocsin.engine.triage import MAINTENANCE, SILENCE
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import Actor
from tocsin.incident.silences import Silence, Window, ends
from tocsin.web import requests as r
from tocsin.web import shapes
from tocsin.web.auth import Here, Responder, Viewer, csrf_token, viewer
from tocsin.web.pages.acting import typed
from tocsin.web.pages.rendering import may_act, page
from tocsin.web.views import instant, maybe

api = APIRouter(prefix="/api/v1/silences", tags=["silences"])
router = APIRouter(include_in_schema=False)
SEE_OTHER, CONFLICT, UNPROCESSABLE = 303, 409, 422


@dataclass(frozen=True)
class Standing:
    """A silence as the page shows it; `held` are the firing alerts that it holds back now."""

    silence: Silence
    status: str
    held: int


@dataclass(frozen=True)
class Planned:
    """A maintenance window of the settings; `until` is None while it is shut."""

    window: Window
    until: datetime | None
    held: int


@api.get("", dependencies=[Depends(viewer)])
async def silences(house: Here) -> shapes.SilencesJson:
    """Those that hold now or will, then the latest that are over; the maintenance windows of the settings beside."""
    standing, past = await _all(house)
    return {
        "silences": [_json(one) for one in (*standing, *past)],
        "maintenance": [
            {
                "name": p.window.name,
                "matchers": [str(m) for m in p.window.matchers],
                "comment": p.window.comment,
                "open_until": maybe(p.until),
                "holding": p.held,
            }
            for p in await _planned(house)
        ],
    }


@api.post("", status_code=201)
async def add(house: Here, actor: Responder, body: r.AddSilence) -> shapes.SilenceJson:
    """Alerts that begin in it are recorded, open no incident and page nobody; those that still fire at its end do."""
    now = house.desk.now()
    made = await Silencing(house.core).add(
        actor, body.matchers, starts_at=body.starts(now), ends_at=body.ends(now), comment=body.comment
    )
    return _json(Standing(made, made.status(now), 0))


@api.delete("/{silence}")
async def expire(house: Here, actor: Responder, silence: str) -> shapes.SilenceJson:
    """Ends it now. 409 for one that is over already."""
    ended = await Silencing(house.core).expire(silence)
    return _json(Standing(ended, ended.status(house.desk.now()), 0))


@router.get("/silences")
async def show(request: Request, house: Here, actor: Viewer) -> Response:
    return await _page(request, house, actor)


@router.post("/silences")
async def add_by_form(request: Request, house: Here, actor: Responder) -> Response:
    fields = await typed(request)
    matchers = [line for line in fields.get("matchers", "").splitlines() if line.strip()]
    now = house.desk.now()
    try:
        begins = now + _length(fields, "starts_in")
        await Silencing(house.core).add(
            actor, matchers, starts_at=begins, ends_at=begins + _length(fields, "length"),
            comment=fields.get("comment", ""),
        )  # fmt: skip
    except CommandError as refusal:
        return await _page(request, house, actor, trouble=str(refusal), fields=fields, status=UNPROCESSABLE)
    return RedirectResponse("/silences", SEE_OTHER)


@router.post("/silences/{silence}/expire")
async def expire_by_form(request: Request, house: Here, actor: Responder, silence: str) -> Response:
    try:
        await Silencing(house.core).expire(silence)
    except TransitionError as refusal:
        return await _page(request, house, actor, trouble=str(refusal), status=CONFLICT)
    return RedirectResponse("/silences", SEE_OTHER)


def _length(fields: dict[str, str], name: str) -> timedelta:
    """Raises CommandError for what is no duration; nothing is none."""
    given = fields.get(name, "").strip()
    found = duration(given) if given else timedelta()
    if found is None:
        raise CommandError(f'{given!r} is not a duration: write it like "30m", "2h" or "1d"', {name: "no duration"})
    return found


async def _all(house: House) -> tuple[list[Standing], list[Standing]]:
    desk, now = Silencing(house.core), house.desk.now()
    held = await desk.holding()
    standing = [Standing(s, s.status(now), held.get(SILENCE + s.id, 0)) for s in await desk.standing()]
    return standing, [Standing(s, s.status(now), 0) for s in await desk.past()]


async def _planned(house: House) -> list[Planned]:
    held, now = await Silencing(house.core).holding(), house.desk.now()
    return [Planned(w, ends(w, now), held.get(MAINTENANCE + w.name, 0)) for w in house.desk.triage.windows]


async def _page(
    request: Request, house: House, actor: Actor, *, trouble: str = "", fields: dict[str, str] | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    standing, past = await _all(house)
    return page(
        request, "silences.html", status, actor=actor, csrf=csrf_token(request, house), now=house.desk.now(),
        can=may_act(actor), standing=standing, past=past, planned=await _planned(house), trouble=trouble,
        fields=fields or {},
    )  # fmt: skip


def _json(one: Standing) -> shapes.SilenceJson:
    s = one.silence
    return {
        "id": s.id,
        "status": one.status,
        "matchers": [str(m) for m in s.matchers],
        "starts_at": instant(s.starts_at),
        "ends_at": instant(s.ends_at),
        "author": s.author,
        "comment": s.comment,
        "created_at": instant(s.created_at),
        "holding": one.held,
    }
