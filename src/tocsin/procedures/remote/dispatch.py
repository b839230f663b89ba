"""The server's side of runners near the cluster: offers jobs, and knows who has which for how long.

A job is begun by one session at most, and never offered again once it was begun: a change whose runner is lost has an
outcome that nobody knows. In memory only; a server that starts again knows none of the old jobs, and says so.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from tocsin.procedures.remote.wire import Begin, Begun, Ended, Job, Kept, Offers, Poll, Progress, Refused, What

Said = Callable[[str, str], None]
Late = Callable[[Job, Ended], Awaitable[None]]
POLL_SECONDS = 20.0
"""How long a runner's question is left open while there is nothing to do."""
GATHER_SECONDS = 0.02
"""How long news are kept back for what comes right after them: steps that begin side by side are told together."""
AWAY_SECONDS = 5.0
"""How long after its last question a runner still counts as connected: it asks again at once."""
STOPPING_SECONDS = 8.0
"""How long a cancelled job is waited for: its processes get five seconds to tidy up."""
LATE = 200
"""Lost jobs that are remembered, for a result that comes after all."""
NOBODY = "no runner is connected: start `tocsin runner` near the cluster"


class NotTaken(Exception):
    """No runner began the job; nothing of it ran. `str()` says why."""


class Lost(Exception):
    """It was begun, and how it ended is not known. `str()` says why."""


class Connected(Struct, frozen=True):
    """A runner that asks for work: the name of its token, the documents it has, how many jobs it has in hand."""

    name: str
    session: str
    documents: tuple[str, ...]
    running: int


@dataclass
class _Session:
    name: str
    documents: tuple[str, ...]
    asking: int = 0
    asked_at: float = 0.0


@dataclass
class _Errand:
    job: Job
    said: Said | None
    until: float
    session: str = ""
    stopped: bool = False
    ended: Ended | None = None
    refused: dict[str, str] = field(default_factory=dict)
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Dispatch:
    """Made and used inside one event loop. `wait` is how long a job waits to be begun, `lease` how long a runner may
    stay silent about one that it began."""

    def __init__(self, *, wait: timedelta, lease: timedelta) -> None:
        self.wait = wait.total_seconds()
        self.lease = lease.total_seconds()
        self.late: Late | None = None
        self._errands: dict[str, _Errand] = {}
        self._lost: dict[str, Job] = {}
        self._sessions: dict[str, _Session] = {}
        self._version = 0
        self._news = asyncio.Event()
        self._closed = False

    # the server's side

    def connected(self) -> list[Connected]:
        """The runners that ask for work now, by name."""
        self._forget_away()
        in_hand = [one.session for one in self._errands.values()]
        return sorted(
            (Connected(s.name, id_, s.documents, in_hand.count(id_)) for id_, s in self._sessions.items()),
            key=lambda one: (one.name, one.session),
        )

    async def do(self, job: Job, *, said: Said | None = None, wait: float | None = None) -> Ended:
        """What became of the job. Raises NotTaken and Lost. Cancelled, it comes back once the runner has ended it.

        The job gets an id of its own. `said` hears (stream, text) while it runs.
        """
        job = replace(job, id=secrets.token_hex(12))
        errand = _Errand(job, said, self._now() + (self.wait if wait is None else wait))
        self._errands[job.id] = errand
        self._change()
        try:
            return await self._ended(errand)
        except asyncio.CancelledError:
            await self._stop(errand)
            raise
        finally:
            del self._errands[job.id]

    async def _ended(self, errand: _Errand) -> Ended:
        while errand.ended is None:
            left = errand.until - self._now()
            if left <= 0:
                raise self._given_up(errand)
            await _moved(errand, left)
            if not errand.session and (why := self._all_refuse(errand)):
                raise NotTaken(why)
        if errand.ended.reason:
            raise Lost(errand.ended.reason)
        return errand.ended

    def _given_up(self, errand: _Errand) -> NotTaken | Lost:
        if not errand.session:
            nobody = NOBODY if not self.connected() else "no runner began it"
            return NotTaken(next(iter(errand.refused.values()), nobody))
        if errand.job.approved:
            self._lost[errand.job.id] = errand.job
            for old in list(self._lost)[:-LATE]:
                del self._lost[old]
        name = self._sessions[errand.session].name if errand.session in self._sessions else "that ran it"
        return Lost(f"nothing was heard of the runner {name} for {self.lease:g} s")

    async def _stop(self, errand: _Errand) -> None:
        """Has the runner end it, and waits until it has, or has lost it anyway."""
        if not errand.session:
            return
        errand.stopped = True
        self._change()
        until = self._now() + (STOPPING_SECONDS if errand.job.what is What.RUN else 0.0)
        while errand.ended is None and not self._closed and (left := until - self._now()) > 0:
            await _moved(errand, left)

    def close(self) -> None:
        """The server stops: open questions are answered at once, and nobody waits for runners that cannot say more."""
        self._closed = True
        self._change()

    # the runners' side

    async def poll(self, name: str, asked: Poll) -> Offers:
        """What there is to do, as soon as that is other than the runner has seen, or after `POLL_SECONDS`."""
        session = self._sessions.setdefault(asked.session, _Session(name, asked.documents))
        session.documents, session.asked_at = asked.documents, self._now()
        session.asking += 1
        self._wake_waiting()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                while self._version == asked.after and not self._closed:
                    await self._news.wait()
                    await asyncio.sleep(GATHER_SECONDS)
        except TimeoutError:
            pass
        finally:
            session.asking -= 1
            session.asked_at = self._now()
        return self._offers(asked.session, name)

    def begin(self, asked: Begin) -> Begun:
        """The jobs that are now this session's; begun once more by the same session they still are."""
        mine = []
        for id_ in asked.jobs:
            errand = self._errands.get(id_)
            if errand is None or errand.stopped or errand.ended or errand.session not in ("", asked.session):
                continue
            errand.session = asked.session
            self._heard(errand)
            mine.append(id_)
        return Begun(tuple(mine))

    def refuse(self, refusal: Refused) -> None:
        """This session does not take the job; once every connected one has refused, it waits no longer."""
        errand = self._errands.get(refusal.job)
        if errand is not None and not errand.session:
            errand.refused[refusal.session] = refusal.reason
            errand.moved.set()

    def progress(self, said: Progress) -> Kept:
        """Keeps the leases of what is in hand; gives what is to be stopped."""
        for piece in said.said:
            errand = self._of(said.session, piece.job)
            if errand is not None and errand.said is not None and not errand.stopped:
                errand.said("stderr" if piece.stream == "stderr" else "stdout", piece.text)
        known = {id_: self._of(said.session, id_) for id_ in said.jobs}
        for errand in known.values():
            if errand is not None:
                self._heard(errand)
        return Kept(tuple(id_ for id_, errand in known.items() if errand is None or errand.stopped))

    async def end(self, ended: Ended) -> bool:
        """Takes a result; False for a job that is not this session's (any more). A change's late one is passed on."""
        errand = self._of(ended.session, ended.job)
        if errand is not None:
            errand.ended = errand.ended or ended
            errand.moved.set()
            return True
        lost = self._lost.pop(ended.job, None)
        if lost is not None and self.late is not None and ended.report is not None:
            await self.late(lost, ended)
        return lost is not None

    def _offers(self, session: str, name: str) -> Offers:
        # what this session began is told again: the answer that said so may have been lost
        open_ = (x for x in self._errands.values() if x.session in ("", session) and not x.stopped and not x.ended)
        free = (x for x in open_ if session not in x.refused)
        mine = (x for x in self._errands.values() if x.session == session and x.stopped)
        return Offers(self._version, self.lease, name, tuple(x.job for x in free), tuple(x.job.id for x in mine))

    def _of(self, session: str, job: str) -> _Errand | None:
        errand = self._errands.get(job)
        return errand if errand is not None and errand.session == session else None

    def _all_refuse(self, errand: _Errand) -> str:
        there = [one.session for one in self.connected()]
        if there and all(session in errand.refused for session in there):
            return errand.refused[there[0]]
        return ""

    def _heard(self, errand: _Errand) -> None:
        errand.until = self._now() + self.lease
        errand.moved.set()

    def _forget_away(self) -> None:
        now = self._now()
        for id_, session in list(self._sessions.items()):
            in_hand = any(one.session == id_ for one in self._errands.values())
            if not session.asking and not in_hand and now - session.asked_at > AWAY_SECONDS:
                del self._sessions[id_]

    def _wake_waiting(self) -> None:
        for errand in self._errands.values():
            errand.moved.set()

    def _change(self) -> None:
        """There is something new for runners: an offer, or something to stop."""
        self._version += 1
        self._news.set()
        self._news = asyncio.Event()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _moved(errand: _Errand, most: float) -> None:
    """Comes back when something happened to the errand, or after `most` seconds."""
    try:
        async with asyncio.timeout(most):
            await errand.moved.wait()
    except TimeoutError:
        return
    errand.moved.clear()
