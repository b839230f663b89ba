"""Opsgenie's senders, served unchanged: create, every verb, reading, and what a request came to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sites import Site, webhook

from tocsin.store.errors import StoreUnavailable

Opener = Callable[..., Awaitable[Site]]
RECORDED = Path(__file__).parents[1] / "fixtures" / "senders"
KEY = "alerts-only"
GENIE = {"Authorization": f"GenieKey {KEY}"}
CREATE: dict[str, Any] = {
    "message": "Disk full", "alias": "disk", "priority": "P1", "entity": "database", "tags": ["a", "b"],
    "details": {"host": "db-1"}, "responders": [{"name": "payments", "type": "team"}], "source": "cron",
}  # fmt: skip


@pytest.fixture
async def sender(opener: Opener) -> tuple[Site, httpx.AsyncClient]:
    site = await opener(alert_token=KEY)
    ask = await site.of(None)
    ask.headers.update(GENIE)
    return site, ask


Sender = tuple[Site, httpx.AsyncClient]


async def by_alias(ask: httpx.AsyncClient, alias: str = "disk") -> dict[str, Any]:
    answer = await ask.get(f"/v2/alerts/{alias}", params={"identifierType": "alias"})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def done(ask: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """What the request came to, asked after as Opsgenie's clients do."""
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert said["result"] == "Request will be processed"
    assert said["took"] >= 0
    status: dict[str, Any] = (await ask.get(f"/v2/alerts/requests/{said['requestId']}")).json()["data"]
    return status


async def verb(ask: httpx.AsyncClient, name: str, body: object = None, *, alias: str = "disk") -> dict[str, Any]:
    method = "PUT" if name in ("message", "description", "priority") else "POST"
    content = b"" if body is None else json.dumps(body).encode()
    params = {"identifierType": "alias"}
    return await done(ask, await ask.request(method, f"/v2/alerts/{alias}/{name}", params=params, content=content))


async def test_a_created_alert_opens_an_incident_and_its_alias_can_be_read_at_once(sender: Sender) -> None:
    site, ask = sender
    status = await done(ask, await ask.post("/v2/alerts", json=CREATE))
    found = await by_alias(ask)
    assert (status["success"], status["action"], status["alias"]) == (True, "Create", "disk")
    assert status["alertId"] == found["id"]
    assert (found["message"], found["status"], found["priority"], found["tags"]) == (
        "Disk full",
        "open",
        "P1",
        ["a", "b"],
    )
    assert found["responders"] == [{"type": "team", "name": "payments"}]
    shown = await site.shown()
    assert (shown["title"], shown["severity"], shown["service"]) == ("Disk full", "SEV1", "database")


@pytest.mark.parametrize(
    ("priority", "level"),
    [("P1", "SEV1"), ("P2", "SEV2"), ("P3", "SEV3"), ("P4", "SEV4"), ("P5", "SEV4"), (None, "SEV3")],
)
async def test_the_priority_suggests_the_severity(sender: Sender, priority: str | None, level: str) -> None:
    site, ask = sender
    await ask.post("/v2/alerts", json={"message": "m", "priority": priority})
    assert (await site.shown())["severity"] == level


async def test_settings_may_say_what_a_priority_is(opener: Opener) -> None:
    from sites import SETTINGS

    site = await opener(alert_token=KEY, settings=SETTINGS + '[severity]\np1 = "SEV2"\n')
    await (await site.of(None)).post("/v2/alerts", json=CREATE, headers=GENIE)
    assert (await site.shown())["severity"] == "SEV2"


async def test_an_alert_is_found_by_id_alias_and_tiny_id(sender: Sender) -> None:
    _, ask = sender
    await ask.post("/v2/alerts", json=CREATE)
    found = await by_alias(ask)
    by_id = (await ask.get(f"/v2/alerts/{found['id']}")).json()["data"]
    by_tiny = (await ask.get(f"/v2/alerts/{found['tinyId']}", params={"identifierType": "tiny"})).json()["data"]
    assert by_id == by_tiny == found
    listed = (await ask.get("/v2/alerts", params={"query": "status: open"})).json()["data"]
    assert [alert["alias"] for alert in listed] == ["disk"]


async def test_a_create_without_an_alias_is_a_new_alert_each_time(sender: Sender) -> None:
    site, ask = sender
    for _ in range(2):
        await ask.post("/v2/alerts", json={"message": "Disk full", "entity": "database"})
    assert (await site.shown())["alerts_total"] == 2


async def test_close_resolves_the_alert_and_not_the_incident(sender: Sender) -> None:
    site, ask = sender
    await ask.post("/v2/alerts", json=CREATE)
    assert (await verb(ask, "close", {"source": "cron", "note": "freed some"}))["isSuccess"]
    assert ((await by_alias(ask))["status"], (await site.shown())["status"]) == ("closed", "open")
    assert any("freed some" in entry["text"] for entry in await site.get("/incidents/1/timeline"))


async def test_acknowledge_owns_the_incident(sender: Sender) -> None:
    site, ask = sender
    await ask.post("/v2/alerts", json=CREATE)
    await verb(ask, "acknowledge", {"user": "ana@example.com"})
    assert (await site.shown())["acknowledged_by"] == "ana@example.com"
    assert (await by_alias(ask))["acknowledged"] is True


async def test_messages_descriptions_priorities_tags_and_details_are_rewritten(sender: Sender) -> None:
    _, ask = sender
    await ask.post("/v2/alerts", json=CREATE)
    for name, body in (
        ("message", {"message": "Disk fuller"}), ("description", {"description": "at 99 %"}),
        ("priority", {"priority": "P2"}), ("tags", {"tags": ["c", "a"]}), ("details", {"details": {"mount": "/var"}}),
    ):  # fmt: skip
        assert (await verb(ask, name, body))["success"], name
    found = await by_alias(ask)
    assert (found["message"], found["description"], found["priority"]) == ("Disk fuller", "at 99 %", "P2")
    assert found["tags"] == ["a", "b", "c"]
    assert found["details"]["mount"] == "/var"


async def test_tags_and_details_are_taken_off_again(sender: Sender) -> None:
    _, ask = sender
    await ask.post("/v2/alerts", json=CREATE)
    alias = {"identifierType": "alias"}
    await done(ask, await ask.delete("/v2/alerts/disk/tags", params=alias | {"tags": "a,x"}))
    await done(ask, await ask.delete("/v2/alerts/disk/details", params=alias | {"keys": "host"}))
    found = await by_alias(ask)
    assert found["tags"] == ["b"]
    assert "host" not in found["details"]


async def test_notes_responders_owners_and_escalations_reach_the_incident(sender: Sender) -> None:
    site, ask = sender
    await ask.post("/v2/alerts", json=CREATE)
    assert (await verb(ask, "notes", {"note": "looking", "user": "Dana"}))["success"]
    assert (await verb(ask, "responders", {"responder": {"type": "user", "username": "emil"}}))["success"]
    assert (await verb(ask, "assign", {"owner": {"username": "Dana"}}))["success"]
    assert (await verb(ask, "escalate", {"escalation": {"name": "ops"}}))["success"]
    texts = " ".join(entry["text"] for entry in await site.get("/incidents/1/timeline"))
    assert all(said in texts for said in ("looking", "user emil is to respond", "Opsgenie: ops"))
    assert (await by_alias(ask))["owner"] == "Dana"


async def test_a_deleted_alert_stops_and_is_still_known(sender: Sender) -> None:
    site, ask = sender
    await ask.post("/v2/alerts", json=CREATE)
    answer = await ask.delete("/v2/alerts/disk", params={"identifierType": "alias", "user": "Dana"})
    assert (await done(ask, answer))["action"] == "Delete"
    assert ((await by_alias(ask))["status"], (await site.shown())["alerts_firing"]) == ("closed", 0)


@pytest.mark.parametrize("name", ["close", "acknowledge", "notes", "message"])
async def test_a_verb_on_an_alert_nobody_knows_is_taken_and_its_request_says_so(sender: Sender, name: str) -> None:
    site, ask = sender
    status = await verb(ask, name, {"note": "n", "message": "m"}, alias="unknown")
    assert (status["success"], status["alertId"]) == (False, "")
    assert (await site.get("/alerts"))["alerts"] == []


async def test_an_alias_with_a_slash_is_an_alias(sender: Sender) -> None:
    _, ask = sender
    await ask.post("/v2/alerts", json=CREATE | {"alias": "db-1/disk full"})
    answer = await ask.post("/v2/alerts/db-1%2Fdisk%20full/close?identifierType=alias")
    assert (await done(ask, answer))["success"]


async def test_what_alertmanager_sends_opens_renames_and_closes(sender: Sender) -> None:
    site, ask = sender
    body = json.loads((RECORDED / "opsgenie-create-group2.json").read_bytes())["body"]
    await done(ask, await ask.post("/v2/alerts", json=body))
    await verb(ask, "message", {"message": "[FIRING:1] HighErrorRate"}, alias=body["alias"])
    shown = await site.shown()
    assert (shown["service"], shown["severity"]) == ("checkout", "SEV1")
    await verb(ask, "close", {"source": "http://vm:9093/#/alerts"}, alias=body["alias"])
    assert (await site.shown())["alerts_firing"] == 0


async def test_all_three_intakes_of_one_group_make_one_incident_of_three_alerts(sender: Sender) -> None:
    site, ask = sender
    og = json.loads((RECORDED / "opsgenie-create-group2.json").read_bytes())["body"]
    pd = json.loads((RECORDED / "pagerduty-v2-trigger-group2.json").read_bytes())["body"] | {"routing_key": KEY}
    pd["dedup_key"] = og["alias"]  # as Alertmanager gives one group to both
    await ask.post("/v2/alerts", json=og)
    await ask.post("/v2/enqueue", json=pd)
    headers = {"Authorization": f"Bearer {KEY}"}
    body = webhook("firing-group2").replace(b"qawave", b"checkout")
    await ask.post("/api/v1/alerts/alertmanager", content=body, headers=headers)
    assert len((await site.get("/incidents"))["incidents"]) == 1
    assert (await site.shown())["alerts_total"] == 3


# refusals


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "message"), ({"message": " "}, "message"), ({"message": 5}, "message"), ([], "body"),
     ({"message": "m", "alias": "a" * 513}, "alias"), ({"message": "m", "priority": "P9"}, "priority"),
     ({"message": "m", "tags": "a"}, "tags"), ({"message": "m", "responders": [{"id": 1}]}, "responders")],
)  # fmt: skip
async def test_a_bad_create_is_told_in_opsgenies_form(sender: Sender, body: object, field: str) -> None:
    site, ask = sender
    answer = await ask.post("/v2/alerts", json=body)
    assert answer.status_code == 422
    assert field in next(iter(answer.json()["errors"]))
    assert (await site.get("/alerts"))["alerts"] == []


@pytest.mark.parametrize(
    ("name", "field"), [("notes", "note"), ("tags", "tags"), ("assign", "owner"), ("message", "message")]
)
async def test_a_verb_without_what_it_needs_is_refused_by_name(sender: Sender, name: str, field: str) -> None:
    _, ask = sender
    method = "PUT" if name == "message" else "POST"
    answer = await ask.request(method, f"/v2/alerts/x/{name}", json={})
    assert (answer.status_code, answer.json()["errors"]) == (422, {field: "missing"})


@pytest.mark.parametrize("header", ["GenieKey wrong", "GenieKey ", "Basic !!", ""])
async def test_a_wrong_key_is_a_401(sender: Sender, header: str) -> None:
    _, ask = sender
    answer = await ask.post("/v2/alerts", json=CREATE, headers={"Authorization": header})
    assert answer.status_code == 401
    assert KEY not in answer.text


@pytest.mark.parametrize(
    "path", ["/v2/alerts/nobody", "/v2/alerts/requests/x", f"/v2/alerts/{'9' * 5000}?identifierType=tiny"]
)
async def test_what_is_not_there_is_a_404(sender: Sender, path: str) -> None:
    _, ask = sender
    assert (await ask.get(path)).status_code == 404


async def test_a_database_that_refuses_is_a_429(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    site, ask = sender

    def refused(job: Any) -> Any:
        raise StoreUnavailable("the database refuses to write")

    monkeypatch.setattr(site.house.core.storage, "write", refused)
    for answer in (await ask.post("/v2/alerts", json=CREATE), await ask.post("/v2/alerts/disk/close")):
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
