"""What a person reads before approving, values and their choices, break-glass, linked documents, the signed link."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from tocsin.config import default_runbook
from tocsin.engine.policies import Policies
from tocsin.engine.ports import Choices
from tocsin.engine.records import Evidence
from tocsin.evidence.prometheus import Trace
from tocsin.incident.mitigations import Footing
from tocsin.incident.policy import Role
from tocsin.procedures.chart import svg
from tocsin.runbook.reader import read
from tocsin.web.pages import standing

ROOM = "/incidents/1"
PODS = ("backend-6d4f-abcde", "backend-6d4f-fghij")


class MadeUpCluster:
    """One cluster, whose backend is at a generation that a test can change."""

    generation = 7

    async def footing(self, step: Any, *, environment: Any, values: Any) -> Footing:
        return Footing("prod (https://k8s.test)", f"deployment/backend in production, generation {self.generation}", 3)

    async def choices(self, placeholder: Any, step: Any, *, environment: Any) -> Choices:
        return Choices(PODS) if placeholder.type == "pod" else Choices(reason="there is no list of these")


@pytest.fixture
def cluster(site: Any) -> MadeUpCluster:
    found = MadeUpCluster()
    site.house.desk._cluster = found
    return found


def link(site: Any, text: str, file: str = "rollback-deployment.md") -> None:
    """The runbook's house reads one linked document, too."""
    core = site.house.core
    policy = replace(core.policies.current, linked=(read(text, file=file).runbook,))
    core.policies = Policies(policy, lambda digest: None)
    site.house.channels.policy = policy


async def test_what_is_approved_is_said_to_the_letter(site: Any, browse: Any, shown: Any, cluster: Any) -> None:
    await site.declare(service="backend")
    ana = await browse()
    await ana.send(f"{ROOM}/propose", mitigation="rollback")
    text = shown(await ana.get(ROOM))
    line = next(m.line for m in site.house.desk.policy.runbook.mitigations if m.slug == "rollback")
    for part in (
        "kubectl rollout undo deployment/backend -n production",
        "Cluster prod (https://k8s.test)",
        "Acts on deployment/backend in production, generation 7",
        f"Stands in incident-response.md, line {line}",
        "Needs one person. Takes the role responder",
        "Watch after it",
        "To take it back the same once more",
    ):
        assert part in text


async def test_a_changed_target_is_refused_with_the_reason(site: Any, browse: Any, shown: Any, cluster: Any) -> None:
    await site.declare(service="backend")
    ana = await browse()
    await ana.send(f"{ROOM}/propose", mitigation="rollback")
    cluster.generation = 8
    answer = await ana.send(f"{ROOM}/approve", approval="1")
    assert answer.status_code == 409
    assert "generation 8" in shown(answer)
    assert site.runner.ran == []
    assert (await ana.send(f"{ROOM}/propose", mitigation="rollback")).status_code == 303


async def test_a_changed_target_is_said_before_anybody_approves(
    site: Any, browse: Any, shown: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "FRESH_SECONDS", 0.0)
    await site.declare(service="backend")
    ana = await browse()
    await ana.send(f"{ROOM}/propose", mitigation="rollback")
    page = await ana.get(ROOM)
    asks = f"{ROOM}/standing?approval=1"
    assert f'hx-get="{asks}"' in page.text
    assert shown(await ana.get(asks)) == ""
    cluster.generation = 8
    assert "it was deployment/backend in production, generation 7" in shown(await ana.get(asks))
    assert '<div id="approve-1" hx-swap-oob="delete">' in (await ana.get(asks)).text
    assert '<div id="approve-1"><form' in page.text
    assert (await ana.get(f"{ROOM}/standing?approval=9")).status_code == 404
    assert (await site.shown())["approvals"][0]["status"] == "pending"


async def test_what_the_tree_proposes_is_bound_to_where_it_acts_too(site: Any, browse: Any, cluster: Any) -> None:
    await site.declare(service="backend")
    ana = await browse()
    slug = (await site.shown())["decision"]["question"]["slug"]
    await ana.send(f"{ROOM}/answer", question=slug, answer="yes")
    assert (await site.shown())["approvals"][0]["target"].endswith("generation 7")
    assert (await ana.send(f"{ROOM}/approve", approval="1")).status_code == 303


async def test_a_value_that_is_refused_has_its_reason_beside_its_field(site: Any, browse: Any) -> None:
    await site.declare()
    answer = await (await browse()).send(f"{ROOM}/run", procedure="pod-crashes", **{"value:pod-name": "two words"})
    assert answer.status_code == 422
    field = re.search(
        r'<input name="value:pod-name"[^>]*aria-invalid[^>]*>\s*<span class="why"[^>]*>(.*?)<', answer.text
    )
    assert field is not None
    assert field[1] == "must be one word"
    assert field[0].count('value="two words"') == 1


async def test_values_are_offered_and_none_is_filled_in(site: Any, browse: Any, shown: Any, cluster: Any) -> None:
    await site.declare()
    ana = await browse()
    page = await ana.get(ROOM)
    address = re.search(r'hx-get="([^"]*procedure=pod-crashes[^"]*)"', page.text)
    assert address is not None
    part = await ana.get(unescape(address[1]))
    assert f"<option>{PODS[0]}</option>" in part.text
    assert "<html" not in part.text
    whole = await ana.get(f"{ROOM}/choices?procedure=pod-crashes")
    assert PODS[1] in shown(whole)
    assert f'value="{PODS[0]}"' not in page.text + whole.text


async def test_an_alerts_label_is_a_hint_and_text(site: Any, browse: Any, cluster: Any) -> None:
    evil = 'backend-x"><script>alert(1)</script>'
    labels = {"alertname": "Crash", "severity": "critical", "service": "backend", "pod": evil}
    await site.ask.post("/api/v1/alerts/generic", json={"title": "Crash", "labels": labels, "severity": "critical"})
    await (await browse()).get("/")
    number = (await site.get("/incidents"))["incidents"][0]["number"]
    part = await (await browse()).get(f"/incidents/{number}/choices?procedure=pod-crashes&part=x")
    assert "<script" not in part.text
    assert "label pod" in part.text
    assert 'data-value="backend-x&#34;' in part.text


async def test_choices_of_nothing_are_not_found(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    assert (await ana.get(f"{ROOM}/choices")).status_code == 404
    assert (await ana.get(f"{ROOM}/choices?procedure=nonsense")).status_code == 404


async def test_only_an_admin_is_shown_the_glass(site: Any, browse: Any) -> None:
    await site.declare(service="backend")
    assert "Break the glass" not in (await (await browse()).get(ROOM)).text
    admin = await browse(Role.ADMIN, name="Ada")
    assert "Break the glass" in (await admin.get(ROOM)).text
    refused = await (await browse()).send(f"{ROOM}/break-glass", mitigation="rollback", reason="because")
    assert refused.status_code == 403


async def test_the_glass_breaks_for_a_reason_and_loudly(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(service="backend")
    admin = await browse(Role.ADMIN, name="Ada")
    refused = await admin.send(f"{ROOM}/break-glass", mitigation="rollback", reason=" ")
    assert refused.status_code == 422
    assert "say why nobody else is asked" in shown(refused).casefold()
    assert (await admin.send(f"{ROOM}/break-glass", mitigation="rollback", reason="all are asleep")).status_code == 303
    text = shown(await admin.get(ROOM))
    assert "BREAK-GLASS: Ada ran Rollback at once, unapproved: all are asleep" in text
    assert "without anybody’s approval: all are asleep" in text


LINKED = """# Rolling back

## Quick rollback

```bash
# See the revisions
kubectl rollout history deployment/backend -n production

# Go back
kubectl rollout undo deployment/backend -n production
```
"""


async def test_a_linked_documents_steps_run_and_its_changes_are_proposed(site: Any, browse: Any, shown: Any) -> None:
    link(site, LINKED)
    await site.declare(service="backend")
    ana = await browse()
    page = await ana.get(ROOM)
    assert "Rolling back rollback-deployment.md, 1 procedure" in shown(page)
    slug = "rollback-deployment--quick-rollback"
    assert (await ana.send(f"{ROOM}/run", procedure=slug)).status_code == 303
    assert (await ana.send(f"{ROOM}/propose", mitigation=f"{slug}#2")).status_code == 303
    text = shown(await ana.get(ROOM))
    assert "Stands in rollback-deployment.md, line 9" in text
    assert "See its approval" in text


async def test_a_row_that_points_to_a_document_opens_it_in_the_room(site: Any, browse: Any) -> None:
    link(site, LINKED.replace("Rolling back", "Disaster recovery"), "disaster-recovery.md")
    await site.declare(service="backend")
    page = await (await browse()).get(ROOM)
    assert '<a href="#doc-disaster-recovery">Open Disaster recovery</a>' in page.text
    assert 'id="doc-disaster-recovery"' in page.text


async def test_a_step_for_a_person_has_its_dashboards_address(site: Any, browse: Any) -> None:
    core = site.house.core
    text = default_runbook().read_text(encoding="utf-8")
    book = read(text.replace("- Grafana: how", "- [Grafana](https://grafana.test/d/1): how"), file="x.md").runbook
    core.policies = Policies(replace(core.policies.current, runbook=book), lambda digest: None)
    await site.declare(service="backend")
    page = await (await browse()).get(ROOM)
    assert 'href="https://grafana.test/d/1" rel="noreferrer"' in page.text


async def test_a_querys_evidence_shows_its_chart_above_its_numbers(site: Any, browse: Any) -> None:
    await site.declare(service="backend")
    incident, now = await site.house.desk.incident("1"), site.clock.now()
    drawn = svg("errors", [Trace({}, ((0.0, 1.0), (60.0, 2.0)))])
    said = ("Errors", "rate(x[5m])", "ok", "", None, "2\n", "", 0)
    kept = Evidence("ev1", incident.id, "r1", 1, *said, started_at=now, ended_at=now, digest="d", chart=drawn)
    await site.house.core.transact(lambda ledger: ledger.tx.put_evidence(kept))
    ana = await browse()
    page = (await ana.get(f"{ROOM}/evidence/ev1?part=1")).text
    image = re.search(r'<img class="chart" src="([^"]+)"', page)
    assert image is not None
    assert page.index("<img") < page.index("<pre")
    assert (await ana.get(image[1])).headers["content-type"].startswith("image/svg+xml")


async def ticket(site: Any, person: str = "dana") -> str:
    incident = await site.house.desk.incident("1")
    address: str = site.house.signer.approve_url(incident, person, incident.approvals[-1])
    return address.partition("tocsin.test")[2]


async def test_the_signed_link_shows_what_it_approves_and_its_button_does_it(
    site: Any, browse: Any, shown: Any, cluster: Any
) -> None:
    await site.declare(service="backend")
    await (await browse()).send(f"{ROOM}/propose", mitigation="rollback")
    address = await ticket(site)
    stranger = await site.of(None)
    asked = await stranger.get(address, headers={"Accept": "text/html"})
    assert "prod (https://k8s.test)" in shown(asked)
    assert "Approve and run as Dana" in shown(asked)
    assert asked.headers["referrer-policy"] == "no-referrer"
    assert (await site.shown())["approvals"][0]["status"] == "pending"
    done = await stranger.post(address, data={"decision": "approve"})
    assert "Approved by Dana. It runs now." in shown(done)
    again = await stranger.post(address, data={"decision": "approve"})
    assert again.status_code == 409
    assert "used once" in shown(again)


async def test_a_link_cut_short_is_no_longer_good(site: Any, browse: Any) -> None:
    await site.declare(service="backend")
    await (await browse()).send(f"{ROOM}/propose", mitigation="rollback")
    assert (await (await site.of(None)).get((await ticket(site))[:-3])).status_code == 410
