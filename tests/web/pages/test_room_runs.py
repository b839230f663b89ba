"""Runs in the room: what steps say while they run, and the hand that stops them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from markupsafe import Markup

from tocsin.incident.policy import Role
from tocsin.web.pages.live_view import fill, mark

ROOM = "/incidents/1"
EVIL = "</pre><script>alert(1)</script>\u202egnp"


async def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("in vain")


@asynccontextmanager
async def held(site: Any) -> AsyncIterator[None]:
    """The engine turns, and no step comes to its end before the block does."""
    site.runner.held.clear()
    async with site.turning():
        yield
        site.runner.held.set()


async def test_what_a_running_step_has_said_stands_on_the_page(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(service="backend")
    ana = await browse()
    async with held(site):
        await ana.send(f"{ROOM}/run", procedure="high-error-rate")
        await until(lambda: "Find the errors of the last half hour" in site.runner.begun)
        page = await ana.get(ROOM)
    assert "ran kubectl logs deployment/backend" in shown(page)
    assert 'data-stream="/api/v1/incidents/1/runs/' in page.text
    assert "Cancel this run" in page.text


async def test_the_refreshed_parts_leave_the_text_to_the_stream(site: Any, browse: Any) -> None:
    await site.declare(service="backend")
    ana = await browse()
    async with held(site):
        await ana.send(f"{ROOM}/run", procedure="high-error-rate")
        await until(lambda: "Find the errors of the last half hour" in site.runner.begun)
        page, part = await ana.get(ROOM), await ana.get(f"{ROOM}/parts", **{"HX-Request": "true"})
    digest = next(line for line in page.text.splitlines() if 'id="investigate"' in line).partition("data-digest=")[2]
    assert digest.rstrip(">") in part.text
    assert "ran kubectl logs" not in part.text


async def test_a_responder_cancels_a_run_and_what_it_said_is_kept(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(service="backend")
    ana = await browse()
    async with held(site):
        await ana.send(f"{ROOM}/run", procedure="high-error-rate")
        await until(lambda: "Find the errors of the last half hour" in site.runner.begun)
        run = (await site.shown())["runs"][-1]["id"]
        assert (await ana.send(f"{ROOM}/cancel", run=run)).status_code == 303
        assert (await site.get(f"/incidents/1/runs/{run}"))["status"] == "cancelled"
        again = await ana.send(f"{ROOM}/cancel", run=run)
    assert again.status_code == 409
    assert "there is nothing to stop" in shown(again)


async def test_a_viewer_sees_the_output_and_cannot_cancel(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(service="backend")
    async with held(site):
        await (await browse()).send(f"{ROOM}/run", procedure="high-error-rate")
        await until(lambda: "Find the errors of the last half hour" in site.runner.begun)
        viewer = await browse(Role.VIEWER, name="Vera")
        page = await viewer.get(ROOM)
        assert (await viewer.send(f"{ROOM}/cancel", run="1")).status_code == 403
    assert "ran kubectl logs deployment/backend" in shown(page)
    assert "Cancel this run" not in page.text


async def test_a_mitigation_speaks_while_it_runs_and_its_commander_can_stop_it(
    site: Any, browse: Any, shown: Any
) -> None:
    await site.declare(service="backend")
    ana, ben = await browse(), await browse(name="Ben")
    await ana.send(f"{ROOM}/acknowledge")
    async with held(site):
        await ana.send(f"{ROOM}/propose", mitigation="rollback")
        await ana.send(f"{ROOM}/approve", approval="1")
        await until(lambda: "Rollback" in site.runner.begun)
        page = await ana.get(ROOM)
        assert "ran kubectl rollout undo" in shown(page)
        assert "Stop it half-way" in page.text
        assert "Stop it half-way" not in (await ben.get(ROOM)).text
        await ana.send(f"{ROOM}/stop", approval="1", reason="wrong cluster")
        text = shown(await ana.get(ROOM))
    assert "OUTCOME UNKNOWN" in text
    assert "wrong cluster" in text


def test_what_a_step_says_is_text() -> None:
    found = fill(Markup("<pre>") + mark("r1", 2) + Markup("</pre>"), lambda run, index: (EVIL, EVIL))
    assert "<script" not in found
    assert "\u202e" not in found
    assert '<span class="err">&lt;/pre&gt;' in found


def test_a_mark_in_somebodys_text_is_not_filled() -> None:
    assert fill(Markup("<p>{}</p>").format("<!--said:r1:1-->"), lambda run, index: ("secret", "")).count("secret") == 0
