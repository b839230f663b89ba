"""Open questions answered from facts: once, with what they rest on, never over a person, and watched afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cases import cases
from engines import ANA, Plant, policy
from msgspec.structs import replace

from tocsin.diagnosis import preflight
from tocsin.diagnosis.facts import Facts, Subject, Taken
from tocsin.diagnosis.verdict import LIMITS
from tocsin.engine.diagnosing import GRACE, PATIENCE, Diagnosing, Settled
from tocsin.engine.fakes import RecordingChannel, ScriptedRunner, VirtualClock
from tocsin.incident import events as e
from tocsin.incident.alert import Alert
from tocsin.incident.state import Incident
from tocsin.store.database import Store

FACTS = {case.name: case.facts for case in cases()}
BLIND = replace(FACTS["bad-deploy"], pods=Taken(error="forbidden", at=FACTS["bad-deploy"].at))
UNDO = preflight.Act(preflight.Verb.UNDO, "deployment", "backend")


class Made:
    """A witness of a production that is made up."""

    def __init__(self, facts: Facts) -> None:
        self.made = facts
        self.asked: list[Subject] = []

    async def facts(self, subject: Subject, *, reported_at: object) -> Facts:
        self.asked.append(subject)
        return self.made

    async def warm(self) -> None:
        pass


class Case:
    """One incident, a production, and what looks at it."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.clock = VirtualClock()
        self.store = Store(f"sqlite:///{folder / 'tocsin.db'}")
        self.plant = Plant(self.store, self.clock, [RecordingChannel()], ScriptedRunner(self.clock), policy())
        self.witness = Made(facts)
        self.incident = ""

        def subject(service: str, alerts: Sequence[Alert]) -> Subject:
            return Subject(service)

        about = Settled(subject, lambda command, values: UNDO, LIMITS, timedelta(seconds=1))
        self.diagnosing = Diagnosing(self.plant.desk, self.witness, about)

    async def open(self) -> None:
        self.incident = (await self.plant.desk.declare(ANA, title="Errors", severity="SEV1", service="backend")).id

    async def turn(self, **later: float) -> Incident:
        self.clock.move(**later)
        await self.diagnosing.turn()
        return await self.plant.desk.incident(self.incident)

    async def said(self, kind: type[e.Event]) -> list[e.Event]:
        return [x.event for x in await self.plant.desk.timeline(self.incident) if isinstance(x.event, kind)]


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    made = Case(tmp_path, FACTS["bad-deploy"])
    await made.open()
    yield made
    await made.plant.stop()
    made.store.close()


async def test_a_bad_deployment_is_answered_and_its_rollback_proposed(case: Case) -> None:
    incident = await case.turn()
    assert [(a.answer, a.by) for a in incident.answers] == [("yes", "tocsin")]
    assert [(a.slug, a.status, a.requested_by) for a in incident.approvals] == [("rollback", "pending", "tocsin")]


async def test_what_an_answer_rests_on_is_kept(case: Case) -> None:
    incident = await case.turn()
    kept = await case.plant.desk.evidence(incident.answers[0].evidence or "")
    assert kept.stdout.startswith("yes: ")
    assert "deployment/backend: revision 9" in kept.stdout


async def test_nothing_is_answered_twice(case: Case) -> None:
    for _ in range(3):
        await case.turn(seconds=30)
    assert len(await case.said(e.Answered)) == 1


async def test_several_questions_are_answered_from_one_look(case: Case) -> None:
    case.witness.made = FACTS["lock-pileup"]
    incident = await case.turn()
    assert [a.answer for a in incident.answers] == ["no", "no", "no", "yes"]
    assert len(case.witness.asked) == 1


async def test_an_unknown_is_said_once_and_only_after_a_while(case: Case) -> None:
    case.witness.made = BLIND
    early = await case.turn()
    later = await case.turn(seconds=GRACE.total_seconds() + 1)
    await case.turn(minutes=1)
    assert (early.answers, [a.answer for a in later.answers]) == ((), ["unknown"])
    assert len(await case.said(e.Answered)) == 1


async def test_an_unknown_waits_while_it_is_too_early_to_say_but_not_for_long(case: Case) -> None:
    case.witness.made = replace(BLIND, settling=timedelta(hours=1))
    early = await case.turn(seconds=PATIENCE.total_seconds() - 1)
    late = await case.turn(seconds=1)
    assert (early.answers, [a.answer for a in late.answers]) == ((), ["unknown"])


async def test_a_no_that_came_too_early_to_be_said_is_said_once_it_can_be(case: Case) -> None:
    facts = FACTS["lock-pileup"]
    case.witness.made = replace(facts, settling=timedelta(hours=1))
    early = await case.turn()
    case.witness.made = facts
    late = await case.turn(seconds=GRACE.total_seconds() + 1)
    assert [a.answer for a in early.answers] == ["no"]  # of the deployment: what was changed is seen at once
    assert [a.answer for a in late.answers] == ["no", "no", "no", "yes"]


async def test_what_cannot_be_had_is_logged_once_in_one_line(case: Case, said: list[dict[str, object]]) -> None:
    case.witness.made = BLIND
    for _ in range(2):
        await case.turn(seconds=1)
    (line,) = (one for one in said if one["event"] == "evidence_incomplete")
    assert (line["incident"], line["missing"]) == (1, "the pods: forbidden")


async def test_an_unknown_is_looked_at_again(case: Case) -> None:
    case.witness.made = BLIND
    await case.turn(seconds=60)
    case.witness.made = FACTS["bad-deploy"]
    incident = await case.turn(seconds=60)
    assert [a.answer for a in incident.answers] == ["yes"]


async def test_a_person_who_answered_is_left_alone(case: Case) -> None:
    question = case.diagnosing.awaited(await case.plant.desk.incident(case.incident))
    assert question is not None
    await case.plant.desk.answer(case.incident, ANA, question=question.slug, answer="unknown", reason="looking")
    incident = await case.turn(seconds=60)
    assert [(a.answer, a.by) for a in incident.answers] == [("unknown", "Ana")]
    assert case.diagnosing.awaited(incident) is None


async def test_a_young_incident_is_looked_at_often_and_an_old_one_seldom(case: Case) -> None:
    case.witness.made = BLIND
    for _ in range(5):
        await case.turn(seconds=2)
    often = len(case.witness.asked)
    case.clock.move(minutes=20)
    for _ in range(5):
        await case.turn(seconds=2)
    assert (often, len(case.witness.asked) - often) == (5, 1)


async def test_indicators_are_suggested_and_forgotten_with_the_incident(case: Case) -> None:
    await case.turn()
    assert {i.severity for i in case.diagnosing.indicators[case.incident]} >= {"SEV1", "SEV2"}
    await case.plant.desk.resolve(case.incident, ANA, reason="over")
    await case.turn(seconds=30)
    assert case.diagnosing.indicators == {}


async def test_what_became_of_a_mitigation_is_noted_once(case: Case) -> None:
    await case.turn()
    await case.plant.desk.approve(case.incident, ANA, approval="1")
    await case.plant.turn()
    for _ in range(3):
        await case.turn(seconds=20)
    seen = {
        x.check.what: x.check.state
        for x in await case.said(e.MitigationObserved)
        if isinstance(x, e.MitigationObserved)
    }
    assert seen["signal gone"] == "failed"
    assert len(await case.said(e.MitigationObserved)) == len(seen)
