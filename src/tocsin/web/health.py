"""`/healthz`, `/readyz`, `/metrics`: whether the process lives, whether it does its work, and counts. No credential.

Names and texts of incidents never leave here: only numbers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

from tocsin.incident.state import Status
from tocsin.web.auth import Here
from tocsin.web.errors import NotReady

router = APIRouter(tags=["health"])
STALE = timedelta(seconds=5)
WORK_STATES = ("pending", "leased", "done", "failed")


@router.get("/healthz")
async def alive() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz")
async def ready(house: Here) -> dict[str, str]:
    """200 when the database answers and the engine turns; 503 naming what does not."""
    await house.core.read(lambda tx: tx.last_position())
    age = engine_age(house.engine.alive, house.core.clock.now())
    if age is None:
        raise NotReady("the engine has not turned yet")
    if age > STALE:
        raise NotReady(f"the engine has not turned for {age.total_seconds():.0f} s")
    return {"status": "ready", "database": "ok", "engine": "ok"}


@router.get("/metrics", response_class=Response)
async def metrics(house: Here) -> Response:
    """Prometheus text format."""
    incidents, work = await house.core.read(lambda tx: (tx.incident_counts(), tx.work_counts()))
    age = engine_age(house.engine.alive, house.core.clock.now())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counted(incidents, work, age, len(house.troubles)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def engine_age(turned: datetime | None, now: datetime) -> timedelta | None:
    """How long ago the engine last turned; None when it never did."""
    return None if turned is None else max(timedelta(0), now - turned)


class _Counted:
    """One scrape's numbers, as the client library collects them."""

    def __init__(
        self, incidents: Mapping[str, int], work: Mapping[str, int], age: timedelta | None, troubles: int
    ) -> None:
        self._incidents = {status.value: 0 for status in Status} | dict(incidents)
        self._work = dict.fromkeys(WORK_STATES, 0) | dict(work)
        self._age = age
        self._troubles = troubles

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _by("tocsin_incidents", "Incidents by status.", "status", self._incidents)
        yield _by("tocsin_work_items", "Messages, runs and mitigations by state.", "state", self._work)
        yield GaugeMetricFamily(
            "tocsin_sources_in_trouble", "Sources that cannot be reached now.", value=self._troubles
        )
        if self._age is not None:
            yield GaugeMetricFamily(
                "tocsin_engine_last_turn_age_seconds", "Since the engine last turned.", value=self._age.total_seconds()
            )


def _by(name: str, documentation: str, label: str, counts: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family
