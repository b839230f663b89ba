"""What runners near the cluster ask over HTTP: their token opens that and nothing else."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from sites import ELSEWHERE, Site, reaching, refusal

from tocsin.engine.credentials import RUNNER, mint
from tocsin.incident.policy import Role
from tocsin.procedures.remote.dispatch import Dispatch
from tocsin.store.errors import StoreUnavailable

POLL = {"session": "s", "protocol": 1}


def dispatching(site: Site) -> Dispatch:
    site.house.dispatch = Dispatch(wait=timedelta(seconds=5), lease=timedelta(seconds=5))
    return site.house.dispatch


async def near(site: Site) -> httpx.AsyncClient:
    token = mint(site.store, name="near", role=Role.VIEWER, kind=RUNNER, now=site.clock.now(), lasts=None)
    client = reaching(site.app, {"Authorization": f"Bearer {token}"}, ELSEWHERE)
    return await site.kept_open.enter_async_context(client)


async def test_a_runner_is_told_what_there_is_to_do_and_seen_by_others(site: Site) -> None:
    dispatching(site)
    runner = await near(site)
    answer = await runner.post("/api/v1/runner/poll", json=POLL | {"documents": [site.house.reading.runbook.digest]})
    assert (answer.status_code, answer.json()["jobs"], answer.json()["name"]) == (200, [], "near")
    runners = [{"name": "near", "same_runbook": True, "running": 0}]
    assert await site.get("/runners") == {"where": "remote", "runners": runners}


async def test_a_runners_token_opens_nothing_else(site: Site) -> None:
    dispatching(site)
    runner = await near(site)
    await site.declare()
    for path in ("/incidents", "/incidents/1", "/runners", "/runbook"):
        refusal(await runner.get(f"/api/v1{path}"), 401)
    refusal(await runner.post("/api/v1/incidents/1/mitigations/rollback", json={}), 401)
    refusal(await runner.post("/api/v1/alerts/generic", json={"title": "x"}), 401)


async def test_nobody_elses_token_takes_steps(site: Site) -> None:
    dispatching(site)
    for client in (site.ask, await site.of(Role.ADMIN), await site.of(None)):
        problem = refusal(await client.post("/api/v1/runner/poll", json=POLL), 401)
        assert "tocsin token create NAME --role runner" in problem["detail"]


async def test_a_server_that_runs_steps_itself_says_so(site: Site) -> None:
    runner = await near(site)
    assert 'where = "remote"' in refusal(await runner.post("/api/v1/runner/poll", json=POLL), 409)["detail"]
    assert await site.get("/runners") == {"where": "server", "runners": []}


async def test_a_runner_of_another_version_is_turned_away(site: Site) -> None:
    dispatching(site)
    runner = await near(site)
    answer = await runner.post("/api/v1/runner/poll", json=POLL | {"protocol": 99})
    assert "different versions" in refusal(answer, 409)["detail"]


async def test_a_runner_let_in_a_moment_ago_stays_while_the_database_is_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatching(site)
    runner, stranger = await near(site), await near(site)
    assert (await runner.post("/api/v1/runner/poll", json=POLL)).is_success

    async def away(*_: object) -> None:
        raise StoreUnavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(site.house.credentials, "check", away)
        assert (await runner.post("/api/v1/runner/progress", json={"session": "s", "jobs": []})).is_success
        refusal(await stranger.post("/api/v1/runner/poll", json=POLL), 503)
    site.store.write(lambda tx: [tx.drop_token(t.hash) for t in tx.all_tokens() if t.kind == RUNNER]).result()
    refusal(await runner.post("/api/v1/runner/progress", json={"session": "s", "jobs": []}), 401)


async def test_garbage_is_refused(site: Site) -> None:
    dispatching(site)
    runner = await near(site)
    for name in ("poll", "begin", "refuse", "progress", "end"):
        refusal(await runner.post(f"/api/v1/runner/{name}", content=b'{"session": 1'), 400)


async def test_a_result_of_a_job_that_is_not_known_is_gone(site: Site) -> None:
    dispatching(site)
    runner = await near(site)
    refusal(await runner.post("/api/v1/runner/end", json={"session": "s", "job": "x"}), 410)
    kept = await runner.post("/api/v1/runner/progress", json={"session": "s", "jobs": ["x"]})
    assert kept.json() == {"stopped": ["x"]}
