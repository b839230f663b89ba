"""The whole story over HTTP: from a real webhook body to the postmortem, with the engine turning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from listening import until
from sites import Site, webhook

from tocsin.incident.policy import Role
from tocsin.incident.state import Incident


def seen(site: Site, true: Callable[[Incident], Any]) -> Callable[[], bool]:
    def look() -> bool:
        found = site.store.read(lambda tx: tx.incident_numbered(1))
        return found is not None and bool(true(found))

    return look


async def test_an_alert_becomes_a_resolved_incident(site: Site) -> None:
    sender = await site.of(None, address="127.0.0.1")
    async with site.turning():
        assert (await sender.post("/api/v1/alerts/alertmanager", content=webhook("firing-group2"))).status_code == 200
        await until(seen(site, lambda i: i.runs[0].status == "done"))
        await until(lambda: site.channel.texts("page"))
        assert {m.to.person.id for m in site.channel.messages if m.kind == "page" and m.to} == {"ana"}

        await site.pass_(minutes=15)
        await site.pass_(minutes=15)
        assert [p["role"] for p in (await site.shown())["pages"]] == ["On-call", "On-call", "DevOps Lead"]
        assert (await site.post("/1/acknowledge"))["sla"] == "missed"

        question = (await site.shown())["decision"]["question"]["slug"]
        shown = await site.post("/1/answers", {"question": question, "answer": "yes", "reason": "v2 went out"})
        await site.post(f"/1/approvals/{shown['approvals'][0]['id']}", {"decision": "approve"})
        await until(seen(site, lambda i: i.approvals[0].status == "done"))

        assert (await sender.post("/api/v1/alerts/alertmanager", content=webhook("resolved-group2"))).status_code == 200
        await until(seen(site, lambda i: i.status == "monitoring"))
        for item in (await site.shown())["checklist"]:
            if item["group"] == "verification":
                await site.post("/1/checklist", {"item": item["id"]})
        await site.post("/1/facts", {"root_cause": "v2 leaks connections", "impact": "Two in five requests failed"})
        await site.post("/1/resolve")
        await site.pass_(minutes=30)
        await until(seen(site, lambda i: i.status == "resolved"))

    public = (await (await site.of(None)).get("/api/v2/incidents.json")).json()["incidents"]
    assert public[0]["status"] == "resolved"
    await site.post("/1/action-items", {"title": "Pool limits", "owner": "dana", "due_in": "1w"}, 201)
    postmortem = (await site.ask.get("/api/v1/incidents/1/postmortem")).text
    assert "v2 leaks connections" in postmortem
    assert "Pool limits" in postmortem
    looking_on = await site.of(Role.VIEWER)
    entries = (await looking_on.get("/api/v1/incidents/1/timeline?limit=1000")).json()
    assert [x["seq"] for x in entries] == list(range(1, len(entries) + 1))
    assert {"Opened", "Paged", "AcknowledgeMissed", "MitigationFinished", "Resolved"} <= {x["type"] for x in entries}
