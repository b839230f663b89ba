"""The public status page's documents: Statuspage-compatible JSON and the Atom feed. No credential, nothing internal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.config import Settings
from tocsin.statuspage.feed import MEDIA_TYPE as ATOM
from tocsin.statuspage.feed import atom
from tocsin.statuspage.summary import documents
from tocsin.statuspage.view import Component, PageInfo, PublicIncident, public_view

router = APIRouter(tags=["status page"])
MAX_AGE_SECONDS = 30
PAST = 50
"""Incidents shown beside the open ones."""
DOCUMENTS = (
    "summary.json",
    "status.json",
    "components.json",
    "incidents.json",
    "incidents/unresolved.json",
    "scheduled-maintenances.json",
    "scheduled-maintenances/upcoming.json",
    "scheduled-maintenances/active.json",
)


def page_info(settings: Settings) -> PageInfo:
    """The public page's name and address; its id stays as long as the address does."""
    url = (settings.status_page.url or f"{settings.public_url.rstrip('/')}/status").rstrip("/")
    return PageInfo(id=_id("page", url), name=settings.status_page.title, url=url)


def components(settings: Settings) -> tuple[Component, ...]:
    """The configured services, as the public knows them."""
    return tuple(Component(id=_id("component", name), name=name, service=name) for name in settings.services)


async def public_incidents(house: House) -> tuple[PublicIncident, ...]:
    """What was published: every open incident, and the latest of the others."""
    desk = house.desk
    found = {i.id: i for i in (*await desk.incidents(over=False, limit=1000), *await desk.incidents(limit=PAST))}
    views = (public_view(i, desk.policy_of(i).runbook) for i in found.values())
    return tuple(view for view in views if view is not None)


class Published:
    """The page's documents, made anew only when something was committed since, or the minute changed."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._made: tuple[tuple[int, datetime], dict[str, bytes]] | None = None

    async def documents(self) -> dict[str, bytes]:
        """Every document by its path; JSON below `api/v2/`, and `feed.atom`."""
        position = await self._house.core.read(lambda tx: tx.last_position())
        now = self._house.core.clock.now()
        asof = (position, now.replace(second=0, microsecond=0))
        if self._made is None or self._made[0] != asof:
            self._made = (asof, self._render(await public_incidents(self._house), now))
        return self._made[1]

    def _render(self, incidents: Sequence[PublicIncident], now: datetime) -> dict[str, bytes]:
        settings = self._house.settings
        page, parts = page_info(settings), components(settings)
        made = documents(page, incidents, parts, now)
        written = {f"api/v2/{path}": msgspec.json.encode(document) for path, document in made.items()}
        return {**written, "feed.atom": atom(page, incidents, now)}


async def _document(request: Request) -> Response:
    published: Published = request.app.state.published
    path = request.url.path.removeprefix("/").removeprefix("status/")
    body = (await published.documents())[path]
    return cached(request, body, ATOM if path == "feed.atom" else "application/json")


def cached(request: Request, body: bytes, media_type: str) -> Response:
    """The body for any reader on any site, or 304 when the reader has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": f"public, max-age={MAX_AGE_SECONDS}",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    had = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
    if tag in had or "*" in had:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _id(kind: str, name: str) -> str:
    return hashlib.sha256(f"tocsin:{kind}:{name}".encode()).hexdigest()[:12]


for _path in DOCUMENTS:
    router.add_api_route(f"/api/v2/{_path}", _document, methods=["GET"], response_class=Response, name=_path)
router.add_api_route("/status/feed.atom", _document, methods=["GET"], response_class=Response, name="feed.atom")
