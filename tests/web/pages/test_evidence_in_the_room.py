"""What facts answered, as the room and the API show it; and what production contradicts, on the runbook's page."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

from cases import cases

from tocsin.diagnosis.facts import Facts, Subject
from tocsin.diagnosis.live import Truth
from tocsin.diagnosis.verdict import LIMITS
from tocsin.engine.diagnosing import Diagnosing, Settled
from tocsin.incident.mitigations import Footing
from tocsin.incident.policy import Role
from tocsin.incident.preflight import Check
from tocsin.runbook.model import Finding, Level

FACTS = {case.name: case.facts for case in cases()}
ROOM = "/incidents/1"


class Made:
    def __init__(self, facts: Facts) -> None:
        self.made = facts

    async def facts(self, subject: Subject, *, reported_at: object) -> Facts:
        return self.made

    async def warm(self) -> None:
        pass


class Footed:
    """A cluster whose footing was looked at."""

    async def footing(self, step: Any, *, environment: Any, values: Any) -> Footing:
        return Footing("prod", "deployment/backend, generation 7", 3, (Check("differs", "failed", "the same image"),))

    async def choices(self, placeholder: Any, step: Any, *, environment: Any) -> Any:
        raise AssertionError("nobody asks")


async def diagnosed(site: Any, name: str) -> Diagnosing:
    """The site with an incident that was looked at."""
    await site.declare(service="backend")
    site.house.desk._cluster = Footed()
    about = Settled(lambda s, alerts: Subject(s), lambda command, values: None, LIMITS, timedelta(seconds=1))
    site.house.diagnosing = Diagnosing(site.house.desk, Made(FACTS[name]), about)
    await site.house.diagnosing.turn()
    made: Diagnosing = site.house.diagnosing
    return made


async def test_the_room_shows_the_answer_with_its_evidence_one_click_away(site: Any) -> None:
    await diagnosed(site, "bad-deploy")
    text = unescape((await (await site.signed_in(Role.RESPONDER)).get(ROOM)).text)
    assert "from evidence: only the pods of the new revision fail" in text
    shown = await site.shown()
    kept = shown["decision"]["path"][0]["evidence"]
    assert f"/incidents/1/evidence/{kept}" in text
    page = unescape((await (await site.signed_in(Role.RESPONDER)).get(f"{ROOM}/evidence/{kept}")).text)
    assert "deployment/backend: revision 9" in page


async def test_the_proposal_says_what_was_looked_at_before(site: Any) -> None:
    await diagnosed(site, "bad-deploy")
    shown = await site.shown()
    assert shown["approvals"][0]["checks"] == [{"what": "differs", "state": "failed", "said": "the same image"}]
    text = unescape((await (await site.signed_in(Role.RESPONDER)).get(ROOM)).text)
    assert "the same image" in text
    assert "Proposed by the decision tree, from evidence" in text


async def test_overruling_takes_a_reason(site: Any) -> None:
    await diagnosed(site, "bad-deploy")
    question = (await site.shown())["decision"]["path"][0]["slug"]
    await site.post("/1/answers", {"question": question, "answer": "no"}, 422)
    shown = await site.post("/1/answers", {"question": question, "answer": "no", "reason": "it is the cache"})
    assert [(s["answer"], s["by"], s["evidence"]) for s in shown["decision"]["path"]] == [("no", "Ana", None)]


async def test_a_question_that_facts_may_answer_is_awaited_until_a_person_did(site: Any) -> None:
    await site.declare(service="backend")
    assert (await site.shown())["decision"]["question"]["awaited"] is False
    about = Settled(lambda s, alerts: Subject(s), lambda command, values: None, LIMITS, timedelta(seconds=1))
    site.house.diagnosing = Diagnosing(site.house.desk, Made(FACTS["bad-deploy"]), about)
    question = (await site.shown())["decision"]["question"]
    assert (question["awaited"], question["verdict"]) == (True, None)
    shown = await site.post("/1/answers", {"question": question["slug"], "answer": "unknown"})
    assert shown["decision"]["question"]["awaited"] is False


async def test_indicators_are_suggested_beside_the_levels(site: Any) -> None:
    await diagnosed(site, "bad-deploy")
    assert {i["answer"] for i in (await site.shown())["indicators"]} <= {"yes", "no", "unknown"}
    assert "measured: no" in unescape((await (await site.signed_in(Role.RESPONDER)).get(ROOM)).text)


async def test_what_production_contradicts_stands_on_the_runbook_page_and_in_the_metrics(site: Any) -> None:
    lie = Finding("L003", Level.WARNING, 76, 1, "the cluster has no namespace prod <b>", "Write production.")
    site.house.truth = Truth(site.clock.now(), (lie,), ("metrics: no Prometheus is set up",), (lie,))
    browser = await site.signed_in(Role.VIEWER)
    page = (await browser.get("/runbook")).text
    assert "the cluster has no namespace prod &lt;b&gt;" in page
    assert "Not compared: metrics: no Prometheus is set up" in page
    assert "contradicts the runbook in 1 place" in (await browser.get("/")).text
    assert "tocsin_runbook_contradictions 1.0" in (await browser.get("/metrics")).text
