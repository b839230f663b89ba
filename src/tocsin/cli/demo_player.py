"""The responder of `tocsin demo --headless`: does over HTTP what a person would do, and says what it sees."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tocsin.bootstrap import House
from tocsin.engine.credentials import API, mint
from tocsin.incident.policy import Role

PATIENCE = 45.0
"""Seconds to wait for any one thing of the story."""
LEFT_TO_TOCSIN = 8.0
"""Seconds in which it is waited for Tocsin's own answer to the tree's question."""
ATTEMPTS = 3
IMPACT = "About two in five requests to the backend fail"
CAUSE = "Version v2 of the backend fails requests and leaks connections"

Incident = dict[str, Any]


class StoryError(Exception):
    """Something of the story did not come about."""


class Overtaken(StoryError):
    """What was asked for is no longer so: somebody else was quicker (409)."""


class Caller:
    """Ana, who is on call, at the server's API."""

    def __init__(self, house: House, *, url: str, patience: float = PATIENCE) -> None:
        self._house = house
        self._url = url
        self._patience = patience
        self._client = httpx.AsyncClient()
        self._began = time.monotonic()

    @asynccontextmanager
    async def signed_in(self) -> AsyncIterator[None]:
        """With a token of her own, from the moment the server answers."""
        token = await asyncio.to_thread(
            mint,
            self._house.core.storage,
            name="Ana",
            role=Role.COMMANDER,
            kind=API,
            now=self._house.core.clock.now(),
            lasts=None,
        )
        async with httpx.AsyncClient(
            base_url=f"{self._url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=20
        ) as self._client:
            await self._until("the server answers", self._ready)
            yield

    async def _ready(self) -> bool:
        try:
            return (await self._client.get(f"{self._url}/healthz")).is_success
        except httpx.TransportError:
            return False

    async def _opened(self) -> bool:
        return bool((await self._get("/incidents?status=open"))["incidents"])

    async def _incident(self) -> Incident:
        return await self._get("/incidents/1")

    async def _seen(self, what: str, when: Callable[[Incident], bool]) -> Incident:
        found: list[Incident] = []

        async def look() -> bool:
            found[:] = [await self._incident()]
            return when(found[0])

        await self._until(what, look)
        return found[0]

    async def _until(self, what: str, true: Callable[[], Any]) -> None:
        deadline = time.monotonic() + self._patience
        while not await true():
            if time.monotonic() > deadline:
                raise StoryError(f"waited {self._patience:.0f} s in vain until {what}")
            await asyncio.sleep(0.1)
        self._say(what)

    async def _get(self, path: str) -> Incident:
        return self._checked(await self._ask("GET", path))

    async def _post(self, path: str, body: Mapping[str, object]) -> Incident:
        return self._checked(await self._ask("POST", f"/incidents/1{path}", body))

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        """The answer; a request that was lost is sent again under the same key, so that it is done once."""
        headers = {"Idempotency-Key": secrets.token_urlsafe(12)} if method == "POST" else {}
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                return await self._client.request(method, path, json=body, headers=headers)
            except httpx.TransportError as exc:
                if not left:
                    raise StoryError(f"{method} {path}: no answer: {type(exc).__name__}") from exc
        raise StoryError(f"{method} {path}: not sent")

    def _checked(self, answer: httpx.Response) -> Incident:
        if not answer.is_success:
            refused = Overtaken if answer.status_code == httpx.codes.CONFLICT else StoryError
            raise refused(
                f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
            )
        found: Incident = answer.json()
        return found

    def _say(self, words: str) -> None:
        print(f"[{time.monotonic() - self._began:5.1f} s] {words}", flush=True)


class Player(Caller):
    """Plays the story of the demo."""

    async def play(self) -> None:
        """The story, from the page to the postmortem. Raises StoryError where it breaks off."""
        async with self.signed_in():
            await self._until("an incident is open", self._opened)
            await self._triage()
            await self._mitigate()
            await self._resolve()
            await self._review()

    async def _triage(self) -> None:
        incident = await self._seen("the page came again, unanswered", lambda i: len(i["pages"]) >= 2)
        self._say(f"incident {incident['number']}: {incident['title']} ({incident['severity']})")
        await self._post("/acknowledge", {})
        incident = await self._seen(
            "the assessment is done", lambda i: any(r["status"] != "running" for r in i["runs"])
        )
        for step in incident["runs"][0]["steps"]:
            self._say(f"assessment: {step['title']}: {step['outcome']} {step['reason']}".rstrip())
        await self._post("/procedures/high-error-rate", {})
        await self._seen("the investigation is done", lambda i: all(r["status"] != "running" for r in i["runs"]))
        await self._post("/facts", {"impact": IMPACT})

    async def _decide(self) -> None:
        """Leave the first question to Tocsin for a while; answer it as a person would where it stays silent."""
        deadline = time.monotonic() + LEFT_TO_TOCSIN
        decision = (await self._incident())["decision"]
        while not decision["path"] and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            decision = (await self._incident())["decision"]
        for step in decision["path"]:
            self._say(f"{step['question']} {step['by']} says {step['answer']}: {step['reason']}")
        if decision["question"] is not None:
            slug = decision["question"]["slug"]
            reason = "v2 went out just before"
            await self._post("/answers", {"question": slug, "answer": "yes", "reason": reason})

    async def _mitigate(self) -> None:
        await self._decide()
        incident = await self._seen("the rollback is proposed", lambda i: bool(i["approvals"]))
        approval = incident["approvals"][-1]
        self._say(f"approving: {approval['command']}")
        await self._post(f"/approvals/{approval['id']}", {"decision": "approve"})
        await self._seen("the rollback has run", lambda i: i["approvals"][-1]["status"] == "done")
        fields = {"progress": "Rolled the backend back", "next": "Watching the error rate"}
        await self._post("/updates", {"template": "Update", "fields": fields})

    async def _resolve(self) -> None:
        watching = "the alert stopped and the verification began"
        incident = await self._seen(watching, lambda i: i["status"] == "monitoring")
        for item in incident["checklist"]:
            if item["group"] == "verification":
                await self._post("/checklist", {"item": item["id"]})
        await self._post("/facts", {"root_cause": CAUSE, "follow_up": "1 action item"})
        await self._post("/resolve", {})
        await self._seen("the verification passed and the incident is resolved", lambda i: i["status"] == "resolved")

    async def _review(self) -> None:
        item = {"title": "Test releases under load before they go out", "owner": "dana", "due_in": "1w"}
        await self._post("/action-items", item)
        answer = await self._ask("GET", "/incidents/1/postmortem?format=md")
        if not answer.is_success or CAUSE not in answer.text:
            raise StoryError("the postmortem does not tell the cause")
        print("\n" + answer.text, flush=True)
