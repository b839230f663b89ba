"""`/healthz`, `/readyz`, `/metrics`: whether the process lives, whether it does its work, and counts. No credential.

Names and texts of incidents never leave here: only numbers do.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.engine.errors import Unavailable
from tocsin.web.auth import Here
from tocsin.web.errors import NotReady

router = APIRouter(tags=["health"])
STALE = timedelta(seconds=5)
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_WAITING = "alerts wait in the spool and are taken in by themselves"


@router.get("/healthz")
async def alive() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "What does not work, by name."}})
async def ready(house: Here, to: Literal["work", "alerts"] = "work") -> dict[str, str | int]:
    """200 when the database answers and the engine turns; 503 naming what does not.

    `?to=alerts` asks only whether alerts are taken: with a spool they are while the database is away.
    """
    if to == "alerts" and _takes_alerts(house):
        return {"status": "ready", "spooled": house.ingest.waiting}
    await _looked_at(house)
    age = engine_age(house.engine.alive, house.core.clock.now())
    if age is None:
        raise NotReady("the engine has not turned yet")
    if age > STALE:
        raise NotReady(f"the engine has not turned for {age.total_seconds():.0f} s")
    return {"status": "ready", "database": "ok", "engine": "ok", "spooled": house.ingest.waiting}


@router.get("/metrics", response_class=Response)
async def metrics(house: Here) -> Response:
    """Prometheus text format; also while the database is away."""
    return Response(await asyncio.to_thread(_scraped, house), media_type=_METRICS_TYPE)


def engine_age(turned: datetime | None, now: datetime) -> timedelta | None:
    """How long ago the engine last turned; None when it never did."""
    return None if turned is None else max(timedelta(0), now - turned)


def waiting(house: House) -> str:
    """What a refusal adds while the spool holds alerts; empty when it holds none."""
    return f"; {house.ingest.waiting} {_WAITING}" if house.ingest.waiting else ""


def _takes_alerts(house: House) -> bool:
    return house.spooled is not None and house.spooled.size < house.settings.ingest.spool_mb * 1_000_000


async def _looked_at(house: House) -> None:
    """Raises NotReady saying how the database refuses, and how many alerts wait for it."""
    try:
        await house.core.read(lambda tx: tx.last_position())
    except Unavailable as exc:
        raise NotReady(f"{exc}{waiting(house)}") from exc
    trouble = house.ingest.trouble or ("the database refuses to write" if house.core.meters.refusing else None)
    if trouble is not None:
        raise NotReady(f"{trouble}{waiting(house)}")


def _scraped(house: House) -> bytes:
    from tocsin.web.metrics import scrape  # its library is loaded by the first scrape, not by every start

    return scrape(house)
