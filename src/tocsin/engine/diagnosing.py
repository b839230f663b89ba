"""Open questions of the decision tree answered from facts, again and again until they are answered or a person has.

Every replica may look: what one has answered, another does not say again. Nothing is done but answering, and noting
what became of a mitigation; approving stays with people.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from tocsin.diagnosis import preflight, symptoms
from tocsin.diagnosis.deciders import answer
from tocsin.diagnosis.facts import Facts, Subject, troubles
from tocsin.diagnosis.impact import Impact
from tocsin.diagnosis.indicators import Suggested, measurable, suggested
from tocsin.diagnosis.questions import bind
from tocsin.diagnosis.verdict import Limits, Verdict, told
from tocsin.diagnosis.walk import NO, UNKNOWN, YES, walk
from tocsin.engine.core import new_id
from tocsin.engine.desk import Desk
from tocsin.engine.errors import NotFound, Unavailable
from tocsin.engine.records import Evidence
from tocsin.incident import events as e
from tocsin.incident.alert import Alert
from tocsin.incident.errors import IncidentError
from tocsin.incident.policy import TOCSIN
from tocsin.incident.preflight import Check
from tocsin.incident.state import Approval, Incident, Status
from tocsin.runbook.model import Question

log = structlog.get_logger()
FRESH = timedelta(minutes=2)
SELDOM = timedelta(seconds=30)
RARELY = timedelta(minutes=5)
OLD = timedelta(minutes=30)
GRACE = timedelta(seconds=10)
"""So long an answer may be unknown before that is said: the first measurements of an incident come in seconds."""
PATIENCE = timedelta(seconds=30)
"""So long also where it is too early to say."""
WATCHED = timedelta(minutes=10)
"""How long after a mitigation is looked whether it holds."""
AT_ONCE = 4
SPACED_SECONDS = 0.2
MOST = 50


class Witness(Protocol):
    async def facts(self, subject: Subject, *, reported_at: datetime) -> Facts:
        """Everything known now. Never raises for a source that fails: it is unknown then."""
        ...

    async def warm(self) -> None:
        """Measures in calm what is compared with later."""
        ...


class Settled(Struct, frozen=True):
    """What a diagnosis needs of the settings. `act` is what a command does to a workload, None when not known."""

    subject: Callable[[str, Sequence[Alert]], Subject]
    act: Callable[[str, dict[str, str]], preflight.Act | None]
    limits: Limits
    every: timedelta
    impact_of: Callable[[str], Impact | None] = lambda service: None


class Diagnosing:
    """Looks at each open incident as often as it is young. `indicators` are the latest suggestions, by incident."""

    def __init__(self, desk: Desk, witness: Witness, settled: Settled) -> None:
        self._desk = desk
        self._witness = witness
        self._settled = settled
        self._due: dict[str, datetime] = {}
        self._missed: dict[str, tuple[str, ...]] = {}
        self.indicators: dict[str, tuple[Suggested, ...]] = {}

    async def run(self) -> None:
        """Until cancelled. A commit is a reason to look sooner: an incident may have opened."""
        woken = self._desk.core.waker()
        warmed = self._desk.now()
        await self._witness.warm()
        while True:
            woken.clear()
            await self.turn()
            if self._desk.now() - warmed > SELDOM:
                warmed = self._desk.now()
                await self._witness.warm()
            try:
                async with asyncio.timeout(self._settled.every.total_seconds()):
                    await woken.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(SPACED_SECONDS)  # commits may come by the hundred

    async def turn(self) -> None:
        """Looks at what is due, a few incidents at once."""
        now = self._desk.now()
        try:
            incidents = await self._desk.incidents(over=False, limit=MOST)
        except Unavailable:
            return
        known = {i.id for i in incidents}
        self._due = {k: v for k, v in self._due.items() if k in known}
        self.indicators = {k: v for k, v in self.indicators.items() if k in known}
        self._missed = {k: v for k, v in self._missed.items() if k in known}
        due = [i for i in incidents if self._wanted(i) and self._due.get(i.id, now) <= now][:AT_ONCE]
        for incident in due:
            self._due[incident.id] = now + self._pause(incident, now)
        await asyncio.gather(*(self._safely(i) for i in due))

    def _pause(self, incident: Incident, now: datetime) -> timedelta:
        young = now - max([incident.opened_at, *(a.ended_at for a in incident.approvals if a.ended_at)])
        return self._settled.every if young < FRESH else SELDOM if young < OLD else RARELY

    def _wanted(self, incident: Incident) -> bool:
        return self.awaited(incident) is not None or bool(self._watched(incident)) or self._weighs(incident)

    def _weighs(self, incident: Incident) -> bool:
        """Whether measurements may still say how bad it is: while it is young, or nothing was looked at yet."""
        alive = incident.status in (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATING)
        young = self._desk.now() - incident.opened_at < OLD or incident.id not in self.indicators
        return alive and young and measurable(self._desk.policy_of(incident).runbook)

    def awaited(self, incident: Incident) -> Question | None:
        """The open question that may still be answered from facts; None when a person has, or when none can be."""
        if incident.status not in (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATING):
            return None
        question = walk(self._desk.policy_of(incident).runbook, incident.answers).question
        if question is None or bind(question.question).topic is None:
            return None
        given = next((a for a in incident.answers if a.question == question.slug), None)
        return question if given is None or given.by == TOCSIN.name else None

    def _watched(self, incident: Incident) -> list[Approval]:
        """Mitigations that ran not long ago, and of which it is not known yet whether they hold."""
        now = self._desk.now()
        return [
            a
            for a in incident.approvals
            if a.status == "done" and a.ended_at is not None and now - a.ended_at < WATCHED
        ]

    async def _safely(self, incident: Incident) -> None:
        try:
            await self.look(incident)
        except (IncidentError, NotFound, Unavailable) as exc:
            log.info("diagnosis_put_off", incident=incident.number, reason=str(exc))

    async def look(self, incident: Incident) -> None:
        """One look: what is known now, the answers that follow, and what became of mitigations."""
        alerts = [r.alert for r in await self._desk.alerts(ref=incident.id)]
        subject = self._settled.subject(incident.service, alerts)
        reported = min([a.starts_at for a in alerts if a.starts_at] + [incident.opened_at])
        facts = await self._witness.facts(subject, reported_at=reported)
        impact = self._settled.impact_of(incident.service)
        facts = replace(facts, affected=(impact.share, impact.said)) if impact else facts
        self._say_missing(incident, facts)
        runbook = self._desk.policy_of(incident).runbook
        self.indicators[incident.id] = suggested(runbook, facts, self._settled.limits)
        await self._watch(incident, facts)
        while (question := self.awaited(incident)) is not None:
            verdict = answer(bind(question.question, question.slug), facts, self._settled.limits)
            if verdict is None or not self._worth_saying(incident, question, verdict, facts):
                return
            incident = await self._say(incident, question, verdict, facts)
            if verdict.answer not in (YES, NO):
                return

    def _say_missing(self, incident: Incident, facts: Facts) -> None:
        """One line in the log when other sources than before fail."""
        missing = troubles(facts)
        if missing and missing != self._missed.get(incident.id):
            log.warning("evidence_incomplete", incident=incident.number, missing="; ".join(missing))
        self._missed[incident.id] = missing

    def _worth_saying(self, incident: Incident, question: Question, verdict: Verdict, facts: Facts) -> bool:
        """An unknown is said once, when it stayed one for a while, and not where there is no cluster to know it.

        While it is too early to say, it waits, but not for long: a person may know already.
        """
        if verdict.answer != UNKNOWN:
            return True
        if facts.workloads.absent:
            return False
        said = any(a.question == question.slug for a in incident.answers)
        waited = self._desk.now() - incident.opened_at
        return not said and waited >= GRACE and (waited >= PATIENCE or not symptoms.young(facts, self._settled.limits))

    async def _say(self, incident: Incident, question: Question, verdict: Verdict, facts: Facts) -> Incident:
        """The answer on the timeline, with what it rests on kept beside it."""
        kept = _kept(incident, question, verdict, facts, ended_at=self._desk.now())
        await self._desk.core.record(lambda ledger: ledger.tx.put_evidence(kept))
        return await self._desk.answer(
            incident.id, TOCSIN, question=question.slug, answer=verdict.answer, reason=verdict.reason, evidence=kept.id
        )

    # after a mitigation

    async def _watch(self, incident: Incident, facts: Facts) -> None:
        """Notes what changed: whether it is rolled out, the signal that led to it is gone, and it was not reverted."""
        for approval in self._watched(incident):
            act = self._settled.act(approval.command, approval.values)
            seen = preflight.after(act, facts, template=approval.template) if act else ()
            before = {c.what: c.state for c in approval.observed}
            news = [c for c in (*seen, _signal(facts, self._settled.limits)) if _is_news(c, before)]
            if news:
                said = [e.MitigationObserved(approval.id, check) for check in news]
                await self._desk.core.append(incident.id, said)


def _signal(facts: Facts, limits: Limits) -> Check:
    """What led to the mitigation, measured again: failing, or slow."""
    found = symptoms.eased(facts, limits)
    state = {YES: preflight.PASSED, NO: preflight.FAILED}.get(found.answer, preflight.UNKNOWN)
    return Check("signal gone", state, found.reason)


def _is_news(check: Check, before: dict[str, str]) -> bool:
    """An unknown is no news, but where something was known before."""
    return before.get(check.what, preflight.UNKNOWN) != check.state


def _kept(incident: Incident, question: Question, verdict: Verdict, facts: Facts, *, ended_at: datetime) -> Evidence:
    text = told(verdict)
    return Evidence(
        id=new_id(), incident_id=incident.id, run="decision", index=0, title=question.question, command="",
        outcome={YES: "ok", NO: "ok"}.get(verdict.answer, "unknown"), reason=f"{verdict.answer}: {verdict.reason}",
        exit_code=None, stdout=text, stderr="", cut_bytes=0, started_at=facts.at, ended_at=ended_at,
        digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    )  # fmt: skip
