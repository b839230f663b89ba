"""Opsgenie's Alert API under `/v2/alerts`; the credential is the GenieKey. Everything is done before it is answered.

Opsgenie itself works in the background and answers 202 with a `requestId` to ask after. So does this: the id says what
was done to which alert and whether it was, so that no table of requests is needed and any replica can answer. As there,
a verb on an alert that nobody knows is taken (202) and its request says that it failed.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin.bootstrap.house import House
from tocsin.engine.alert_desk import AlertDesk, Held
from tocsin.engine.errors import NotFound, Unavailable
from tocsin.incident import commands
from tocsin.incident.alert import AlertStatus
from tocsin.incident.errors import PermissionRefused
from tocsin.incident.policy import Actor
from tocsin.signals import opsgenie
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import of_key
from tocsin.signals.opsgenie import WireVerb
from tocsin.web.alerts import authorize, hand_over
from tocsin.web.auth import authorization, house_of
from tocsin.web.errors import Unauthenticated
from tocsin.web.limits import retry_after
from tocsin.web.problems import RETRY_SECONDS

ALERTS = "/v2/alerts"
PUT = ("message", "description", "priority")
GENIE_KEY = "geniekey"
PAGE, LONGEST_PAGE = 20, 100
_REQUEST = re.compile(r"(?P<action>[A-Za-z]+)\.(?P<micros>[0-9a-f]{1,16})\.(?P<id>[0-9a-f]{16})\.(?P<done>[01])")
_DONE: Mapping[str, str] = {
    "close": "Close", "acknowledge": "Acknowledge", "notes": "AddNote", "tags": "AddTags", "details": "AddDetails",
    "responders": "AddResponder", "teams": "AddTeam", "assign": "Assign", "escalate": "EscalateToNext",
    "message": "UpdateMessage", "description": "UpdateDescription", "priority": "UpdatePriority",
}  # fmt: skip

Json: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Call:
    """One request of a sender that was let in."""

    request: Request
    house: House
    begun: float

    @property
    def alerts(self) -> AlertDesk:
        """Raises Unavailable while alerts wait that came before: what is asked may be about one of them."""
        self.house.ingest.settled()
        return AlertDesk(self.house.core, self.house.desk.triage)

    @property
    def now(self) -> datetime:
        return self.house.desk.now()

    @property
    def named(self) -> str:
        """The fingerprint of the alert that the path names by id, alias or tiny id; one of nobody when it cannot be."""
        identifier = self.request.path_params["identifier"]
        kind = self.request.query_params.get("identifierType", "id")
        if kind == "alias":
            return of_key(identifier)
        if kind == "tiny":
            return f"{int(identifier):016x}" if re.fullmatch("[0-9]{1,20}", identifier) else ""
        return identifier if re.fullmatch("[0-9a-f]{16}", identifier) else ""

    async def read(self) -> bytes:
        return await self.request.body()

    def answered(self, status: int, *, request_id: str = "", **body: object) -> Response:
        """An answer in Opsgenie's form, with what it took and an id."""
        return JSONResponse(body | {"took": _took(self.begun), "requestId": request_id or secrets.token_hex(8)}, status)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


class Outcome(Struct, frozen=True):
    """What was done to which alert, as its request id tells it again."""

    action: str
    fingerprint: str
    done: bool


def routes() -> list[Route]:
    one = f"{ALERTS}/{{identifier:path}}"
    verbs = [
        Route(f"{one}/{verb}", let_in(_verb(verb)), methods=["PUT" if verb in PUT else "POST"])
        for verb in opsgenie.NEEDED
    ]
    return [
        Route(ALERTS, let_in(_create), methods=["POST"]),
        Route(ALERTS, let_in(_list), methods=["GET"]),
        Route(f"{ALERTS}/requests/{{request_id}}", let_in(_request_status), methods=["GET"]),
        *verbs,
        Route(f"{one}/tags", let_in(_remove_tags), methods=["DELETE"]),
        Route(f"{one}/details", let_in(_remove_details), methods=["DELETE"]),
        Route(one, let_in(_show), methods=["GET"]),
        Route(one, let_in(_delete), methods=["DELETE"]),
    ]


def let_in(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        house, begun = house_of(request), time.monotonic()
        try:
            scheme, given = authorization(request)
            await authorize(request, house, given if scheme == GENIE_KEY else None)
            return await handle(Call(request, house, begun))
        except SignalError as exc:
            return _refused(422, str(exc), begun, errors={exc.field or "body": exc.reason})
        except Unauthenticated as exc:
            return _refused(401, f"Could not authenticate: {exc}", begun)
        except PermissionRefused as exc:
            return _refused(403, str(exc), begun)
        except NotFound as exc:
            return _refused(404, str(exc), begun)
        except Unavailable as exc:
            return _refused(429, str(exc), begun, headers={"Retry-After": retry_after(exc, RETRY_SECONDS)})

    return endpoint


async def _create(call: Call) -> Response:
    alert = opsgenie.decode(await call.read(), at=call.now, minted=secrets.token_hex(16))
    await hand_over(call.house, [alert])
    return _taken(call, Outcome("Create", alert.fingerprint, True))


def _verb(verb: str) -> Handler:
    async def handle(call: Call) -> Response:
        wire = opsgenie.decode_verb(verb, await call.read())
        done = await _carry_out(call, verb, wire)
        if done and wire.note and verb != "notes":
            await call.alerts.note(call.named, Actor(wire.actor), wire.note)
        return _taken(call, Outcome(_DONE[verb], call.named, done))

    return handle


async def _carry_out(call: Call, verb: str, wire: WireVerb) -> bool:
    """Whether there was an alert to do it to."""
    alerts, named, actor = call.alerts, call.named, Actor(wire.actor)
    if verb == "close":
        return await alerts.resolve(named) is not None
    if verb == "acknowledge":
        return await alerts.acknowledge(named, actor, via=opsgenie.SOURCE)
    if verb == "notes":
        return await alerts.note(named, actor, wire.note or "")
    if verb == "assign":
        person = (wire.owner.username or wire.owner.name or wire.owner.id or "") if wire.owner else ""
        return await alerts.decide(named, actor, lambda i, c: commands.assign(i, c, role="commander", person=person))
    if verb == "escalate":
        reason = f"Opsgenie: {wire.escalation.label}" if wire.escalation else "Opsgenie"
        return await alerts.decide(named, actor, lambda i, c: commands.escalate(i, c, reason=reason))
    known = await alerts.tell_anew(named, lambda alert: opsgenie.changed(alert, verb, wire))
    recipient = wire.responder or wire.team
    if known and recipient is not None:
        await alerts.note(named, actor, f"Opsgenie: {recipient.label} is to respond")
    return known


async def _remove_tags(call: Call) -> Response:
    gone = _listed(call, "tags")
    done = await call.alerts.tell_anew(call.named, lambda alert: opsgenie.without_tags(alert, gone))
    return _taken(call, Outcome("RemoveTags", call.named, done))


async def _remove_details(call: Call) -> Response:
    gone = _listed(call, "keys")
    done = await call.alerts.tell_anew(call.named, lambda alert: opsgenie.without_details(alert, gone))
    return _taken(call, Outcome("RemoveDetails", call.named, done))


async def _delete(call: Call) -> Response:
    """What happened is never deleted here: the alert stops, and the incident's timeline says who wanted it gone."""
    query = call.request.query_params
    actor = Actor(opsgenie.actor(query.get("user"), query.get("source")))
    await call.alerts.note(call.named, actor, "Opsgenie: the alert was deleted there")
    done = await call.alerts.resolve(call.named) is not None
    return _taken(call, Outcome("Delete", call.named, done))


async def _show(call: Call) -> Response:
    found = await call.alerts.find(call.named)
    if found is None:
        return _refused(404, f"Alert with [{call.request.path_params['identifier']}] does not exist", call.begun)
    return call.answered(200, data=_view(found))


async def _list(call: Call) -> Response:
    """In the order first seen. Of Opsgenie's queries `status: open` and `status: closed` are understood."""
    query = call.request.query_params
    asked = re.search(r"status\s*[:=]\s*(open|closed)", query.get("query", ""))
    status = {"open": AlertStatus.FIRING, "closed": AlertStatus.RESOLVED}[asked[1]] if asked else None
    skip, limit = _number(query.get("offset"), 0), min(_number(query.get("limit"), PAGE), LONGEST_PAGE)
    found = await call.house.desk.alerts(status=status, skip=skip, limit=limit)
    return call.answered(200, data=[_view(Held(record, None)) for record in found])


async def _request_status(call: Call) -> Response:
    match = _REQUEST.fullmatch(call.request.path_params["request_id"])
    if match is None:
        return _refused(404, "Request not found. It might not be processed, yet.", call.begun)
    found = await call.alerts.find(match["id"])
    done = match["done"] == "1"
    data: Json = {
        "success": done,
        "isSuccess": done,
        "action": match["action"],
        "processedAt": _written(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(match["micros"], 16))),
        "integrationId": "tocsin",
        "status": "Created alert" if match["action"] == "Create" else "Processed" if done else _NOTHING_DONE,
        "alertId": match["id"] if found else "",
        "alias": found.record.alert.group if found else "",
    }
    return call.answered(200, data=data)


_NOTHING_DONE = "Alert does not exist, or its state does not allow this"


def _view(held: Held) -> Json:
    record, incident = held.record, held.incident
    alert = record.alert
    told = alert.annotations
    return {
        "id": alert.fingerprint,
        "tinyId": str(int(alert.fingerprint, 16)) if re.fullmatch("[0-9a-f]{16}", alert.fingerprint) else "",
        "alias": alert.group or alert.fingerprint,
        "message": alert.summary,
        "status": "open" if alert.status is AlertStatus.FIRING else "closed",
        "acknowledged": incident is not None and incident.acknowledged_at is not None,
        "isSeen": incident is not None and incident.acknowledged_at is not None,
        "tags": list(opsgenie.tags_of(alert)),
        "snoozed": False,
        "lastOccurredAt": _written(record.last_seen_at),
        "createdAt": _written(record.first_seen_at),
        "updatedAt": _written(record.last_seen_at),
        "source": told.get("source", alert.source),
        "owner": (incident.commander or "") if incident else "",
        "priority": alert.labels.get("priority", opsgenie.USUAL_PRIORITY),
        "entity": alert.labels.get("entity", ""),
        "description": told.get("description", ""),
        "details": {k: v for k, v in alert.labels.items() if k not in ("priority", "entity")},
        "actions": [action for action in told.get("actions", "").split(", ") if action],
        "responders": [_recipient(label) for label in told.get("responders", "").split(",") if label],
    }


def _recipient(label: str) -> Json:
    kind, _, name = label.rpartition(" ")
    return {"type": kind or "team", "name": name}


def _taken(call: Call, outcome: Outcome) -> Response:
    micros = (call.now - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    named = outcome.fingerprint or "0" * 16
    request_id = f"{outcome.action}.{micros:x}.{named}.{int(outcome.done)}"
    return call.answered(202, request_id=request_id, result="Request will be processed")


def _refused(
    status: int,
    message: str,
    begun: float,
    *,
    errors: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body: Json = {"message": message, "took": _took(begun), "requestId": secrets.token_hex(8)}
    if errors:
        body["errors"] = dict(errors)
    return JSONResponse(body, status, headers=headers)


def _listed(call: Call, name: str) -> tuple[str, ...]:
    found = tuple(word for word in call.request.query_params.get(name, "").split(",") if word)
    if not found:
        raise SignalError("missing", name)
    return found


def _number(given: str | None, usual: int) -> int:
    return int(given) if given and given.isascii() and given.isdigit() and len(given) < 10 else usual


def _took(begun: float) -> float:
    """Seconds."""
    return round(time.monotonic() - begun, 3)


def _written(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
