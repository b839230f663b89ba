"""`tocsin runner` as a process beside a server that has no kubectl: the main job, and kill -9 of either side."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nearby import Near, kubectl
from serving import Server

from tocsin.config import default_runbook
from tocsin.lab.alerting import Rule, webhook_body
from tocsin.lab.production import Production

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]
SETTINGS = """
runbook = 'incident-response.md'
database = "sqlite:///tocsin.db"
public_url = "http://127.0.0.1:{port}"
[severity]
critical = "SEV1"
[roles]
"*" = "ana"
[people.ana]
name = "Ana"
[services.backend]
match = {service = "backend"}
[sources.alerts]
token = "env:TOCSIN_ALERT_TOKEN"
[runner]
where = "remote"
wait = "WAIT"
lease = "LEASE"
[procedures.environment]
PATH = "/nowhere"
"""


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    book = default_runbook().read_text(encoding="utf-8").replace("15-30 minutes", "2-4 seconds")
    (tmp_path / "incident-response.md").write_text(book.replace("watch -n 30", "watch -n 1"), encoding="utf-8")
    wait, lease = getattr(request, "param", ("60s", "15s"))
    found = Server(tmp_path, SETTINGS.replace("WAIT", wait).replace("LEASE", lease))
    try:
        found.start()
        yield found
    finally:
        found.stop()
        found.client.close()


def near(server: Server, environment: dict[str, str]) -> Near:
    token = server.token("cluster-a", "runner")["Authorization"].removeprefix("Bearer ")
    copy = server.folder / "own" / "incident-response.md"
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes((server.folder / "incident-response.md").read_bytes())
    return Near(server.folder / "near", server, token, runbook=copy, environment=environment)


class Room:
    """Incident 1 as two people see it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ana, self.ben = server.token("Ana"), server.token("Ben")

    def shown(self) -> dict[str, Any]:
        answer = self.server.client.get("/api/v1/incidents/1", headers=self.ana)
        return answer.json() if answer.is_success else {}

    def post(self, path: str, who: dict[str, str], **body: object) -> dict[str, Any]:
        answer = self.server.client.post(f"/api/v1/incidents/1/{path}", json=body, headers=who)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def approved(self) -> None:
        self.post("mitigations/rollback", self.ana)
        self.post("approvals/1", self.ben, decision="approve")

    def approval(self) -> str:
        return " ".join(str(a["status"]) for a in self.shown().get("approvals", []))


def opened(server: Server) -> Room:
    assert server.alert(json.dumps(webhook_body(0.4, rule=Rule(), started_at=time.time())).encode()).is_success
    room = Room(server)
    server.until(room.shown)
    return room


def assessed(room: Room) -> list[dict[str, Any]]:
    """The assessment's steps once all of them have ended."""

    def ended() -> Any:
        runs: list[dict[str, Any]] = room.shown().get("runs", [])
        steps = runs[0]["steps"] if runs else []
        return steps if steps and all(s["outcome"] for s in steps) else None

    return list(room.server.until(ended))


def test_a_server_without_kubectl_assesses_and_rolls_back_through_its_runner(server: Server, tmp_path: Path) -> None:
    with Production(tmp_path / "production") as production:
        production.deploy("v2")
        runner = near(server, production.environment())
        runner.start()
        try:
            server.until(lambda: "connected to" in runner.log)
            room = opened(server)
            outcomes = {s["title"]: s["outcome"] for s in assessed(room)}
            assert "unknown" not in outcomes.values(), (outcomes, runner.log)
            room.post("acknowledge", room.ana)
            path = "/api/v1/incidents/1/procedures/pod-crashes/values"
            (asked,) = server.client.get(path, headers=room.ana).json()["values"]
            assert [c for c in asked["choices"] if c.startswith("backend-")], asked
            room.approved()
            server.until(lambda: room.approval() == "done")
            assert production.version() == "v1"
            found = server.client.get("/api/v1/runners", headers=room.ana).json()
            assert found == {
                "where": "remote",
                "runners": [{"name": "cluster-a", "same_runbook": True, "running": found["runners"][0]["running"]}],
            }
            assert room.shown()["approvals"][0]["context"].startswith("production")
        finally:
            assert runner.end() == 0


@pytest.fixture
def slow(server: Server, tmp_path: Path) -> Iterator[tuple[Near, Path]]:
    """A runner whose rollback takes long enough to be killed in."""
    place, log = kubectl(tmp_path, seconds=20)
    runner = near(server, {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"})
    runner.start()
    try:
        server.until(lambda: "connected to" in runner.log)
        yield runner, log
    finally:
        runner.end()


@pytest.mark.parametrize("server", [("20s", "5s")], indirect=True)
def test_a_runner_killed_while_a_change_runs_leaves_it_unknown_and_never_run_again(
    server: Server, slow: tuple[Near, Path]
) -> None:
    runner, log = slow
    room = opened(server)
    room.approved()
    server.until(lambda: "begun" in log.read_text())
    runner.end(signal.SIGKILL)
    runner.start()
    server.until(lambda: room.approval() == "unknown")
    assert "nothing was heard of the runner cluster-a for 5 s" in room.shown()["approvals"][0]["reason"]
    server.until(lambda: server.client.get("/api/v1/runners", headers=room.ana).json()["runners"])
    time.sleep(1)
    assert log.read_text().split() == ["begun", log.read_text().split()[1]]  # ended by the next runner's start
    room.post("approvals/1/settle", room.ben, outcome="failed", reason="looked: not rolled back")


@pytest.mark.parametrize("server", [("20s", "5s")], indirect=True)
def test_a_server_killed_while_a_change_runs_asks_and_its_runner_ends_the_change(
    server: Server, slow: tuple[Near, Path]
) -> None:
    runner, log = slow
    room = opened(server)
    room.approved()
    server.until(lambda: "begun" in log.read_text())
    server.kill()
    server.start()
    server.until(lambda: room.approval() == "unknown")
    server.until(lambda: "ends 'Rollback'" in runner.log)
    server.until(lambda: "connected" in runner.log.partition("asking again")[2])
    assert runner.log.count("no server at") == 1
    time.sleep(1)
    assert log.read_text().count("begun") == 1
    assert "ended" not in log.read_text()


@pytest.mark.parametrize("server", [("1s", "15s")], indirect=True)
def test_without_a_runner_steps_say_so_and_paging_goes_on(server: Server) -> None:
    room = opened(server)
    steps = [s for s in assessed(room) if s["outcome"] != "manual"]
    assert {s["outcome"] for s in steps} == {"unknown"}
    assert {s["reason"] for s in steps} == {"not run: no runner is connected: start `tocsin runner` near the cluster"}
    assert [p["person"] for p in room.shown()["pages"]] == ["ana"]
    room.approved()
    server.until(lambda: room.approval() == "failed")
    assert room.shown()["approvals"][0]["reason"].startswith("not run: no runner is connected")
