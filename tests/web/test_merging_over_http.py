"""Merging, splitting, relating over HTTP and in the room: what is answered, shown and refused."""

from __future__ import annotations

from typing import Any

from sites import Site, at_fault, refusal


async def told(site: Site, *services: str, status: str = "firing", **labels: str) -> list[dict[str, Any]]:
    alerts = [
        {"status": status, "labels": {"alertname": "Down", "service": s, "severity": "critical", **labels},
         "annotations": {"summary": f"{s} is down"}, "startsAt": "2026-01-05T03:00:00Z"} for s in services
    ]  # fmt: skip
    answer = await site.ask.post("/api/v1/alerts/alertmanager", json={"version": "4", "alerts": alerts})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["alerts"]
    return found


async def get(site: Site, path: str) -> Any:
    answer = await site.ask.get(f"/api/v1/incidents{path}")
    assert answer.status_code == 200
    return answer.json()


async def test_merging_answers_with_the_incident_that_goes_on_and_both_say_so(site: Site) -> None:
    await told(site, "shop", "cart")
    shown = await site.post("/2/merge", {"into": 1, "reason": "one database"})
    assert (shown["number"], shown["absorbed"], shown["services"], shown["alerts_total"]) == (1, [2], ["cart"], 2)
    assert (await site.post("/2/merge", {"into": "1"}))["version"] == shown["version"]
    other = await get(site, "/2")
    assert (other["status"], other["merged_into"], other["deadlines"]) == ("closed", 1, [])


async def test_what_cannot_be_merged_is_refused_with_what_to_do(site: Site) -> None:
    await told(site, "shop", "cart")
    assert await site.post("/1/merge", {"into": "1"}, 422)
    assert await site.post("/1/merge", {"into": "7"}, 404)
    await site.post("/2/merge", {"into": "1"})
    problem = refusal(await site.ask.post("/api/v1/incidents/1/merge", json={"into": "2"}), 409)
    assert "round in a circle" in problem["detail"]


async def test_splitting_answers_with_the_part(site: Site) -> None:
    first, *_ = await told(site, "shop", pod="a") + await told(site, "shop", pod="b")
    shown = await site.post("/1/split", {"alerts": [first["fingerprint"]], "title": "Pod a alone"}, 201)
    assert (shown["number"], shown["title"], shown["split_from"], shown["alerts_total"]) == (2, "Pod a alone", 1, 1)
    assert (await get(site, "/1"))["split_off"] == [2]
    assert at_fault(await site.ask.post("/api/v1/incidents/1/split", json={"alerts": ["nothing"]})) == ["alerts"]


async def test_what_may_be_one_trouble_is_listed_with_why_until_a_person_says_no(site: Site) -> None:
    await told(site, "shop", "cart", namespace="web")
    (one,) = (await get(site, "/1/related"))["related"]
    assert one["incident"]["number"] == 2
    assert "same namespace web" in one["reasons"]
    await site.post("/1/unrelated", {"incident": 2, "reason": "two causes"})
    assert (await get(site, "/2/related"))["related"] == []


async def test_the_room_suggests_merges_and_leads_on_from_the_old_one(site: Site) -> None:
    await told(site, "shop", "cart", namespace="web")
    part = await site.ask.get("/incidents/1/related?part=1")
    assert "same namespace web" in part.text
    assert "Merge #2 into this" in part.text
    assert "<h1>Related incidents</h1>" in (await site.ask.get("/incidents/1/related")).text
    await site.post("/2/merge", {"into": 1})
    room = (await site.ask.get("/incidents/2")).text
    assert 'This is part of <a href="/incidents/1">#1' in room
    assert "merged into #1" in (await site.ask.get("/")).text


async def test_the_room_offers_to_split_only_where_there_are_several_alerts(site: Site) -> None:
    await told(site, "shop", pod="a")
    assert "Split some off" not in (await site.ask.get("/incidents/1")).text
    await told(site, "shop", pod="b")
    assert "Split some off" in (await site.ask.get("/incidents/1")).text
