"""`POST /api/v1/alerts/...`: alerts in. Plain routes, for speed; 2xx only once every alert of the body is durable.

A body is taken whole or not at all. Senders try again on 5xx only, so a body that cannot be read is their 4xx for good.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Protocol

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tocsin.bootstrap.house import House
from tocsin.bootstrap.senders import expressions_of, heartbeats
from tocsin.engine.credentials import API
from tocsin.engine.errors import NotFound
from tocsin.engine.ingest_log import NO_NOTES
from tocsin.engine.intake import Receipt
from tocsin.incident.alert import Alert
from tocsin.incident.errors import PermissionRefused
from tocsin.incident.policy import Role
from tocsin.signals import alertmanager, datadog, generic, grafana, healthchecks, mapped, sentry, sns, uptime_kuma
from tocsin.signals.heartbeat import beat, told_apart
from tocsin.web.auth import authorization, basic_password, house_of
from tocsin.web.errors import Unauthenticated
from tocsin.web.express import Json
from tocsin.web.inspector import came_from, saw, sender_of
from tocsin.web.limits import Limits
from tocsin.web.sns import vouched_for


class Decoder(Protocol):
    """The alerts of a body that arrived `at`; raises SignalError."""

    def __call__(self, body: bytes, *, at: datetime) -> list[Alert]: ...


DECODERS: Mapping[str, Decoder] = MappingProxyType(
    {
        "alertmanager": lambda body, *, at: alertmanager.decode(body),
        "grafana": grafana.decode,
        "generic": generic.decode,
        "sns": sns.decode,
        "datadog": datadog.decode,
        "sentry": sentry.decode,
        "uptime-kuma": uptime_kuma.decode,
        "healthchecks": healthchecks.decode,
    }
)
_FROM_ELSEWHERE = (
    "alerts are taken from this machine only: set [sources.alerts] token in tocsin.toml and send it along "
    "(Authorization: Bearer TOKEN, or ?token=TOKEN)"
)
_NOT_LET_IN = (
    "send the token of [sources.alerts], or an API token with the role responder "
    "(Authorization: Bearer TOKEN, or ?token=TOKEN)"
)
log = structlog.get_logger()
ALERTMANAGER_API = "/api/v2/alerts"
MAPPED = "/api/v1/alerts/mapped"
_SPOKEN_FOR = frozenset((b"forwarded", b"x-forwarded-for", b"x-real-ip", b"origin"))


def routes() -> list[Route]:
    taken = [Route(f"/api/v1/alerts/{name}", _taking(decode), methods=["POST"]) for name, decode in DECODERS.items()]
    by_mapping = Route(f"{MAPPED}/{{name}}", _taking_mapped, methods=["POST"])
    return [*taken, by_mapping, Route(ALERTMANAGER_API, _as_alertmanager, methods=["POST"])]


async def take(house: House, alerts: list[Alert]) -> Response:
    """Hands decoded alerts over and says what came of each."""
    receipts = await hand_over(house, alerts)
    return Json(msgspec.json.encode({"alerts": receipts}))


async def hand_over(house: House, alerts: list[Alert]) -> list[Receipt]:
    """What came of each alert, once all of them, and the heartbeats that they beat, are durable."""
    for asking in (alert for alert in alerts if alert.name == sns.CONFIRMATION):
        log.warning(
            "sns_topic_to_confirm", topic=asking.labels.get("topic"), see=f"/api/v1/alerts?q={sns.CONFIRMATION}"
        )
    kept, beaten = told_apart(alerts, heartbeats(house.settings))
    receipts = await house.ingest.take(kept, beat(*beaten, at=house.desk.now()) if beaten else NO_NOTES)
    saw(kept, receipts)
    return receipts


async def authorize(request: Request, house: House, secret: str | None = None) -> None:
    """Lets a sender in by the alert token, an API token of a responder, or for being on this machine.

    `secret` is what the sender's own protocol carries as credential; None looks where HTTP has it. Raises
    Unauthenticated, PermissionRefused for a token that may only look, or Throttled.
    """
    who = await _known(request, house, secret)
    came_from(who)
    limits: Limits = request.app.state.limits
    limits.take(sender_of(request.scope["path"]), who, house.desk.now())


async def _known(request: Request, house: House, secret: str | None) -> str:
    """Whose credential it is, as people may read it."""
    secret = _credential(request) if secret is None else secret
    if secret and house.alert_token and _same(secret, house.alert_token):
        return "the token of [sources.alerts]"
    actor = await house.credentials.check(secret, API) if secret else None
    if actor is not None:
        if not actor.role.includes(Role.RESPONDER):
            raise PermissionRefused(f"{actor.name} is {actor.role}: sending alerts takes the role {Role.RESPONDER}")
        return actor.name
    if house.alert_token is None and _is_local(request):
        return "this machine"
    raise Unauthenticated(_NOT_LET_IN if house.alert_token else _FROM_ELSEWHERE)


def _taking(decode: Decoder) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        house = house_of(request)
        await authorize(request, house)
        body = await request.body()
        believed = decode is not sns.decode or await vouched_for(request, house, body)
        return await take(house, decode(body, at=house.desk.now()) if believed else [])

    return endpoint


async def _taking_mapped(request: Request) -> Response:
    """JSON of any shape, read as `[[sources.mappings]]` of that name says."""
    house = house_of(request)
    await authorize(request, house)
    name = request.path_params["name"]
    expressions = expressions_of(house.settings, name)
    if expressions is None:
        raise NotFound(f"no mapping {name!r}: declare it under [[sources.mappings]] in tocsin.toml")
    return await take(house, mapped.decode(await request.body(), expressions, at=house.desk.now()))


async def _as_alertmanager(request: Request) -> Response:
    """Alertmanager's own API: an empty 200, which is all that Prometheus looks for."""
    house = house_of(request)
    await authorize(request, house)
    await hand_over(house, alertmanager.decode_api(await request.body(), at=house.desk.now()))
    return Response()


def _credential(request: Request) -> str:
    scheme, given = authorization(request)
    if scheme == "bearer":
        return given
    if scheme == "basic":
        return basic_password(given) or ""
    return request.query_params.get("token", "") if request.scope["query_string"] else ""


def _same(given: str, token: str) -> bool:
    """Compared in constant time, so that answers do not tell how much of a guess was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _is_local(request: Request) -> bool:
    """Whether a program on this machine asks by itself.

    A proxy on this machine speaks for others, and so does a browser: pages of any site may post to loopback, and
    browsers then say which site in Origin.
    """
    client, names = request.scope.get("client"), [name for name, _ in request.scope["headers"]]
    return client is not None and _SPOKEN_FOR.isdisjoint(names) and _is_loopback(client[0])


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    try:
        return _plain(ip_address(host)).is_loopback
    except ValueError:
        return False


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that came over an IPv6 socket, as itself."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
