"""What can be read: lists with their pages, one incident with all its parts, who is on call, the runbook."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sites import Site, at_fault, refusal, webhook

from tocsin.incident.policy import Role

FIELDS = {"id", "number", "title", "severity", "status", "service", "opened_at", "acknowledged_at", "acknowledged_by",
          "mitigated_at", "resolved_at", "commander", "alerts", "alerts_total", "deadlines", "checklist", "evidence",
          "decision", "pages", "updates", "action_items", "runs", "approvals", "missing", "public", "sla",
          "link"}  # fmt: skip


async def take(site: Site, name: str) -> None:
    sender = await site.of(Role.RESPONDER, name="sender")
    assert (await sender.post("/api/v1/alerts/alertmanager", content=webhook(name))).status_code == 200


async def test_an_incident_has_every_field_of_the_contract(site: Site) -> None:
    await site.declare(summary="Nobody can pay", service="backend")
    shown = await site.shown()
    assert set(shown) >= FIELDS
    assert shown["link"] == "http://tocsin.test/incidents/1"
    assert shown["opened_at"] == "2026-01-05T03:00:00Z"
    assert (shown["sla"], shown["status"], shown["service"]) == ("pending", "open", "backend")
    assert shown["public"]["status"] == "investigating"
    assert [p["role"] for p in shown["pages"]] == ["On-call"]
    assert shown["decision"]["question"]["slug"] == "did-it-begin-with-a-recent-deployment"
    assert len([i for i in shown["checklist"] if i["group"] == "verification"]) == 6
    assert any("verification has not run" in said for said in shown["missing"])


async def test_an_incident_is_found_by_its_number_and_its_id(site: Site) -> None:
    declared = await site.declare()
    assert (await site.get(f"/incidents/{declared['id']}"))["number"] == 1


@pytest.mark.parametrize("ref", ["2", "0", "nothing", "99999999999999999999", "%00", "../1", "é"])
async def test_no_such_incident(site: Site, ref: str) -> None:
    await site.declare()
    refusal(await site.ask.get(f"/api/v1/incidents/{ref}"), 404)


async def test_the_list_is_newest_first_and_goes_on_page_by_page(site: Site) -> None:
    for n in range(5):
        await site.declare(title=f"incident {n + 1}")
    seen: list[int] = []
    path = "/incidents?limit=2"
    for _ in range(3):
        page = await site.get(path)
        seen += [i["number"] for i in page["incidents"]]
        path = f"/incidents?limit=2&cursor={page['next']}"
    assert seen == [5, 4, 3, 2, 1]
    assert page["next"] is None


async def test_a_page_that_is_just_full_is_the_last(site: Site) -> None:
    for _ in range(2):
        await site.declare()
    assert (await site.get("/incidents?limit=2"))["next"] is None
    assert (await site.get("/incidents?limit=1"))["next"] is not None


async def test_the_list_is_narrowed_by_status_severity_and_words(site: Site) -> None:
    await site.declare(title="Checkout 100% down")
    await site.declare(title="Search slow", severity="SEV3")
    await site.post("/2/resolve", {"reason": "was nothing"})

    async def numbers(query: str) -> list[int]:
        return [i["number"] for i in (await site.get(f"/incidents?{query}"))["incidents"]]

    assert await numbers("status=open") == [1]
    assert await numbers("status=resolved") == [2]
    assert await numbers("status=all") == await numbers("") == [2, 1]
    assert await numbers("severity=SEV3") == [2]
    assert await numbers("q=CHECKOUT 100%25") == [1]
    assert await numbers("q=nothing") == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("status=closed", "status"),
        ("cursor=x", "cursor"), ("cursor=%FF", "cursor"), ("cursor=YWxlcnRzOjE", "cursor"),
        ("q=" + "x" * 201, "q"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(site: Site, query: str, name: str) -> None:
    assert at_fault(await site.ask.get(f"/api/v1/incidents?{query}")) == [name]


async def test_a_page_has_one_to_two_hundred(site: Site) -> None:
    for limit in (1, 200):
        await site.get(f"/incidents?limit={limit}")


async def test_a_storm_is_shown_by_its_first_hundred_and_paged_through(site: Site) -> None:
    await take(site, "firing-storm60")
    shown = await site.shown()
    assert (shown["alerts_total"], len(shown["alerts"])) == (60, 60)
    first = await site.get("/incidents/1/alerts?limit=50")
    rest = await site.get(f"/incidents/1/alerts?limit=50&cursor={first['next']}")
    assert len({a["fingerprint"] for a in first["alerts"] + rest["alerts"]}) == 60
    assert (first["alerts"][0]["incident"], rest["next"]) == (1, None)


async def test_alerts_are_found_by_status_and_words(site: Site) -> None:
    await take(site, "firing-group2")
    firing = await site.get("/alerts?status=firing")
    assert [a["incident"] for a in firing["alerts"]] == [1, 1]
    assert (await site.get("/alerts?status=resolved"))["alerts"] == []
    name = firing["alerts"][0]["labels"]["alertname"]
    assert (await site.get(f"/alerts?q={name}"))["alerts"]
    assert (await site.get("/alerts?q=no-such-thing"))["alerts"] == []


async def test_the_timeline_is_told_in_english_from_any_place(site: Site) -> None:
    await site.declare()
    await site.post("/1/notes", {"text": "Looking"})
    entries = await site.get("/incidents/1/timeline")
    assert [x["seq"] for x in entries] == list(range(1, len(entries) + 1))
    last = entries[-1]
    assert (last["type"], last["data"], last["text"]) == ("Noted", {"text": "Looking"}, "Ana noted: Looking")
    after = await site.get(f"/incidents/1/timeline?after={last['seq'] - 1}")
    assert after == [last]
    assert len(await site.get("/incidents/1/timeline?limit=2")) == 2


async def test_deadlines_are_soonest_first(site: Site) -> None:
    await site.declare()
    owed = await site.get("/incidents/1/deadlines")
    assert owed[0]["kind"] == "acknowledge"
    assert [o["due_at"] for o in owed] == sorted(o["due_at"] for o in owed)
    assert not owed[0]["overdue"]
    site.clock.move(minutes=5, seconds=1)
    assert (await site.get("/incidents/1/deadlines"))[0]["overdue"]


async def test_the_acknowledge_is_met_at_its_due_time_and_missed_after(site: Site) -> None:
    for late, said in ((timedelta(minutes=5), "met"), (timedelta(minutes=5, seconds=1), "missed")):
        number = (await site.declare())["number"]
        site.clock.move(seconds=late.total_seconds())
        assert (await site.post(f"/{number}/acknowledge"))["sla"] == said


async def test_on_call_now_and_at_another_time(site: Site) -> None:
    duties = (await site.get("/oncall"))["roles"]
    assert {d["role"]: [p["name"] for p in d["people"]] for d in duties}["DevOps Lead"] == ["Dana"]
    assert (await site.get("/oncall?at=2026-07-01T12:00:00%2B02:00"))["at"] == "2026-07-01T10:00:00Z"


@pytest.mark.parametrize("at", ["now", "2026-07-01", "2026-07-01T12:00:00", "0001-01-01T00:00:00%2B14:00"])
async def test_on_call_at_no_instant_is_refused(site: Site, at: str) -> None:
    assert at_fault(await site.ask.get(f"/api/v1/oncall?at={at}")) == ["at"]


async def test_the_runbook_is_the_one_that_check_prints(site: Site) -> None:
    book = await site.get("/runbook")
    assert [s["name"] for s in book["severities"]] == ["SEV1", "SEV2", "SEV3", "SEV4"]
    assert book["decision_tree"]["question"]


@pytest.mark.parametrize("path", ["runs/9", "evidence/9"])
async def test_no_such_run_or_evidence(site: Site, path: str) -> None:
    await site.declare()
    refusal(await site.ask.get(f"/api/v1/incidents/1/{path}"), 404)
