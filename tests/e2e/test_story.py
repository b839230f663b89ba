"""The main job through real HTTP, a real SMTP server, a real database file and the practice production."""

from __future__ import annotations

import asyncio
import email
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from email import policy as email_policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from serving import Server

from tocsin.lab.alerting import Rule, webhook_body
from tocsin.lab.production import Production

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]

SETTINGS = """
runbook = '{runbook}'
database = "sqlite:///tocsin.db"
public_url = "http://127.0.0.1:{port}"
[severity]
critical = "SEV1"
default = "SEV3"
[roles]
"On-call" = "ana"
"DevOps Lead" = "dana"
"Engineering Manager" = "emil"
"CTO" = "cyril"
[people.ana]
name = "Ana"
email = "ana@example.com"
[people.dana]
name = "Dana"
email = "dana@example.com"
[people.emil]
name = "Emil"
email = "emil@example.com"
[people.cyril]
name = "Cyril"
email = "cyril@example.com"
[services.backend]
match = {service = "backend"}
[sources.alerts]
token = "env:TOCSIN_ALERT_TOKEN"
[channels.email]
smtp = "smtp://127.0.0.1:{smtp}"
from = "tocsin@example.com"
to = "incidents@example.com"
[procedures.environment]
{environment}
"""


class Mailbox:
    """What an SMTP server was handed, read as people would."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str, str]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        message = email.message_from_bytes(raw, policy=email_policy.default)
        body = message.get_body(("plain",))
        text = body.get_content() if body else ""
        self.mails.append((envelope.rcpt_tos[0], str(message["Subject"]), text))
        return "250 OK"

    def to(self, address: str) -> list[tuple[str, str]]:
        return [(subject, text) for rcpt, subject, text in self.mails if rcpt == address]


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=0)
    with _listening(controller):
        assert isinstance(controller.server, asyncio.Server)
        yield box, controller.server.sockets[0].getsockname()[1]


class _listening:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def __enter__(self) -> None:
        """aiosmtpd's own start() connects to the port it was given, which is 0 here: wait for the thread instead."""
        started = threading.Event()
        loop = self._controller.loop

        def run() -> None:
            asyncio.set_event_loop(loop)
            self._controller.server = loop.run_until_complete(self._controller._create_server())
            started.set()
            loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert started.wait(10)

    def __exit__(self, *exc: object) -> None:
        loop = self._controller.loop
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(10)
        if self._controller.server:
            self._controller.server.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Production]:
    with Production(tmp_path / "production") as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, mailbox: tuple[Mailbox, int], production: Production) -> Iterator[Server]:
    from tocsin.config import default_runbook

    hurried = default_runbook().read_text(encoding="utf-8").replace("15-30 minutes", "2-4 seconds")
    book = tmp_path / "incident-response.md"
    book.write_text(hurried.replace("watch -n 30", "watch -n 1"), encoding="utf-8")
    environment = "\n".join(f"{k} = '{v}'" for k, v in production.environment().items())
    text = SETTINGS.replace("{runbook}", str(book)).replace("{smtp}", str(mailbox[1]))
    found = Server(tmp_path, text.replace("{environment}", environment))
    found.start()
    yield found
    found.stop()
    found.client.close()


def firing(started_at: float = 1_790_000_000.0, *, ended_at: float | None = None) -> bytes:
    import json

    return json.dumps(webhook_body(0.4, rule=Rule(), started_at=started_at, ended_at=ended_at)).encode()


def incident(server: Server, headers: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = server.client.get("/api/v1/incidents/1", headers=headers).raise_for_status().json()
    return found


def post(server: Server, path: str, body: dict[str, object], headers: dict[str, str]) -> httpx.Response:
    return server.client.post(f"/api/v1/incidents/1{path}", json=body, headers=headers)


def test_an_alert_becomes_a_resolved_incident(
    server: Server, mailbox: tuple[Mailbox, int], production: Production
) -> None:
    box, _ = mailbox
    production.deploy("v2")
    assert server.alert(firing()).status_code == 200
    ana = server.token("Ana")

    # paged by mail, with a signed link that acknowledges
    page = server.until(lambda: next((t for s, t in box.to("ana@example.com") if "SEV1" in s), None))
    link = re.search(r"http\S+/acknowledge/\S+", page)
    assert link is not None
    asked = server.client.get(link[0])
    assert asked.status_code == 200
    assert incident(server, ana)["status"] == "open"
    server.client.post(link[0]).raise_for_status()
    assert incident(server, ana)["acknowledged_by"] == "Ana"
    assert incident(server, ana)["sla"] == "met"
    assert any("Initial Alert" in s or "INCIDENT" in t for s, t in box.to("incidents@example.com"))

    # assessed by itself
    done = server.until(lambda: next((r for r in incident(server, ana)["runs"] if r["status"] != "running"), None))
    assert done["procedure"] == "initial-assessment"
    assert {s["outcome"] for s in done["steps"]} >= {"ok", "manual"}

    # the tree, the approval, the rollback
    question = incident(server, ana)["decision"]["question"]["slug"]
    assert post(server, "/answers", {"question": question, "answer": "yes"}, ana).is_success
    approval = incident(server, ana)["approvals"][-1]
    assert "rollout undo" in approval["command"]
    assert post(server, f"/approvals/{approval['id']}", {"decision": "approve"}, ana).is_success
    assert post(server, f"/approvals/{approval['id']}", {"decision": "approve"}, ana).status_code == 409
    server.until(lambda: incident(server, ana)["approvals"][-1]["status"] == "done")
    assert production.version() == "v1"
    server.until(lambda: production.health() == 200 and production.error_ratio() == 0)

    # the alert stops: verification; the checklist; resolved by itself
    assert server.alert(firing(ended_at=1_790_000_600.0)).status_code == 200
    assert incident(server, ana)["status"] == "monitoring"
    assert post(server, "/resolve", {}, ana).is_success
    refused = post(server, "/resolve", {}, ana)
    assert refused.status_code == 409
    assert "open:" in refused.json()["detail"]
    for item in incident(server, ana)["checklist"]:
        if item["group"] == "verification":
            assert post(server, "/checklist", {"item": item["id"]}, ana).is_success
    server.until(lambda: incident(server, ana)["status"] == "resolved")
    server.until(lambda: any("RESOLVED" in t for _, t in box.to("incidents@example.com")))
    public = server.client.get("/api/v2/summary.json").json()
    assert public["status"]["indicator"] == "none"
    told = server.client.get("/api/v1/incidents/1/postmortem?format=md", headers=ana).text
    assert "rollout undo" in told
    assert len(box.to("ana@example.com")) >= 1


def test_a_server_killed_at_any_point_goes_on_and_pages_nobody_twice(
    server: Server, mailbox: tuple[Mailbox, int], production: Production
) -> None:
    box, _ = mailbox
    assert server.alert(firing()).status_code == 200
    server.kill()
    server.start()
    ana = server.token("Ana")
    server.until(lambda: box.to("ana@example.com"))
    server.until(lambda: any(p["delivered"] for p in incident(server, ana)["pages"]))
    for _ in range(3):
        server.kill()
        server.start()
        assert server.alert(firing()).json()["alerts"][0]["outcome"] == "repeated"
    pages = [s for s, _ in box.to("ana@example.com") if "SEV1" in s]
    assert len(pages) == 1
    timeline = server.client.get("/api/v1/incidents/1/timeline?limit=200", headers=ana).json()
    kinds = [x["type"] for x in timeline["events"]] if isinstance(timeline, dict) else [x["type"] for x in timeline]
    assert kinds.count("Opened") == 1
    assert kinds.count("Paged") == 1


def test_ctrl_c_ends_it_cleanly(server: Server) -> None:
    assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("more", [(), ("--fast",)])
def test_the_demo_says_when_its_port_is_taken(server: Server, more: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin.cli.main", "demo", "--headless", *more, "--port", str(server.port)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("tocsin: cannot listen on")


def test_the_headless_demo_resolves_and_verifies_its_incident() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin.cli.main", "demo", "--headless", "--fast", "--port", "0"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "resolved and verified" in done.stdout
