"""The responder of `tocsin drill run --auto`: follows what Tocsin proposes, and knows the truth where it is silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from tocsin.cli.demo_house import Beside
from tocsin.cli.demo_player import Caller, Incident, Overtaken
from tocsin.cli.drill_score import Entry, Score, at, judged
from tocsin.diagnosis.questions import bind
from tocsin.incident.policy import TOCSIN
from tocsin.lab.errors import LabError
from tocsin.lab.scenarios.model import FIX, NO, NOTHING, OPEN, RESTART, ROLLBACK, YES, Scenario

WAIT_FOR_ANSWER_S = 45.0
"""How long the responder waits for Tocsin to answer a question of the tree before answering it."""
_WORDS = {ROLLBACK: ("rollback", "roll back", "undo"), RESTART: ("restart",), "scale": ("scale",)}


class Responder(Caller):
    """Plays one scenario to its end."""

    def __init__(self, here: Beside, scenario: Scenario) -> None:
        super().__init__(here.house, url=here.url, patience=scenario.limit)
        self._here = here
        self._scenario = scenario
        self.recovered_at: float | None = None
        self._watching: asyncio.Task[None] | None = None

    async def respond(self) -> None:
        """From the page to the postmortem. Raises StoryError where it breaks off."""
        async with self.signed_in():
            await self._until("an incident is open", self._opened)
            await self._post("/acknowledge", {})
            self._say("acknowledged")
            self._watching = asyncio.create_task(self._watch_recovery())
            try:
                await self._decide()
                await self._see_it_through()
            finally:
                self._watching.cancel()
                await asyncio.gather(self._watching, return_exceptions=True)

    async def watch(self, *, seconds: float) -> None:
        """While a person responds: until the incident is resolved. Raises StoryError when it is not in time."""
        self._patience = seconds
        async with self.signed_in():
            self._watching = asyncio.create_task(self._watch_recovery())
            try:
                await self._until("an incident is open", self._opened)
                await self._seen("the incident is resolved", lambda i: i["status"] in ("resolved", "closed"))
            finally:
                self._watching.cancel()
                await asyncio.gather(self._watching, return_exceptions=True)

    async def report(self) -> tuple[Incident, list[Entry], int, str]:
        """The incident, its timeline, how many incidents there are, and the postmortem."""
        async with self.signed_in():
            incident = await self._incident()
            entries: list[Entry] = await self._entries()
            count = len((await self._get("/incidents?status=all"))["incidents"])
            postmortem = await self._ask("GET", "/incidents/1/postmortem?format=md")
            return incident, entries, count, postmortem.text

    async def _entries(self) -> list[Entry]:
        answer = await self._ask("GET", "/incidents/1/timeline?limit=1000")
        entries: list[Entry] = answer.json()
        return entries

    async def _decide(self) -> None:
        """Walk the tree to its end, and mitigate; Tocsin may answer, or propose, at any moment in between."""
        await self._post("/facts", {"impact": self._scenario.impact})
        while (question := await self._asked()) is not None:
            if await self._answered(question) or await self._asked() != question:
                continue
            answer, reason = self._truth(question), self._scenario.truth.cause
            try:
                await self._post("/answers", {"question": question["slug"], "answer": answer, "reason": reason})
            except Overtaken as exc:
                self._say(f"{question['question']} is not asked any more: {exc}")
                continue
            self._say(f"{question['question']} a person says {answer}: {reason}")
        await self._mitigate()

    async def _asked(self) -> dict[str, str] | None:
        """The open question; None at a leaf."""
        question = (await self._incident())["decision"]["question"]
        return {"slug": question["slug"], "question": question["question"]} if question else None

    async def _answered(self, question: Mapping[str, str]) -> bool:
        """Whether Tocsin answers the question by itself, in the time that a responder waits for it."""
        deadline = time.monotonic() + WAIT_FOR_ANSWER_S
        while time.monotonic() < deadline:
            decision = (await self._incident())["decision"]
            step = next((step for step in decision["path"] if step["slug"] == question["slug"]), None)
            if step is not None:
                self._say(f"{step['question']} {step['by']} says {step['answer']}: {step['reason']}")
                return bool(step["answer"] in (YES, NO))
            open_now = decision["question"]
            if open_now is None or open_now["slug"] != question["slug"]:
                return True  # an answer before it was changed: another question is open now
            if not open_now["awaited"]:
                return False
            await asyncio.sleep(0.1)
        return False

    def _truth(self, question: Mapping[str, str]) -> str:
        """The true answer; no, where people may differ."""
        topic = bind(question["question"]).topic
        return (self._scenario.truth.answers().get(topic.value, OPEN) if topic else OPEN) or NO

    async def _mitigate(self) -> None:
        while (proposed := await self._proposed()) is not None:
            try:
                if await self._judged(proposed):
                    return
            except Overtaken as exc:
                self._say(f"not proposed any more: {proposed['command']}: {exc}")
        await self._by_hand()

    async def _proposed(self) -> dict[str, Any] | None:
        """The newest proposal that waits for an answer."""
        approvals: list[dict[str, Any]] = (await self._incident())["approvals"]
        return next((each for each in reversed(approvals) if each["status"] == "pending"), None)

    async def _judged(self, proposed: dict[str, Any]) -> bool:
        """Whether the proposal is what helps, and has been approved and run; it is rejected otherwise."""
        if not self._fits(proposed["command"]):
            reason = self._scenario.undone or f"that does not help: {self._scenario.truth.cause}"
            await self._post(f"/approvals/{proposed['id']}", {"decision": "reject", "reason": reason[:200]})
            self._say(f"rejected: {proposed['command']}: {reason}")
            return False
        self._say(f"approving: {proposed['command']}")
        await self._post(f"/approvals/{proposed['id']}", {"decision": "approve"})
        await self._seen("the mitigation has run", lambda i: i["approvals"][-1]["status"] in ("done", "failed"))
        return True

    def _fits(self, command: str) -> bool:
        truth = self._scenario.truth
        words = _WORDS.get(truth.right, ())
        return any(word in command for word in words) and f"/{truth.about}" in command

    async def _by_hand(self) -> None:
        """What an engineer does outside of the runbook's three mitigations."""
        truth, production = self._scenario.truth, self._here.production
        if truth.right == NOTHING:
            return
        if truth.right == FIX and self._scenario.mend is not None:
            await asyncio.to_thread(self._scenario.mend, production)
        elif truth.right == ROLLBACK:
            await asyncio.to_thread(
                self._run, f"kubectl rollout undo deployment/{truth.about} -n {production.namespace}"
            )
        elif truth.right == RESTART:
            command = f"kubectl rollout restart deployment/{truth.about} -n {production.namespace}"
            await asyncio.to_thread(self._run, command)
        self._say(f"an engineer mends it: {truth.cause}")
        await self._post("/notes", {"text": f"An engineer mended it. {truth.cause}."})

    def _run(self, command: str) -> None:
        done = self._here.production.run(command)
        if done.rc:
            raise LabError(f"{command}: {done.stderr.strip()}")

    async def _see_it_through(self) -> None:
        incident = await self._seen(
            "the alert stopped and the verification began",
            lambda i: i["status"] in ("monitoring", "resolved", "closed"),
        )
        fields = {"progress": "What was wrong has been mended", "next": "Watching"}
        await self._post("/updates", {"template": "Update", "fields": fields})
        for item in incident["checklist"]:
            if item["group"] == "verification":
                await self._post("/checklist", {"item": item["id"]})
        await self._post("/facts", {"root_cause": self._scenario.truth.cause, "follow_up": "1 action item"})
        if incident["status"] == "monitoring":
            await self._resolve()
        await self._seen("the verification passed and the incident is resolved", lambda i: i["status"] == "resolved")
        item = {"title": f"Make it impossible: {self._scenario.truth.cause}", "owner": "dana", "due_in": "1w"}
        await self._post("/action-items", item)

    async def _resolve(self) -> None:
        """Ask for it, and again when the verification failed: on a loaded machine its steps may answer too late."""
        while True:
            with suppress(Overtaken):
                await self._post("/resolve", {})
            ended = await self._seen("the verification has ended", lambda i: i["status"] != "monitoring")
            if ended["status"] in ("resolved", "closed"):
                return
            await self._seen("no alert fires", lambda i: i["alerts_firing"] == 0)

    async def _watch_recovery(self) -> None:
        """Note when the production is really well again for the first time after it was not, and has stayed so."""
        hurt = self._scenario.truth.right == NOTHING
        well_since: float | None = None
        while True:
            well = await asyncio.to_thread(self._well)
            hurt = hurt or not well
            well_since = (well_since or time.time()) if hurt and well else None
            self.recovered_at = well_since
            await asyncio.sleep(0.25)

    def _well(self) -> bool:
        production = self._here.production
        try:
            firing = any(
                not rule.lasts and production.measure(rule.expression) > rule.threshold for rule in self._scenario.rules
            )
            return not firing and production.health() == 200
        except LabError:
            return False

    def score(self, incident: Incident, entries: Sequence[Entry], incidents: int) -> Score:
        """What the drill measured."""
        since = datetime.fromisoformat(incident["opened_at"])
        truth = self._scenario.truth
        due = next((each for each in entries if each["type"] == "AcknowledgeMissed"), None)
        resolved = at(entries, "Resolved", since)
        recovered = None if self.recovered_at is None else self.recovered_at - since.timestamp()
        asked = {each.slug: each.question for each in self._here.house.reading.runbook.questions()}
        said = [each["data"] for each in entries if each["type"] == "Answered" and each["actor"] == TOCSIN.name]
        given = [(asked.get(one["question"], ""), one["answer"], one.get("reason", "")) for one in said]
        return Score(
            name=self._scenario.name,
            acknowledged=at(entries, "Acknowledged", since),
            acknowledged_in_time=due is None,
            assessed=at(entries, "RunFinished", since),
            severity=str(incident["severity"]),
            proposed=at(entries, "MitigationProposed", since),
            mitigated=at(entries, "MitigationFinished", since),
            recovered=recovered,
            verified=resolved,
            updates=sum(each["type"] == "Posted" for each in entries),
            reminders=sum(each["type"] == "UpdateReminded" for each in entries),
            incidents=incidents,
            verdicts=judged(self._scenario, given),
            right=truth.right,
            limit=self._scenario.limit,
        )
