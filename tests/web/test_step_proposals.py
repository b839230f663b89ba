"""Over HTTP: values to choose, steps proposed, glass broken, proposals decided by link, charts."""

from __future__ import annotations

from sites import Site, refusal

from tocsin.engine.records import Evidence
from tocsin.incident.policy import Role

API = "/api/v1/incidents/1"


async def test_a_changing_step_is_proposed_by_its_number(site: Site) -> None:
    await site.declare()
    runbook = await site.get("/runbook")
    slug, number = next(
        (p["slug"], n)
        for p in runbook["procedures"]
        for n, step in enumerate(p["steps"], start=1)
        if step["class"] == "change" and not step["placeholders"]
    )
    proposed = (await site.post(f"/1/procedures/{slug}/steps/{number}/propose", {}, 202))["approval"]
    assert (proposed["slug"], proposed["status"]) == (f"{slug}#{number}", "pending")
    assert proposed["undo"]
    refusal(await site.ask.post(f"{API}/procedures/{slug}/steps/99/propose"), 404)


async def test_values_are_listed_with_the_reason_why_there_is_nothing_to_choose(site: Site) -> None:
    await site.declare()
    runbook = await site.get("/runbook")
    slug = next(p["slug"] for p in runbook["procedures"] if any(s["placeholders"] for s in p["steps"]))
    (asked, *_) = (await site.get(f"/incidents/1/procedures/{slug}/values"))["values"]
    assert (asked["choices"], asked["reason"], asked["suggestions"]) == ([], "no cluster is asked", [])
    assert (await site.get("/incidents/1/mitigations/rollback/values"))["values"] == []
    refusal(await site.ask.get(f"{API}/procedures/none/values"), 404)


async def test_the_glass_is_broken_by_an_admin_with_a_reason(site: Site) -> None:
    await site.declare()
    asked = {"break_glass": True, "reason": "nobody is awake"}
    refusal(await site.ask.post(f"{API}/mitigations/rollback", json=asked), 403)
    root = await site.of(Role.ADMIN)
    refusal(await root.post(f"{API}/mitigations/rollback", json={"break_glass": True}), 422)
    answer = await root.post(f"{API}/mitigations/rollback", json=asked)
    assert (answer.status_code, answer.json()["approval"]["broken_glass"]) == (202, "nobody is awake")
    last = (await site.get("/incidents/1/timeline?limit=1000"))[-5:]
    assert any(line["text"].startswith("BREAK-GLASS: Admin ran Rollback") for line in last)


async def test_a_link_shows_the_proposal_and_its_button_decides(site: Site) -> None:
    await site.declare()
    await site.post("/1/mitigations/rollback", {}, 202)
    incident = await site.house.desk.incident("1")
    url = site.house.signer.approve_url(incident, "dana", incident.approvals[0])
    stranger = await site.of(None)
    shown = await stranger.get(url)
    assert (shown.status_code, "as Dana" in shown.text) == (200, True)
    assert (await site.shown())["approvals"][0]["status"] == "pending"
    decided = await stranger.post(url, data={"decision": "approve"})
    assert (decided.status_code, "Approved by Dana" in decided.text) == (200, True)
    assert (await site.shown())["approvals"][0]["approved_by"] == ["Dana"]
    again = await stranger.post(url, data={"decision": "approve"})
    assert (again.status_code, "used once" in again.text) == (409, True)
    assert (await stranger.get(f"{url}x")).status_code == 410


async def test_a_chart_is_served_as_an_image_that_runs_nothing(site: Site) -> None:
    await site.declare()
    incident = await site.house.desk.incident("1")
    now = site.clock.now()
    for id_, chart in (("drawn", "<svg/>"), ("bare", "")):
        kept = Evidence(
            id_, incident.id, "1", 1, "up", "up", "ok", "", None, "", "", 0, now, now, "0", chart=chart
        )  # fmt: skip
        await site.house.core.transact(lambda ledger, one=kept: ledger.tx.put_evidence(one))  # type: ignore[misc]
    answer = await site.ask.get(f"{API}/evidence/drawn/chart.svg")
    assert (answer.headers["content-type"], answer.text) == ("image/svg+xml", "<svg/>")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    refusal(await site.ask.get(f"{API}/evidence/bare/chart.svg"), 404)
    assert (await site.get("/incidents/1/evidence/bare"))["chart"] is None
