"""The runner near the cluster: asks one server for work, does what stands in its own documents, says what came of it.

A job that it cannot say it still works on, because the server is away, is ended before the server gives it up: what a
person starts after looking must find nothing half-way. No job is ever begun twice.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from tocsin.engine.ports import Cluster, Output, Report, StepReport
from tocsin.procedures.remote.holdings import Held, Holdings, Refusal
from tocsin.procedures.remote.link import Gone, Link, NotLetIn, Unreachable
from tocsin.procedures.remote.wire import PROTOCOL, Begin, Ended, Job, Offers, Piece, Poll, Progress, Refused, What
from tocsin.runbook.model import Step

Say = Callable[[str], None]
SHORTEST, LONGEST_PAUSE = 0.3, 20.0
TELLING = 0.2
"""Seconds between two looks for what there is to tell."""
RENEWALS = 5
"""How often a lease is renewed before it would run out."""
OURS = 0.6
"""The share of a lease after which a job is ended that could not be renewed: before the server gives it up."""
DELIVERED_WITHIN = 600.0
"""Seconds for which a result is offered to a server that is away."""
TOLD_AT_ONCE = 256 * 1024
"""Characters of output in one request; the rest goes with the next."""
BREATH = 0.05
"""Seconds between two questions, so that a server that answers each at once is not asked in a tight loop."""
REMEMBERED = 10_000


class Steps(Protocol):
    """What runs the steps here: the same port that the engine has."""

    async def run(
        self,
        steps: Sequence[tuple[int, Step]],
        *,
        environment: Sequence[str],
        values: Mapping[str, str],
        side_by_side: bool,
        approved: bool,
        report: Report,
        output: Output | None = None,
        whose: str = "",
    ) -> None: ...


@dataclass
class _InHand:
    """A job begun. `renewed_at` is when the last request began that the server answered; `over` once only its result
    is still to be delivered."""

    job: Job
    renewed_at: float
    task: asyncio.Task[None] | None = None
    why: str = ""
    over: bool = False
    said: deque[Piece] = field(default_factory=deque)


class NearRunner:
    """Works for the server of one link. `say` gets lines for whoever watches the runner."""

    def __init__(self, link: Link, holdings: Holdings, steps: Steps, cluster: Cluster, *, say: Say) -> None:
        self._link = link
        self._holdings = holdings
        self._steps = steps
        self._cluster = cluster
        self._say = say
        self._session = secrets.token_hex(12)
        self._in_hand: dict[str, _InHand] = {}
        self._seen: dict[str, None] = {}
        self._lease = 15.0
        self._up = False
        self._told_at = 0.0

    async def run(self) -> None:
        """Works until cancelled. Raises NotLetIn once the server does not take the token (any more)."""
        telling = asyncio.ensure_future(self._telling())
        asking = asyncio.ensure_future(self._asking())
        try:
            await asyncio.wait({telling, asking}, return_when=asyncio.FIRST_COMPLETED)
            for task in (asking, telling):
                if task.done():
                    task.result()
        finally:
            for task in (telling, asking):
                task.cancel()
            await asyncio.gather(telling, asking, return_exceptions=True)
            await self._end_all("the runner was stopped")

    # asking

    async def _asking(self) -> None:
        """Asks and asks; a server that is away is said once, and asked again after ever longer pauses."""
        seen, failures = -1, 0
        while True:
            asked = Poll(self._session, PROTOCOL, seen, self._holdings.documents)
            try:
                offers = await self._link.poll(asked)
                if not self._up:
                    self._say(f"connected to {self._link.url} as {offers.name}")
                self._up, failures, seen = True, 0, offers.version
                await self._take(offers)
                await asyncio.sleep(BREATH)
            except Unreachable as exc:
                if self._up or not failures:
                    self._say(f"no server at {self._link.url} ({exc}): asking again until there is")
                self._up, seen = False, -1
                failures += 1
                await asyncio.sleep(pause(failures, random.random()))  # noqa: S311  spreads runners, hides nothing

    async def _take(self, offers: Offers) -> None:
        self._lease = offers.lease
        for id_ in offers.stopped:
            self._stop(id_, "the server stopped it")
        wanted = {job.id: job for job in offers.jobs if job.id not in self._seen}
        held: dict[str, Held] = {}
        for job in wanted.values():
            found = self._holdings.find(job)
            if isinstance(found, Refusal):
                self._say(f"refused {job.title!r}: {found.reason}")
                self._remember(job.id)
                await self._link.refuse(Refused(self._session, job.id, found.reason))
            else:
                held[job.id] = found
        if not held:
            return
        at = _now()
        begun = await self._link.begin(Begin(self._session, tuple(held)))
        for id_ in begun.jobs:
            if id_ in held and id_ not in self._seen:
                self._remember(id_)
                self._begin(_InHand(wanted[id_], at), held[id_])

    def _remember(self, id_: str) -> None:
        self._seen[id_] = None
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    # doing

    def _begin(self, one: _InHand, held: Held) -> None:
        self._in_hand[one.job.id] = one
        one.task = asyncio.ensure_future(self._do(one, held))

    async def _do(self, one: _InHand, held: Held) -> None:
        job = one.job
        if job.what is What.RUN:
            self._say(f"runs {job.title!r}{', approved' if job.approved else ''}: {_one_line(held.step.command)}")
        try:
            ended = await self._done(one, held)
        except asyncio.CancelledError:
            ended = Ended(self._session, job.id, reason=one.why or "the runner was stopped")
            ours = asyncio.current_task()
            if ours is None or not one.why:
                self._in_hand.pop(job.id, None)
                raise
            ours.uncancel()
        except Exception as exc:  # noqa: BLE001  the barrier around one step: the others go on, the room is told
            ended = Ended(self._session, job.id, reason=f"the runner broke: {type(exc).__name__}")
        await self._deliver(one, ended)

    async def _done(self, one: _InHand, held: Held) -> Ended:
        job = one.job
        if job.what is What.FOOTING:
            seen = await self._cluster.footing(held.step, environment=held.environment, values=job.values)
            return Ended(self._session, job.id, footing=seen)
        if job.what is What.CHOICES:
            asked = next((p for p in held.step.placeholders if p.name == job.placeholder), None)
            if asked is None:
                return Ended(self._session, job.id, reason=f"the step has no place for <{job.placeholder}>")
            found = await self._cluster.choices(asked, held.step, environment=held.environment)
            return Ended(self._session, job.id, choices=found)
        reports: list[StepReport] = []

        def heard(_: int, stream: str, text: str) -> None:
            one.said.append(Piece(job.id, stream, text))

        await self._steps.run(
            [(1, held.step)], environment=held.environment, values=job.values, side_by_side=False,
            approved=job.approved, report=reports.append, output=heard, whose=job.whose,
        )  # fmt: skip
        if not reports:
            return Ended(self._session, job.id, reason="the step gave no result")
        return Ended(self._session, job.id, report=reports[0])

    async def _deliver(self, one: _InHand, ended: Ended) -> None:
        """Offers the result until the server took it, or does not know of the job, or for long enough."""
        one.over = True
        failures, begun = 0, _now()
        try:
            while _now() - begun < DELIVERED_WITHIN:
                try:
                    await self._link.end(ended)
                    return
                except Unreachable:
                    failures += 1
                    await asyncio.sleep(pause(failures, random.random()))  # noqa: S311
            self._say(f"{one.job.title!r} ended ({_said(ended)}), and the server could not be told")
        except Gone:
            self._say(f"{one.job.title!r} ended ({_said(ended)}), and the server knows nothing of it any more")
        except NotLetIn:
            self._say(f"{one.job.title!r} ended ({_said(ended)}), and the server does not let this runner in any more")
        finally:
            self._in_hand.pop(one.job.id, None)

    # telling

    async def _telling(self) -> None:
        """Says what steps say, and that they go on; ends those that the server cannot be told of for too long."""
        while True:
            await asyncio.sleep(TELLING)
            at = _now()
            speaks = any(one.said for one in self._in_hand.values())
            if self._in_hand and (speaks or at - self._told_at > self._lease / RENEWALS):
                await self._tell(at)
            for one in list(self._in_hand.values()):
                if _now() - one.renewed_at > self._lease * OURS and not one.over:
                    self._stop(one.job.id, f"the server could not be told of it for {self._lease * OURS:.0f} s")

    async def _tell(self, at: float) -> None:
        jobs = tuple(self._in_hand)
        said = self._unsaid()
        try:
            kept = await self._link.progress(Progress(self._session, jobs, _joined(said)))
        except Unreachable:
            for piece in reversed(said):
                if piece.job in self._in_hand:
                    self._in_hand[piece.job].said.appendleft(piece)
            return
        self._told_at = at
        for id_ in jobs:
            if id_ in self._in_hand:
                self._in_hand[id_].renewed_at = at
        for id_ in kept.stopped:
            self._stop(id_, "the server stopped it")

    def _unsaid(self) -> list[Piece]:
        """What steps said and nobody was told, as much as goes into one request."""
        found: list[Piece] = []
        room = TOLD_AT_ONCE
        for one in self._in_hand.values():
            while one.said and room > 0:
                found.append(one.said.popleft())
                room -= len(found[-1].text)
        return found

    # ending

    def _stop(self, id_: str, why: str) -> None:
        one = self._in_hand.get(id_)
        if one is None or one.task is None or one.why or one.over:
            return
        one.why = why
        self._say(f"ends {one.job.title!r}: {why}")
        one.task.cancel()

    async def _end_all(self, why: str) -> None:
        left = [one.task for one in self._in_hand.values() if one.task is not None]
        for id_ in tuple(self._in_hand):
            self._stop(id_, why)
        if left:
            _, late = await asyncio.wait(left, timeout=self._lease)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with suppress(Exception):
            await self._link.close()


def pause(failures: int, chance: float) -> float:
    """Seconds before the next try: doubled each time up to `LONGEST_PAUSE`, and spread by `chance` (0 to 1) so that
    many runners do not come back at the same moment."""
    return float(min(LONGEST_PAUSE, SHORTEST * 2 ** min(failures, 10)) * (0.5 + chance / 2))


def _one_line(command: str) -> str:
    said = " ".join(command.split())
    return said if len(said) <= 100 else f"{said[:99]}…"


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Neighbours of one stream as one piece."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and (last.job, last.stream) == (piece.job, piece.stream):
            found[-1] = Piece(piece.job, piece.stream, last.text + piece.text)
        else:
            found.append(piece)
    return tuple(found)


def _said(ended: Ended) -> str:
    return f"{ended.report.outcome}: {ended.report.reason}".rstrip(": ") if ended.report else ended.reason or "looked"


def _now() -> float:
    return asyncio.get_running_loop().time()
