"""Runs over HTTP: what their steps say as server-sent events, and stopping them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from engines import until
from sites import Site, refusal

from tocsin.incident.policy import Role
from tocsin.web.running import lines


async def begun(site: Site) -> None:
    """A run under way in its first step; the engine turns."""
    await site.declare()
    await until(lambda: assessed(site))
    site.runner.held.clear()
    site.runner.begun.clear()
    await site.post("/1/procedures/high-error-rate", {"steps": [1]}, 202)
    await until(lambda: speaking(site))


async def assessed(site: Site) -> bool:
    return bool((await site.shown())["runs"][0]["status"] == "done") and not site.house.engine.in_hand


async def speaking(site: Site) -> bool:
    return bool(site.runner.begun)


async def told(site: Site) -> list[tuple[str, dict[str, Any]]]:
    """The events of the second run, to its end."""
    incident = await site.house.desk.incident("1")
    found = []
    async for event in lines(site.house, incident, "2"):
        for one in event.decode().strip().split("\n\n"):
            if one.startswith("event: "):
                kind, data = one.split("\n")
                found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_every_viewer_is_told_all_of_it_early_or_late(site: Site) -> None:
    async with site.turning():
        await begun(site)
        early = asyncio.ensure_future(told(site))
        await asyncio.sleep(0.02)
        site.runner.held.set()
        seen = await early
        late = await told(site)
    assert [kind for kind, _ in seen] == [kind for kind, _ in late] == ["output", "step", "end"]
    assert seen == late
    assert seen[0][1]["text"].startswith("ran kubectl")
    assert seen[-1][1] == {"status": "done"}


async def test_a_run_is_cancelled_over_http(site: Site) -> None:
    async with site.turning():
        await begun(site)
        seen = asyncio.ensure_future(told(site))
        await asyncio.sleep(0.02)
        shown = await site.post("/1/runs/2/cancel", {"reason": "not needed"})
        assert shown["runs"][1]["status"] == "cancelled"
        assert (await seen)[-1] == ("end", {"status": "cancelled"})
    again = await site.ask.post("/api/v1/incidents/1/runs/2/cancel")
    assert "cancelled already" in refusal(again, 409)["detail"]


async def test_the_stream_is_sent_as_server_sent_events(site: Site) -> None:
    async with site.turning():
        await begun(site)
        site.runner.held.set()
        answer = await site.ask.get("/api/v1/incidents/1/runs/2/stream")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.endswith('event: end\ndata: {"status": "done"}\n\n')


async def test_what_is_not_there_is_not_found_and_strangers_see_nothing(site: Site) -> None:
    await site.declare()
    for path in ("runs/9/stream", "approvals/9/stream"):
        refusal(await site.ask.get(f"/api/v1/incidents/1/{path}"), 404)
        stranger = await site.of(None)
        refusal(await stranger.get(f"/api/v1/incidents/1/{path}"), 401)
    refusal(await site.ask.post("/api/v1/incidents/1/runs/9/cancel"), 404)
    viewer = await site.of(Role.VIEWER)
    refusal(await viewer.post("/api/v1/incidents/1/runs/1/cancel"), 403)


async def test_only_the_commander_stops_a_mitigation(site: Site) -> None:
    await site.declare()
    await site.post("/1/mitigations/rollback", {}, 202)
    answer = await site.ask.post("/api/v1/incidents/1/approvals/1/cancel", json={"reason": "no"})
    assert "takes the incident's commander" in refusal(answer, 403)["detail"]
    carla = await site.of(Role.COMMANDER)
    waiting = await carla.post("/api/v1/incidents/1/approvals/1/cancel", json={"reason": "no"})
    assert "does not run: reject it" in refusal(waiting, 409)["detail"]
