"""Secrets that steps print stand on no page, in no answer of the API, in no log and in no byte of the database."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from engines import until
from structlog.testing import capture_logs
from telling import SECRETS, stored, telling

from tocsin.engine.policies import Policies
from tocsin.incident.policy import Role
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.runner import Runner, Settings

MOST = 120
_LINKS = re.compile(r'(?:href|hx-get|src|data-stream)="(/[^"#]*)')
_NOT_READ = ("/static/", "/signout", "/api/v1/stream")


@pytest.fixture(autouse=True)
def said() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as logged:
        yield logged


async def everything(client: httpx.AsyncClient, starts: list[str]) -> dict[str, str]:
    """Each page that can be reached from these, with what it says."""
    found: dict[str, str] = {}
    pending = list(starts)
    while pending and len(found) < MOST:
        path = pending.pop(0)
        if path in found or path.startswith(_NOT_READ):
            continue
        answer = await client.get(path, headers={"Accept": "text/html"})
        found[path] = answer.text
        if "text/html" in answer.headers.get("content-type", ""):
            pending += [unescape(one) for one in _LINKS.findall(answer.text)]
    return found


async def test_no_page_and_no_answer_holds_one(
    site: Any, tmp_path_factory: pytest.TempPathFactory, said: list[MutableMapping[str, Any]]
) -> None:
    core = site.house.core
    policy = replace(core.policies.current, runbook=telling(tmp_path_factory.mktemp("secrets")))
    core.policies = Policies(policy, lambda digest: None)
    runner = StepRunner(Runner(Settings(timeout=timedelta(seconds=20))))
    site.house.desk._runner = site.house.engine._worker._runner = runner
    await site.declare()
    await site.post("/1/mitigations/rollback", {}, 202)
    ben = await site.of(Role.RESPONDER, name="Ben")
    assert (await ben.post("/api/v1/incidents/1/approvals/1", json={"decision": "approve"})).is_success

    async def ended() -> bool:
        now = await site.shown()
        return bool(now["runs"][0]["status"] != "running" and now["approvals"][0]["status"] == "failed")

    async with site.turning():
        await until(ended)
    starts = ["/", "/incidents/1", "/incidents/1/timeline", "/postmortem/1", "/postmortem/1.md", "/status", "/runbook"]
    pages = await everything(await site.signed_in(Role.RESPONDER), starts)
    api = ["", "/timeline?limit=1000", "/runs/1", "/runs/1/stream", "/approvals/1/stream", "/postmortem?format=json"]
    answers = await everything(site.ask, [f"/api/v1/incidents/1{path}" for path in api])
    kept = [path for path in pages if "/evidence/" in path]
    assert len(kept) >= 6
    assert any("[redacted" in pages[path] for path in kept)
    assert "[redacted" in answers["/api/v1/incidents/1/runs/1/stream"]
    told = [*pages.values(), *answers.values(), repr(said), stored(Path(site.store.path))]
    assert "[redacted" in told[-1]
    assert [secret for secret in SECRETS for text in told if secret in text] == []
