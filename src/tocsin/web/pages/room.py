"""`/incidents/{number}`: the incident room, its parts kept fresh, its timeline, and what steps wrote."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tocsin.bootstrap.house import House
from tocsin.diagnosis.walk import walk
from tocsin.engine.errors import NotFound
from tocsin.engine.records import AlertRecord
from tocsin.engine.storage import Transaction
from tocsin.incident import events as e
from tocsin.incident.commands import what_is_missing
from tocsin.incident.policy import TOCSIN, Actor, Context
from tocsin.incident.state import Incident, Status
from tocsin.incident.wording import describe
from tocsin.web import views
from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.live_view import fill
from tocsin.web.pages.next_move import next_move
from tocsin.web.pages.rendering import HEADERS, may_act, page, render
from tocsin.web.pages.room_view import Known, Room, Told
from tocsin.web.pages.tree_view import linked

router = APIRouter(include_in_schema=False)
SHOWN = 200
"""Lines of the timeline on one page."""
CAUGHT_UP = 500
"""Lines that a page which was away is given at once; one further behind keeps its gap until it is loaded anew."""
ALERTS = 100
SSE_EVENT = "sse:message"
HEAD = ("top", "approvals", "owed")
# the panels in the order in which they are wanted while it lasts, while a fix is watched, and afterwards
LIVE = ("assess", "decide", "mitigate", "classify", "investigate", "tell", "public", "end", "after")
WATCHED = ("end", "tell", "public", "assess", "decide", "mitigate", "investigate", "classify", "after")
OVER = ("after", "end", "public", "tell", "assess", "decide", "mitigate", "investigate", "classify")
ASIDE = ("people", "related")
JUMPS = (
    ("assess", "Assess"),
    ("decide", "Decide"),
    ("mitigate", "Mitigate"),
    ("tell", "Tell"),
    ("end", "Resolve"),
    ("log", "Timeline"),
)


async def known(
    house: House, number: int, actor: Actor, *, before: int | None = None, after: int | None = None
) -> Known:
    """The incident and what its room shows, from one reading. Raises NotFound.

    The timeline is its newest lines, or those below `before`, or all above `after`.
    """

    def read(tx: Transaction) -> tuple[Incident, list[e.Entry], list[AlertRecord]]:
        incident = tx.incident_numbered(number)
        if incident is None:
            raise NotFound(f"no incident {number}")
        if after is not None:
            lines = tx.timeline(incident.id, after=after, limit=CAUGHT_UP)
        else:
            end = before if before is not None else incident.version + 1
            first = max(end - SHOWN, 1)
            lines = tx.timeline(incident.id, after=first - 1, limit=max(end - first, 0))
        return incident, lines, tx.alerts(incident_id=incident.id, limit=ALERTS) if incident.alerts_total else []

    incident, lines, alerts = await house.core.read(read)
    policy, now = house.desk.policy_of(incident), house.desk.now()
    missing = () if incident.status.over else what_is_missing(incident, Context(now, TOCSIN, policy))
    position = walk(policy.runbook, incident.answers)
    found = house.diagnosing
    return Known(
        incident, policy, position, now, actor, tuple(alerts), tuple(lines), missing,
        awaited=found is not None and found.awaited(incident) is not None,
        indicators=found.indicators.get(incident.id, ()) if found else (),
    )  # fmt: skip


def panels(room: Room, *, csrf: str, told: Told, names: Iterable[str], oob: bool) -> dict[str, Markup]:
    """Each panel as HTML, by name; it carries the digest of its content, so that a page knows what changed."""
    context = {
        "room": room,
        "csrf": csrf,
        "told": told,
        "can": may_act(room.actor),
        "sla": views.sla(room.incident, room.policy, room.now),
        "linked": linked,
        "next_move": next_move,
        "default_due": f"{room.now + timedelta(days=7):%Y-%m-%d}",
    }
    found = {}
    for name in names:
        body = Markup(render(f"room/{name}.html", **context))  # noqa: S704  rendered with autoescape a moment ago
        found[name] = Markup(render("room/panel.html", name=name, body=body, oob=oob))  # noqa: S704
    return found


def whole(
    request: Request, house: House, found: Known, *, said: str = "", kind: str = "good", told: Told | None = None,
    status: int = 200,
) -> HTMLResponse:  # fmt: skip
    """The room as a page; `told` is what a refused form had in it."""
    room, told, csrf = Room(found), told or Told(), csrf_token(request, house)
    main = OVER if room.over else WATCHED if found.incident.status is Status.MONITORING else LIVE
    wrapped = panels(room, csrf=csrf, told=told, names=(*HEAD, *main, *ASIDE), oob=False)
    so_far = partial(_so_far, house, found.incident)
    wrapped = {name: fill(markup, so_far) for name, markup in wrapped.items()}
    return page(
        request, "room.html", status, actor=found.actor, csrf=csrf, now=room.now, room=room, wrapped=wrapped,
        main=main, jumps=JUMPS, lines=room.newest_first, earlier=room.earlier, told=told, can=may_act(found.actor),
        said=said, said_kind=kind, oob=False, sse_event=SSE_EVENT, describe=describe, tone=tone,
    )  # fmt: skip


def _so_far(house: House, incident: Incident, run: str, index: int) -> tuple[str, str]:
    return house.core.live.so_far((incident.id, run), index)


def parts(
    request: Request, house: House, found: Known, *, said: str = "", kind: str = "good", told: Told | None = None,
    flash: bool = True, status: int = 200,
) -> HTMLResponse:  # fmt: skip
    """The panels to be put in place of those on the page, and the lines it has not got yet."""
    room, csrf = Room(found), csrf_token(request, house)
    wrapped = panels(room, csrf=csrf, told=told or Told(), names=(*HEAD, *LIVE, *ASIDE), oob=True)
    body = render(
        "room/parts.html", wrapped=wrapped, lines=room.newest_first, room=room, said=said, said_kind=kind,
        oob=True, flash=flash, describe=describe, tone=tone,
    )  # fmt: skip
    return HTMLResponse(body, status, headers=HEADERS)


@router.get("/incidents/{number}")
async def show(request: Request, house: Here, actor: Viewer, number: int) -> Response:
    said = SAID.get(request.query_params.get("done", ""), "")
    return whole(request, house, await known(house, number, actor), said=said)


@router.get("/incidents/{number}/parts")
async def fresh(request: Request, house: Here, actor: Viewer, number: int) -> Response:
    """What the page asks for when something happened."""
    return parts(request, house, await known(house, number, actor, after=newest_shown(request)), flash=False)


@router.get("/incidents/{number}/timeline")
async def timeline(request: Request, house: Here, actor: Viewer, number: int, before: int | None = None) -> Response:
    room = Room(await known(house, number, actor, before=before))
    return page(
        request, "timeline.html", actor=actor, csrf=csrf_token(request, house), room=room, lines=room.newest_first,
        earlier=room.earlier, describe=describe, tone=tone,
    )  # fmt: skip


@router.get("/incidents/{number}/evidence/{evidence}")
async def output(request: Request, house: Here, actor: Viewer, number: int, evidence: str) -> Response:
    """What a step wrote: a page, or only the text when a page asks for it (`?part=1`)."""
    incident, kept = await house.desk.incident(str(number)), await house.desk.evidence(evidence)
    if kept.incident_id != incident.id:
        raise NotFound(f"no evidence {evidence} of incident {number}")
    if request.query_params.get("part"):
        return HTMLResponse(render("output.html", kept=kept), headers=HEADERS)
    return page(
        request, "evidence.html", actor=actor, csrf=csrf_token(request, house), incident=incident, kept=kept
    )  # fmt: skip


def newest_shown(request: Request) -> int:
    """The newest line that the page has, as its script says; above every line for one that does not say."""
    said = request.headers.get("tocsin-after", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 10**9


def tone(event: e.Event) -> str:
    """How loudly a line of the timeline is shown: quiet for deliveries, loud for what changes the incident."""
    if isinstance(event, e.StepFinished):
        return "quiet" if event.outcome in _FINE else "bad"
    if isinstance(event, _QUIET):
        return "quiet"
    if isinstance(event, _BAD):
        return "bad"
    if isinstance(event, _GOOD):
        return "good"
    return "note" if isinstance(event, e.Noted) else "plain"


_FINE = ("ok", "nothing_found", "manual")
_QUIET = (e.MessageDelivered, e.RunStarted, e.RunFinished, e.ContactTried)
_BAD = (
    e.MessageFailed, e.AcknowledgeMissed, e.VerificationFailed, e.MitigationOutcomeUnknown, e.RungPassed, e.Reopened,
)  # fmt: skip
_GOOD = (e.Acknowledged, e.Mitigated, e.Resolved, e.VerificationPassed, e.ResolveProposed, e.Closed)

SAID = {
    "declared": "Declared. People are being paged as the runbook says.",
    "acknowledge": "You own it. Nobody else will be paged.",
    "escalate": "The next people are being paged.",
    "assign": "Handed over.",
    "severity": "Severity changed; every deadline follows.",
    "run": "Running. The results appear here as they come.",
    "cancel": "Cancelled. What it had said by then is kept.",
    "stop": "Stopped. Look whether it took effect, then say what you found.",
    "answer": "Answered.",
    "propose": "Proposed. It runs once it is approved.",
    "approve": "Approved.",
    "break-glass": "The glass is broken: it runs now, unapproved. Everybody is told.",
    "reject": "Rejected. Nothing was run.",
    "settle": "Recorded.",
    "mitigated": "Recorded: the impact has stopped.",
    "update": "Posted to the team.",
    "say": "Posted to the team.",
    "publish": "Published on the status page.",
    "tick": "Checklist changed.",
    "resolve": "Recorded.",
    "note": "Noted.",
    "facts": "Recorded.",
    "add-item": "Action item added.",
    "finish-item": "Action item done.",
    "merge": "Merged. It goes on in the other incident's room.",
    "absorb": "Merged into this one.",
    "split": "Split off, as an incident of its own.",
    "unrelated": "Noted: not related.",
    "reopen": "Reopened. People are being paged.",
    "close": "Closed.",
}
"""What is said after each command, by its name."""
