"""`/sources`: each sender's address, what to put into its settings, what was last heard of it, and a test alert.

A test alert is the sender's own example body, decoded and taken in like any other, marked with `tocsin_test` and with a
severity that is no incident: it pages nobody. What a real one would bring about is said beside it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.hearing import HEARTBEATS
from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.incident.policy import Actor
from tocsin.oncall.roster import Person
from tocsin.web.alerts import hand_over
from tocsin.web.auth import Here, Responder, Viewer, csrf_token
from tocsin.web.inspector import Delivery, Seen, Tally, came_of
from tocsin.web.inspector_views import inspector_of
from tocsin.web.inspector_why import Reasons, explain, held_by, service_rule, severity_rule
from tocsin.web.limits import Limits
from tocsin.web.pages.rendering import may_act, page
from tocsin.web.sources_catalogue import SourceKind, kinds
from tocsin.web.sources_held import kept_back
from tocsin.web.sources_watched import watched

router = APIRouter(include_in_schema=False)
TEST_LABEL = "tocsin_test"


@dataclass(frozen=True)
class Row:
    """A sender as the page shows it; `tally` is None while nothing was heard of it."""

    kind: SourceKind
    url: str
    snippet: str
    tally: Tally | None
    minute: int
    hour: int
    limit: int | None
    trouble: str = ""

    @property
    def testable(self) -> bool:
        return self.kind.sample is not None


@dataclass(frozen=True)
class Rung:
    after: timedelta
    role: str
    people: tuple[Person, ...]


@dataclass(frozen=True)
class Foreseen:
    """What a real alert like the test would bring about now; `open` is the incident its service has open."""

    alert: Alert
    service: str
    service_by: str
    severity: str
    severity_by: str
    open: int | None
    rungs: tuple[Rung, ...]
    held: str = ""
    """What would hold it back, in words; empty for nothing."""
    runbook: str = ""
    """The name of the runbook that a route chooses; empty for the main one."""


def limits_of(house: House) -> Limits:
    """The limits of the settings."""
    given = house.settings.sources.limits
    return Limits(given.per_minute, given.senders)


@router.get("/sources")
async def show(request: Request, house: Here, actor: Viewer) -> Response:
    rows = [_row(request, house, kind) for kind in (*watched(house.settings), *kinds(house.settings))]
    heard, quiet = [row for row in rows if row.tally], [row for row in rows if not row.tally]
    own = [row for row in quiet if row.kind.address and not row.kind.name.startswith(HEARTBEATS)]
    return _page(
        request, house, actor, "sources.html", heard=heard, quiet=[row for row in quiet if not row.kind.address],
        own=own, other=_others(request, rows), sources=house.settings.sources,
        base=_base(house), troubles=dict(house.troubles), held=await kept_back(house.core),
    )  # fmt: skip


@router.post("/sources/token")
async def token(request: Request, house: Here, actor: Responder) -> Response:
    """The token of the settings, asked for: the page of senders itself never holds it."""
    return _page(request, house, actor, "source_token.html", token=house.alert_token)


@router.post("/sources/{name:path}/test")
async def test(request: Request, house: Here, actor: Responder, name: str) -> Response:
    every = (*watched(house.settings), *kinds(house.settings))
    kind = next((kind for kind in every if kind.name == name), None)
    if kind is None or kind.sample is None:
        raise NotFound(f"no test alert for a sender {name!r}")
    foreseen = await _foreseen(house, kind)
    delivery, seen = await _send(request, house, kind, actor)
    return _page(
        request, house, actor, "source_test.html", kind=kind, delivery=delivery, reasons=seen, foreseen=foreseen
    )


async def _send(
    request: Request, house: House, kind: SourceKind, actor: Actor
) -> tuple[Delivery, list[tuple[Seen, Reasons]]]:
    """The example body decoded and taken in, then told to be over, so that nothing goes on firing."""
    at, begun = house.desk.now(), time.monotonic()
    alerts = [_marked(alert, actor, at) for alert in kind.decode(kind.body, at)]
    receipts = await hand_over(house, alerts)
    took = time.monotonic() - begun
    who = f"test by {actor.name}"
    how, path = ("test", kind.title) if kind.address else ("POST", kind.path)
    delivery = Delivery(0, at, kind.name, who, how, path, 200, took, total=len(alerts))
    inspector_of(request).record(delivery, kind.body, alerts, receipts)
    await hand_over(house, [replace(a, status=AlertStatus.RESOLVED, ends_at=at) for a in alerts])
    outcomes = {receipt.fingerprint: receipt for receipt in receipts}
    seen = [came_of(a, outcomes[a.fingerprint]) for a in alerts]
    return delivery, [(s, explain(s, house.desk.triage, house.desk.policy_for(s.alert))) for s in seen]


def _marked(alert: Alert, actor: Actor, at: datetime) -> Alert:
    """The alert as one that pages nobody, of its own fingerprint, begun now."""
    labels = alert.labels | {"severity": "none", TEST_LABEL: actor.name}
    return replace(
        alert, labels=labels, fingerprint=fingerprint(labels), status=AlertStatus.FIRING, starts_at=at, ends_at=None
    )


async def _foreseen(house: House, kind: SourceKind) -> list[Foreseen]:
    """The rules of now put to the example as a real sender would post it; nothing is done."""
    now = house.desk.now()
    alive = await house.desk.incidents(over=False, limit=200)
    found = []
    for alert in kind.decode(kind.body, now):
        policy, runbook = house.desk.policy_for(alert), house.desk.triage.runbook_of(alert)
        service, service_by = service_rule(alert, house.desk.triage)
        severity, severity_by = severity_rule(alert, house.desk.triage, policy)
        route = house.desk.triage.route_of(alert)
        first = (route.role if route else "") or policy.first_role(severity)
        held = await house.core.read(lambda tx: house.desk.triage.held(tx, alert, now))  # noqa: B023  awaited at once
        ladder = [(timedelta(), first)] + [(r.after, r.to) for r in policy.rungs(severity) if r.after]
        rungs = tuple(Rung(after, role, policy.roster.holders(role, now)) for after, role in ladder if severity)
        open_ = next((i.number for i in alive if i.service == service), None)
        held = held_by(held) if held and severity else ""
        found.append(Foreseen(alert, service, service_by, severity, severity_by, open_, rungs, held, runbook))
    return found


def _row(request: Request, house: House, kind: SourceKind) -> Row:
    base, tally = _base(house), inspector_of(request).tallies.get(kind.name)
    now = house.desk.now()
    limits: Limits = request.app.state.limits
    snippet = kind.snippet.replace("{url}", base).replace("{host}", urlsplit(base).netloc)
    minute = tally.in_last(timedelta(minutes=1), now) if tally else 0
    hour = tally.in_last(timedelta(hours=1), now) if tally else 0
    trouble = house.troubles.get(kind.name.partition("/")[2] or kind.name, "") if kind.address else ""
    return Row(kind, kind.address or base + kind.path, snippet, tally, minute, hour, limits.of(kind.name), trouble)


def _others(request: Request, rows: Sequence[Row]) -> list[tuple[str, Tally]]:
    """Addresses that were asked for and are no sender's of the page."""
    known = {row.kind.name for row in rows}
    return [(name, tally) for name, tally in inspector_of(request).tallies.items() if name not in known]


def _base(house: House) -> str:
    return house.settings.public_url.rstrip("/")


def _page(request: Request, house: House, actor: Actor, template: str, **more: Any) -> Response:
    return page(
        request, template, actor=actor, csrf=csrf_token(request, house), now=house.desk.now(), can=may_act(actor),
        has_token=house.alert_token is not None, runbook=house.reading.runbook, **more,
    )  # fmt: skip
