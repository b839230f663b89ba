"""`GET /api/v1/runners`: which runners ask for work now."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from typing_extensions import TypedDict

from tocsin.web.auth import Here, viewer

router = APIRouter(prefix="/api/v1", tags=["procedures"])


class RunnerJson(TypedDict):
    """`same_runbook` is whether it has the edition of every runbook that is in force; `running` counts what it has in
    hand."""

    name: str
    same_runbook: bool
    running: int


class RunnersJson(TypedDict):
    """`where` is `server` or `remote`; only a remote one has `runners`."""

    where: str
    runners: list[RunnerJson]


@router.get("/runners", dependencies=[Depends(viewer)])
async def runners(house: Here) -> RunnersJson:
    if house.dispatch is None:
        return {"where": "server", "runners": []}
    digests = {reading.runbook.digest for reading, _ in house.runbooks().values()}
    found: list[RunnerJson] = [
        {"name": one.name, "same_runbook": digests <= set(one.documents), "running": one.running}
        for one in house.dispatch.connected()
    ]
    return {"where": "remote", "runners": found}
