"""PagerDuty's Events API: `POST /v2/enqueue` and version 1's `create_event.json`. The routing key is the credential.

Its senders try again on 429 and 5xx alone, so a database that refuses is their 429, and what is wrong with an event is
said in PagerDuty's own form.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin.bootstrap.house import House
from tocsin.engine.alert_desk import AlertDesk
from tocsin.engine.errors import Unavailable
from tocsin.incident.errors import PermissionRefused
from tocsin.incident.policy import Actor
from tocsin.signals import pagerduty
from tocsin.signals.errors import SignalError
from tocsin.signals.pagerduty import Action, Event
from tocsin.web.alerts import authorize, hand_over
from tocsin.web.auth import house_of
from tocsin.web.errors import Unauthenticated
from tocsin.web.limits import retry_after
from tocsin.web.problems import RETRY_SECONDS

ENQUEUE, CREATE_EVENT = "/v2/enqueue", "/generic/2010-04-15/create_event.json"


class Decoder(Protocol):
    def __call__(self, body: bytes, *, at: datetime, minted: str) -> Event: ...


class Form(Protocol):
    """How one version of the API words an answer."""

    def __call__(self, event: Event) -> Response: ...


def routes() -> list[Route]:
    return [
        Route(ENQUEUE, _taking(pagerduty.decode, _accepted), methods=["POST"]),
        Route(CREATE_EVENT, _taking(pagerduty.decode_v1, _accepted_v1), methods=["POST"]),
    ]


def _taking(decode: Decoder, accepted: Form) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        house = house_of(request)
        body = await request.body()
        if len(body) > pagerduty.BODY_LIMIT:
            return _refused(413, f"the body is larger than {pagerduty.BODY_LIMIT:,} bytes")
        try:
            event = decode(body, at=house.desk.now(), minted=secrets.token_hex(16))
            await authorize(request, house, event.credential)
            await _carry_out(house, event)
        except SignalError as exc:
            return _refused(400, str(exc))
        except (Unauthenticated, PermissionRefused) as exc:
            return _refused(400, f"routing_key: {exc}")
        except Unavailable as exc:
            return _refused(429, str(exc), headers={"Retry-After": retry_after(exc, RETRY_SECONDS)})
        return accepted(event)

    return endpoint


async def _carry_out(house: House, event: Event) -> None:
    """An event for a key that nobody knows is taken and does nothing, as with PagerDuty."""
    if event.alert is not None:
        await hand_over(house, [event.alert])
        return
    house.ingest.settled()  # it may be about an alert that is not taken in yet
    alerts = AlertDesk(house.core, house.desk.triage)
    if event.action is Action.ACKNOWLEDGE:
        await alerts.acknowledge(event.fingerprint, Actor(event.actor), via=pagerduty.SOURCE)
    else:
        await alerts.resolve(event.fingerprint)


def _accepted(event: Event) -> Response:
    return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": event.key}, 202)


def _accepted_v1(event: Event) -> Response:
    return JSONResponse({"status": "success", "message": "Event processed", "incident_key": event.key})


def _refused(status: int, reason: str, *, headers: dict[str, str] | None = None) -> Response:
    said = {400: "invalid event", 413: "invalid event"}.get(status, "throttle exceeded")
    message = "Event object is invalid" if said == "invalid event" else "Requests are being refused now: send it again"
    return JSONResponse({"status": said, "message": message, "errors": [reason]}, status, headers=headers)
