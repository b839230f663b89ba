"""Procedures, mitigations and what is owed afterwards, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from listening import until
from sites import SETTINGS, Site, at_fault, refusal

from tocsin.config import default_runbook
from tocsin.incident.policy import Role
from tocsin.runbook.model import StepClass

Opener = Callable[..., Awaitable[Site]]


def slug_of(site: Site, harm: StepClass, *, blanks: bool = False) -> str:
    """A mitigation of the runbook of that class, with or without values to give."""
    actions = site.house.reading.runbook.actions()
    return next(m.slug for m in actions if m.step_class is harm and bool(m.placeholders) is blanks)


def with_blanks(site: Site) -> tuple[str, str]:
    """(procedure, placeholder) of the first reading procedure that asks for a value."""
    for procedure in site.house.reading.runbook.procedures:
        for step in procedure.steps:
            if step.placeholders and step.step_class is StepClass.READ and not step.placeholders[0].refused:
                return procedure.slug, step.placeholders[0].name
    raise LookupError("the example asks for no value")


async def run_of(site: Site, run: str) -> dict[str, Any]:
    found: dict[str, Any] = await site.get(f"/incidents/1/runs/{run}")
    return found


async def test_a_procedure_runs_and_shows_what_its_steps_gave(site: Site) -> None:
    await site.declare()
    run = (await site.post("/1/procedures/high-error-rate", status=202))["run"]
    assert (await run_of(site, run))["status"] == "running"
    async with site.turning():
        await until(lambda: any(r.status == "done" for r in _runs(site) if r.id == run))
    shown = await run_of(site, run)
    step = next(s for s in shown["steps"] if s["kind"] == "shell")
    assert (step["status"], step["outcome"], step["exit_code"], step["class"]) == ("done", "ok", 0, "read")
    assert step["output"] == f"ran {step['command']}"
    kept = await site.get(f"/incidents/1/evidence/{step['evidence']}")
    assert (kept["stdout"], kept["run"], len(kept["sha256"])) == (f"{step['output']}\n", run, 64)
    assert step["evidence"] in {e["id"] for e in (await site.shown())["evidence"]}


def _runs(site: Site) -> Any:
    found = site.store.read(lambda tx: tx.incident_numbered(1))
    return found.runs if found else ()


async def test_only_the_steps_asked_for_are_run(site: Site) -> None:
    await site.declare()
    run = (await site.post("/1/procedures/high-error-rate", {"steps": [2]}, 202))["run"]
    assert [s["index"] for s in (await run_of(site, run))["steps"]] == [2]


async def test_evidence_is_shown_only_with_its_own_incident(site: Site) -> None:
    await site.declare()
    await site.declare(service="other")
    await site.post("/1/procedures/high-error-rate", status=202)
    async with site.turning():
        await until(lambda: any(s.evidence for r in _runs(site) for s in r.steps))
    evidence = (await site.shown())["evidence"][0]["id"]
    refusal(await site.ask.get(f"/api/v1/incidents/2/evidence/{evidence}"), 404)


async def test_a_value_that_is_missing_or_bad_is_named(site: Site) -> None:
    await site.declare()
    slug, name = with_blanks(site)
    path = f"/api/v1/incidents/1/procedures/{slug}"
    steps = [n for n, s in enumerate(_steps(site, slug), start=1) if any(p.name == name for p in s.placeholders)]
    assert name in at_fault(await site.ask.post(path, json={"steps": steps}))
    assert at_fault(await site.ask.post(path, json={"steps": steps, "values": {name: "a b; rm -rf /"}})) == [name]
    assert (await site.ask.post(path, json={"steps": steps, "values": {name: "backend-1"}})).status_code == 202


def _steps(site: Site, slug: str) -> Any:
    found = site.house.reading.runbook.procedure(slug)
    return found.steps if found else ()


@pytest.mark.parametrize("path", ["procedures/nothing", "mitigations/nothing", "approvals/9/settle", "approvals/9"])
async def test_what_the_runbook_or_incident_has_not_is_not_found(site: Site, path: str) -> None:
    await site.declare()
    body = {"approvals/9": {"decision": "approve"}, "approvals/9/settle": {"outcome": "done"}}.get(path, {})
    refusal(await site.ask.post(f"/api/v1/incidents/1/{path}", json=body), 404)


async def test_a_mitigation_runs_once_it_is_approved(site: Site) -> None:
    await site.declare()
    slug = slug_of(site, StepClass.CHANGE)
    proposed = (await site.post(f"/1/mitigations/{slug}", status=202))["approval"]
    assert {"id", "status", "class", "needs", "expires_at"} <= set(proposed)
    assert (proposed["status"], proposed["class"], proposed["needs"]) == ("pending", "change", 1)
    assert (await site.post("/1/approvals/1", {"decision": "approve"}))["approval"]["approved_by"] == ["Ana"]
    async with site.turning():
        await until(lambda: _approval(site).status == "done")
    assert proposed["action"] in site.runner.ran
    shown = await site.shown()
    assert shown["status"] in ("mitigating", "monitoring")
    assert shown["approvals"][0]["evidence"] in {e["id"] for e in shown["evidence"]}


def _approval(site: Site) -> Any:
    found = site.store.read(lambda tx: tx.incident_numbered(1))
    return found.approvals[0] if found else None


async def test_an_approval_is_used_once(site: Site) -> None:
    await site.declare()
    slug = slug_of(site, StepClass.CHANGE)
    await site.post(f"/1/mitigations/{slug}", status=202)
    again = await site.ask.post(f"/api/v1/incidents/1/mitigations/{slug}", json={})
    assert "already" in refusal(again, 409)["detail"]
    assert (await site.post("/1/approvals/1", {"decision": "reject", "reason": "no"}))["approval"][
        "status"
    ] == "rejected"
    used = await site.ask.post("/api/v1/incidents/1/approvals/1", json={"decision": "approve"})
    assert "used once" in refusal(used, 409)["detail"]


async def test_a_mitigation_needs_its_values(site: Site) -> None:
    await site.declare()
    slug = slug_of(site, StepClass.CHANGE, blanks=True)
    assert at_fault(await site.ask.post(f"/api/v1/incidents/1/mitigations/{slug}", json={}))


async def test_an_unknown_outcome_is_settled_by_a_person(site: Site) -> None:
    await site.declare()
    slug = slug_of(site, StepClass.CHANGE)
    proposed = (await site.post(f"/1/mitigations/{slug}", status=202))["approval"]
    early = await site.ask.post("/api/v1/incidents/1/approvals/1/settle", json={"outcome": "done"})
    assert "only an unknown outcome" in refusal(early, 409)["detail"]
    site.runner.outcomes[proposed["action"]] = "unknown"
    await site.post("/1/approvals/1", {"decision": "approve"})
    async with site.turning():
        await until(lambda: _approval(site).status == "unknown")
    settled = await site.post("/1/approvals/1/settle", {"outcome": "done", "reason": "pods are new"})
    assert settled["approval"]["status"] == "done"


async def test_the_postmortem_comes_in_three_forms(site: Site) -> None:
    await site.declare(title="Checkout <b>down</b>")
    await site.post("/1/facts", {"root_cause": "Connections leaked"})
    path = "/api/v1/incidents/1/postmortem"
    markdown = await site.ask.get(path)
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "Connections leaked" in markdown.text
    html = await site.ask.get(f"{path}?format=html")
    assert "Checkout &lt;b&gt;down" in html.text
    assert (await site.ask.get(f"{path}?format=json")).json()["number"] == 1
    assert at_fault(await site.ask.get(f"{path}?format=pdf")) == ["format"]


@pytest.mark.parametrize(
    ("due", "at"),
    [
        ({"due_in": "1w"}, "2026-01-12T03:00:00Z"),
        ({"due_in": 3600}, "2026-01-05T04:00:00Z"),
        ({"due_at": "2026-02-01T00:00:00+02:00"}, "2026-01-31T22:00:00Z"),
    ],
)
async def test_an_action_item_is_added_and_done(site: Site, due: dict[str, Any], at: str) -> None:
    await site.declare()
    shown = await site.post("/1/action-items", {"title": "Pool limits", "owner": "dana"} | due, 201)
    assert shown["action_items"][0]["due_at"] == at
    done = await site.post(f"/1/action-items/{shown['action_items'][0]['id']}/done")
    assert done["action_items"][0]["done_at"] == "2026-01-05T03:00:00Z"
    again = await site.ask.post("/api/v1/incidents/1/action-items/1/done", json={})
    refusal(again, 422)
    refusal(await site.ask.post("/api/v1/incidents/1/action-items/9/done", json={}), 404)


@pytest.mark.parametrize(
    ("due", "name"),
    [
        ({}, "body"), ({"due_in": "1d", "due_at": "2026-02-01T00:00:00Z"}, "body"), ({"due_in": "soon"}, "due_in"),
        ({"due_in": 0}, "due_in"), ({"due_in": 10**12}, "due_in"), ({"due_at": "2026-02-01T00:00:00"}, "due_at"),
        ({"due_at": "0001-01-01T00:00:00+14:00"}, "due_at"), ({"due_at": "9999-12-31T23:59:59-12:00"}, "due_at"),
        ({"due_in": 1e400}, "due_in"), ({"due_in": "999999999999w"}, "due_in"),
    ],
)  # fmt: skip
async def test_an_action_item_without_a_sensible_due_time_is_refused(
    site: Site, due: dict[str, Any], name: str
) -> None:
    await site.declare()
    body = json.dumps({"title": "Pool limits", "owner": "dana"} | due)
    answer = await site.ask.post(
        "/api/v1/incidents/1/action-items", content=body, headers={"Content-Type": "application/json"}
    )
    assert at_fault(answer) == [name]


async def test_two_people_must_approve_what_destroys(opener: Opener, tmp_path: Path) -> None:
    example = default_runbook().read_text(encoding="utf-8")
    harmless, harmful = "kubectl rollout undo deployment/backend -n production", "kubectl delete deployment/backend"
    assert harmless in example
    (tmp_path / "harmful.md").write_text(example.replace(harmless, harmful), encoding="utf-8")
    site = await opener(settings=f'runbook = "harmful.md"\n{SETTINGS}')
    await site.declare()
    proposed = (await site.post("/1/mitigations/rollback", status=202))["approval"]
    assert (proposed["class"], proposed["needs"]) == ("destructive", 2)
    early = await site.ask.post("/api/v1/incidents/1/approvals/1", json={"decision": "approve"})
    assert "takes the commander" in refusal(early, 403)["detail"]
    await site.post("/1/acknowledge")  # the incident's own commander is one
    await site.post("/1/approvals/1", {"decision": "approve"})
    again = await site.ask.post("/api/v1/incidents/1/approvals/1", json={"decision": "approve"})
    assert "another person" in refusal(again, 409)["detail"]
    dana = await site.of(Role.COMMANDER, name="Dana")
    answer = await dana.post("/api/v1/incidents/1/approvals/1", json={"decision": "approve"})
    assert (answer.json()["approval"]["status"], answer.json()["approval"]["approved_by"]) == (
        "approved",
        ["Ana", "Dana"],
    )
