"""Every command over HTTP: what it does, and what it is refused for."""

from __future__ import annotations

from typing import Any

import pytest
from sites import Site, at_fault, refusal

ROOT = "did-it-begin-with-a-recent-deployment"
Body = dict[str, Any]


async def test_declaring_pages_and_answers_with_the_incident(site: Site) -> None:
    shown = await site.declare(title="  Checkout \n down ")
    assert (shown["number"], shown["title"], shown["severity"]) == (1, "Checkout down", "SEV1")
    assert [p["person"] for p in shown["pages"]] == ["ana"]


async def test_declaring_without_a_severity_suggests_one(site: Site) -> None:
    shown = await site.post("", {"title": "Something is odd"}, 201)
    assert shown["severity"] == "SEV3"
    assert "suggested" in shown["severity_reason"]


async def test_acknowledging_gives_the_incident_an_owner(site: Site) -> None:
    await site.declare()
    shown = await site.post("/1/acknowledge")
    assert (shown["status"], shown["acknowledged_by"], shown["commander"]) == ("acknowledged", "Ana", "Ana")


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_command_without_fields_needs_no_body(site: Site, body: bytes) -> None:
    await site.declare()
    answer = await site.ask.post(
        "/api/v1/incidents/1/acknowledge", content=body, headers={"Content-Type": "application/json"} if body else {}
    )
    assert answer.status_code == 200


async def test_escalating_pages_the_next_rung_or_the_role_named(site: Site) -> None:
    await site.declare()
    assert (await site.post("/1/escalate"))["pages"][-1]["role"] == "DevOps Lead"
    assert (await site.post("/1/escalate", {"role": "CTO", "reason": "press calls"}))["pages"][-1]["person"] == "cyril"


async def test_severity_notes_roles_and_facts_are_kept(site: Site) -> None:
    await site.declare()
    assert (await site.post("/1/severity", {"severity": "SEV2", "reason": "EU only"}))["severity"] == "SEV2"
    assert (await site.post("/1/roles", {"role": "commander", "person": "dana"}))["commander"] == "Dana"
    assert (await site.post("/1/facts", {"impact": "One in five"}))["facts"]["impact"] == "One in five"
    await site.post("/1/notes", {"text": "Looking"})


async def test_the_public_word_is_published(site: Site) -> None:
    await site.declare()
    shown = await site.post("/1/status", {"status": "Identified", "text": "We know why."})
    assert shown["public"]["status"] == "identified"
    assert shown["public"]["updates"][-1]["text"] == "We know why."


async def test_an_update_is_posted_as_written_or_from_the_template(site: Site) -> None:
    await site.declare()
    assert (await site.post("/1/updates", {"text": "Looking into it"}))["updates"][-1]["text"] == "Looking into it"
    asked = at_fault(await site.ask.post("/api/v1/incidents/1/updates", json={"template": "Update"}))
    shown = await site.post("/1/updates", {"template": "Update", "fields": dict.fromkeys(asked, "rolled back")})
    assert shown["updates"][-1]["template"] == "Update"
    assert "[" not in shown["updates"][-1]["text"]


async def test_the_tree_is_walked_to_a_proposal(site: Site) -> None:
    await site.declare()
    shown = await site.post("/1/answers", {"question": ROOT, "answer": "YES", "reason": "v2 went out"})
    assert shown["decision"]["leaf"]["mitigation"] == shown["approvals"][0]["slug"]
    step = shown["decision"]["path"][0]
    assert (step["slug"], step["answer"], step["by"], step["reason"]) == (ROOT, "yes", "Ana", "v2 went out")


async def test_an_item_is_ticked_and_unticked(site: Site) -> None:
    item = (await site.declare())["checklist"][0]["id"]

    async def ticked(**body: Any) -> dict[str, Any]:
        shown = await site.post("/1/checklist", {"item": item} | body)
        found: dict[str, Any] = shown["checklist"][0]
        return found

    done = await ticked(note="seen")
    assert (done["done"], done["by"], done["note"]) == (True, "Ana", "seen")
    assert (await ticked(done=False))["done"] is False


async def test_resolving_waits_for_the_verification_unless_somebody_says_why(site: Site) -> None:
    await site.declare()
    assert (await site.post("/1/resolve"))["status"] != "resolved"
    again = await site.ask.post("/api/v1/incidents/1/resolve", json={})
    assert "not verified yet" in refusal(again, 409)["detail"]
    assert (await site.post("/1/resolve", {"reason": "a drill"}))["status"] == "resolved"


async def test_mitigated_reopened_and_closed(site: Site) -> None:
    await site.declare()
    await site.post("/1/acknowledge")
    assert (await site.post("/1/mitigated", {"reason": "rolled back by hand"}))["mitigated_at"]
    await site.post("/1/resolve", {"reason": "quiet"})
    assert (await site.post("/1/reopen", {"reason": "it is back"}))["status"] == "open"
    await site.post("/1/resolve", {"reason": "quiet again"})
    open_tasks = await site.ask.post("/api/v1/incidents/1/close", json={})
    assert "still to do" in refusal(open_tasks, 409)["detail"]
    assert (await site.post("/1/close", {"reason": "reviewed"}))["status"] == "closed"


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("acknowledge", {}), ("escalate", {}), ("mitigated", {}), ("resolve", {}), ("mitigations/rollback", {}),
        ("answers", {"question": ROOT, "answer": "yes"}),
    ],
)  # fmt: skip
async def test_what_is_over_is_refused_with_the_reason(site: Site, command: str, body: Body) -> None:
    await site.declare()
    await site.post("/1/resolve", {"reason": "a drill"})
    answer = await site.ask.post(f"/api/v1/incidents/1/{command}", json=body)
    assert "resolved" in refusal(answer, 409)["detail"]


@pytest.mark.parametrize(
    ("command", "body", "name"),
    [
        ("severity", {"severity": "SEV9"}, "severity"), ("severity", {}, "severity"),
        ("severity", {"severity": 1}, "severity"), ("notes", {"text": " "}, "text"),
        ("notes", {"text": "x" * 20_001}, "text"), ("notes", {"text": "x", "by": "me"}, "by"),
        ("notes", [], "body"), ("notes", None, "body"), ("roles", {"role": "commander"}, "person"),
        ("status", {"status": "fine"}, "status"), ("answers", {"question": ROOT, "answer": "maybe"}, "answer"),
        ("answers", {"question": "why", "answer": "yes"}, "question"), ("checklist", {"item": "no such"}, "item"),
        ("reopen", {"reason": ""}, "reason"), ("updates", {"template": "Nothing"}, "template"),
        ("updates", {"fields": {"x": 1}}, "fields.x"), ("acknowledge", {"x": 1}, "x"),
        ("escalate", {"role": "x" * 201}, "role"), ("resolve", {"reason": "x" * 2001}, "reason"),
        ("procedures/high-error-rate", {"steps": [99]}, "steps"),
        ("procedures/high-error-rate", {"steps": [0]}, "steps.0"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_command_is_named(site: Site, command: str, body: object, name: str) -> None:
    await site.declare()
    before = await site.get("/incidents/1/timeline")
    assert at_fault(await site.ask.post(f"/api/v1/incidents/1/{command}", json=body)) == [name]
    assert await site.get("/incidents/1/timeline") == before


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"title": "x", "severity": "P1"}, "severity"),
    ],
)
async def test_a_declaration_that_cannot_be_is_refused(site: Site, body: Body, name: str) -> None:
    assert at_fault(await site.ask.post("/api/v1/incidents", json=body)) == [name]
    assert (await site.get("/incidents"))["incidents"] == []


@pytest.mark.parametrize("command", ["acknowledge", "resolve", "close", "mitigated", "procedures/x", "mitigations/x"])
async def test_a_command_on_no_incident_is_not_found(site: Site, command: str) -> None:
    refusal(await site.ask.post(f"/api/v1/incidents/7/{command}", json={}), 404)
