"""Every form of the incident room, sent as a browser without JavaScript sends it, and as htmx does."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.incident.policy import Role
from tocsin.web.pages.acting import COMMANDS
from tocsin.web.pages.room import SAID

ROOM = "/incidents/1"
TREE = ("yes", "no", "unknown")


async def test_acknowledging_leads_back_to_the_room(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    answer = await ana.send(f"{ROOM}/acknowledge")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/incidents/1?done=acknowledge#top"
    assert "You own it" in (await ana.get("/incidents/1?done=acknowledge")).text
    assert (await site.shown())["acknowledged_by"] == "Ana"


async def test_htmx_is_answered_with_the_parts_alone(site: Any, browse: Any) -> None:
    await site.declare()
    answer = await (await browse()).send(f"{ROOM}/acknowledge", htmx=True)
    assert answer.status_code == 200
    assert answer.headers["tocsin-done"] == "acknowledge"
    assert "<html" not in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert 'hx-swap-oob="afterbegin:#lines"' in answer.text


@pytest.mark.parametrize("htmx", [False, True])
async def test_a_refusal_is_a_sentence_and_keeps_what_was_typed(site: Any, browse: Any, shown: Any, htmx: bool) -> None:
    await site.declare()
    answer = await (await browse()).send(f"{ROOM}/severity", htmx=htmx, severity="SEV1", reason="all <b>users</b>")
    assert answer.status_code == 409
    assert "The incident is SEV1 already." in shown(answer)
    assert 'value="all &lt;b&gt;users&lt;/b&gt;"' in answer.text


async def test_a_missing_blank_is_named_in_words(site: Any, browse: Any, shown: Any) -> None:
    await site.declare()
    answer = await (await browse()).send(f"{ROOM}/update", template="Update", **{"field:progress": "found it"})
    assert answer.status_code == 422
    assert "Update needs: next step" in shown(answer)
    assert ">found it</textarea>" in answer.text


async def test_a_form_without_its_proof_is_refused(site: Any, browse: Any) -> None:
    await site.declare()
    answer = await (await browse()).send(f"{ROOM}/acknowledge", csrf="forged")
    assert answer.status_code == 403
    assert (await site.shown())["status"] == "open"


async def test_a_viewer_sees_no_forms_and_may_not_send_them(site: Any, browse: Any) -> None:
    await site.declare()
    viewer = await browse(Role.VIEWER, name="Vera")
    page = await viewer.get(ROOM)
    assert "You may look on" in page.text
    assert f'action="{ROOM}/' not in page.text
    assert (await viewer.send(f"{ROOM}/acknowledge")).status_code == 403


async def test_the_tree_leads_to_a_proposal_and_approval_by_a_person(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(service="backend")
    ana = await browse()
    slug = (await site.shown())["decision"]["question"]["slug"]
    await ana.send(f"{ROOM}/answer", question=slug, answer="yes", reason="v2 went out")
    page = await ana.get(ROOM)
    assert "Needs one person" in shown(page)
    assert "kubectl rollout undo deployment/backend -n production" in page.text
    await ana.send(f"{ROOM}/approve", approval="1")
    assert (await site.shown())["approvals"][0]["approved_by"] == ["Ana"]
    assert (await ana.send(f"{ROOM}/approve", approval="1")).status_code == 409


async def test_a_leaf_links_to_the_document_it_points_to(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    for answer in ("no", "no", "no", "yes"):
        slug = (await site.shown())["decision"]["question"]["slug"]
        await ana.send(f"{ROOM}/answer", question=slug, answer=answer)
    page = await ana.get(ROOM)
    assert 'href="/runbook/linked?to=./database-backup.md"' in page.text
    assert (await ana.get("/runbook/linked?to=./database-backup.md")).status_code == 200


async def test_not_knowing_leaves_the_question_open(site: Any, browse: Any, shown: Any) -> None:
    await site.declare()
    ana = await browse()
    slug = (await site.shown())["decision"]["question"]["slug"]
    await ana.send(f"{ROOM}/answer", question=slug, answer="unknown")
    assert "Ana did not know" in shown(await ana.get(ROOM))


async def test_a_value_the_runner_refuses_is_explained(site: Any, browse: Any, shown: Any) -> None:
    await site.declare()
    answer = await (await browse()).send(f"{ROOM}/run", procedure="pod-crashes", **{"value:pod-name": "a b"})
    assert answer.status_code == 422
    assert "must be one word" in shown(answer)
    assert 'value="a b"' in answer.text


async def test_one_step_alone_can_be_run(site: Any, browse: Any) -> None:
    await site.declare()
    await (await browse()).send(f"{ROOM}/run", procedure="high-latency", step="2")
    run = (await site.shown())["runs"][-1]
    assert [s["index"] for s in run["steps"]] == [2]


async def test_resolving_with_open_items_takes_a_reason(site: Any, browse: Any, shown: Any) -> None:
    await site.declare()
    ana = await browse()
    await ana.send(f"{ROOM}/acknowledge")
    assert "Verification has begun" in shown(await ana.send(f"{ROOM}/resolve", htmx=True))
    refused = await ana.send(f"{ROOM}/resolve")
    assert refused.status_code == 409
    assert "Say why to resolve all the same" in shown(refused)
    assert "Resolved." in shown(await ana.send(f"{ROOM}/resolve", htmx=True, reason="seen by ten users"))


async def test_the_checklist_is_ticked_and_unticked(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    await ana.send(f"{ROOM}/tick", item="verification-checklist/1", done="1")
    assert (await site.shown())["checklist"][0]["done"]
    await ana.send(f"{ROOM}/tick", item="verification-checklist/1", done="")
    assert not (await site.shown())["checklist"][0]["done"]


async def test_only_facts_that_changed_are_recorded(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    await ana.send(f"{ROOM}/facts", **{"fact:impact": "half of sign-ins", "fact:root_cause": ""})
    before = (await site.shown())["version"]
    again = await ana.send(f"{ROOM}/facts", **{"fact:impact": "half of sign-ins"})
    assert again.status_code == 422
    assert (await site.shown())["version"] == before


async def test_an_action_item_takes_a_real_date(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    said = {"title": "Alert on deployments", "owner": "Dana", "kind": "Training that was missing"}
    assert (await ana.send(f"{ROOM}/add-item", due="soon", **said)).status_code == 422
    assert (await ana.send(f"{ROOM}/add-item", due="2026-01-31", **said)).status_code == 303
    assert (await site.shown())["action_items"][0]["due_at"] == "2026-01-31T23:59:00Z"


async def test_after_the_end_it_is_reopened_or_closed_with_a_reason(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    await ana.send(f"{ROOM}/resolve", reason="false alarm")
    assert (await ana.send(f"{ROOM}/close")).status_code == 409
    assert (await ana.send(f"{ROOM}/reopen", reason="it is back")).status_code == 303
    assert (await site.shown())["status"] == "open"
    await ana.send(f"{ROOM}/resolve", reason="really over")
    await ana.send(f"{ROOM}/close", reason="nothing to learn")
    assert (await site.shown())["status"] == "closed"


async def test_an_endless_text_is_refused(site: Any, browse: Any) -> None:
    await site.declare()
    assert (await (await browse()).send(f"{ROOM}/note", text="x" * 20_001)).status_code == 422
    assert (await (await browse()).send(f"{ROOM}/note", text="x" * 20_000)).status_code == 303


async def test_a_command_that_is_none_is_not_found(site: Any, browse: Any) -> None:
    await site.declare()
    assert (await (await browse()).send(f"{ROOM}/explode")).status_code == 404


def test_every_command_has_its_confirmation() -> None:
    assert set(COMMANDS) | {"declared"} == set(SAID)
