"""The heart-beat: what is due is decided, what is owed is done. A restart goes on where the last process was."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from tocsin.engine.bundling import Way
from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.gate import Gate
from tocsin.engine.ledger import Ledger
from tocsin.engine.murmur import Murmur
from tocsin.engine.records import Agenda, WorkItem
from tocsin.engine.running import StepWorker
from tocsin.engine.sending import Sender, Unreadable
from tocsin.engine.slots import MOST, Rank, Slots, rank_of
from tocsin.incident import clock
from tocsin.incident.events import RunFinished
from tocsin.incident.policy import TOCSIN
from tocsin.incident.work import Execute, Send

log = structlog.get_logger()
LONGEST_NAP, SHORTEST_NAP = 1.0, 0.005
AGAIN_SECONDS = 1.0
"""How soon it looks again after a database that refused."""
IN_VAIN, REST_SECONDS = 20, 0.02
"""After so many wakes in a row that brought nothing to do, as alerts told again and again do, it rests after each."""
BATCH = 200
AHEAD = 50
"""After so many decisions of a batch the database begins with them, where it can, while the next are made."""
LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
POOLS = {"execute": 64, "mitigate": 8}
"""How many runs and mitigations are in hand at most. Runs wait much (a verification watches for half an hour), and an
approved mitigation must not wait for them. Each channel has hands of its own, see `tocsin.engine.slots`."""
RUNS, RUNS_SECONDS = 8, 0.25
"""So many runs begin in so long: to begin a process costs the server more than a page does, and in a storm of incidents
the pages go first."""
PAGE_SECONDS = 0.25
"""So long at most everything else waits for the first pages that are being handed over."""
GIVE_UP = 6
"""After how many attempts a run that breaks each time is called failed."""
AFTER_TROUBLE = timedelta(minutes=1)
SOON = timedelta(seconds=5)
HELD_BACK = "held back"
ROUNDS = 200
"""How many due things one incident may do in one go: more than any ladder has, fewer than a loop without end."""


class Engine:
    """The loops. `alive` is when the clock last turned; it stands still when the database refuses."""

    def __init__(self, core: Core, sender: Sender, worker: StepWorker, *, owner: str) -> None:
        self.core = core
        self._sender = sender
        self._worker = worker
        self._owner = owner
        self._in_hand: dict[asyncio.Task[None], tuple[WorkItem, ...]] = {}
        self._renewed_at = datetime.min.replace(tzinfo=UTC)
        self._waker: asyncio.Event | None = None
        self._unsure = False
        self._runs: deque[float] = deque(maxlen=RUNS)
        self._gate = Gate()
        self._in_vain = 0
        self._failing = Murmur("engine_turn_failed")
        self.alive: datetime | None = None

    async def recover(self) -> None:
        """At start: what a process that is gone had in hand is taken up at once."""
        await self.core.transact(lambda ledger: ledger.tx.release_all(ledger.now))

    async def run(self) -> None:
        """Turns until cancelled; then everything in hand is stopped and left to the next start."""
        self._waker = self.core.waker()
        try:
            while True:
                await self._turn()
        finally:
            await self.stop_work()

    async def step(self) -> bool:
        """One turn: what is due is decided, what is owed is begun. Whether there was anything to do."""
        return await self._act(await self.agenda())

    async def agenda(self) -> Agenda:
        """What is owed and when, without what no hand is free for and what should gather a moment longer."""
        kinds = ["send", *(kind for kind, most in POOLS.items() if self._busy(kind) < most)]
        if self.held_back:
            kinds.remove("execute")
        busy, full = self._left_alone(), self._slots().full()
        return await self.core.read(lambda tx: tx.agenda(kinds, busy, full))

    @property
    def held_back(self) -> bool:
        """Whether assessments and messages that only inform wait for the first pages of a storm."""
        shut = self._gate.shut(asyncio.get_running_loop().time())
        if shut != self.core.meters.levels.get(HELD_BACK, 0.0):
            log.info("first_pages_go_first" if shut else "first_pages_have_gone")
            self.core.meters.level(HELD_BACK, float(shut))
        return shut

    def wake(self) -> None:
        """Has the running engine look again at once what is due."""
        if self._waker is not None:
            self._waker.set()

    @property
    def in_hand(self) -> tuple[WorkItem, ...]:
        """The work begun and not ended, oldest first."""
        return tuple(item for items in self._in_hand.values() for item in items)

    async def stop_work(self) -> None:
        """Stops what is in hand; its leases tell the next start to take it up."""
        tasks = list(self._in_hand)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self) -> None:
        waker = self._waker
        if waker is None:
            raise RuntimeError("the engine turns only inside run()")
        waker.clear()
        began = time.perf_counter()
        try:
            agenda = await self.agenda()
            did = await self._act(agenda)
            self.core.meters.turned(time.perf_counter() - began)
            self._failing.over()
            nap = 0.0 if did else self._nap(agenda)
        except Exception as exc:  # noqa: BLE001  the barrier: a database that refuses now must not end the clock
            self._failing.trouble(reason=str(exc))
            self.core.meters.turn_failed()
            nap = AGAIN_SECONDS
        if nap:
            await self._rest(waker, nap)
        else:
            self._in_vain = 0

    async def _rest(self, waker: asyncio.Event, nap: float) -> None:
        """Until the nap is over, or something woke us."""
        try:
            # not wait_for, which in Python 3.11 forgets a cancellation that arrives with the wake
            async with asyncio.timeout(nap):
                await waker.wait()
        except TimeoutError:
            self._in_vain = 0
            return
        self._in_vain += 1
        if self._in_vain > IN_VAIN or self.held_back:
            await asyncio.sleep(min(nap, REST_SECONDS))

    async def _act(self, agenda: Agenda) -> bool:
        """Decides and begins what the agenda says is due, in one transaction. Whether there was anything."""
        now = self.core.clock.now()
        due = agenda.due is not None and agenda.due <= now
        hands = self._hands()
        claimable = due or self._unsure or any(at <= now and kind in hands for kind, at in agenda.work.items())
        jobs = [*([self.tick()] if due else []), *([self._take()] if claimable else [])]
        done = await asyncio.gather(*jobs)
        self.alive = self.core.clock.now()
        return any(done)

    async def tick(self) -> int:
        """Decides everything that is due, up to `BATCH`; how many incidents moved."""
        try:
            owed = await self.core.transact(self._fire_due)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001  the barrier: what one incident decided cannot be kept, that of the rest can
            owed = await self._one_by_one()
        self.alive = self.core.clock.now()
        self._measure(owed)
        return len(owed)

    async def _take(self) -> int:
        """Begins what there are free hands for; how many pieces of work."""
        try:
            items = await self.core.transact(self._claimer())
        except Unavailable:
            self._unsure = True  # it may have been committed all the same: then we hold what we do not know of
            raise
        self._unsure = False
        self._begin(items)
        return len(items)

    def _measure(self, owed: Sequence[datetime | None]) -> None:
        now = self.core.clock.now()
        for at in owed:
            if at is not None:
                self.core.meters.decided((now - at).total_seconds())

    def _fire_due(self, ledger: Ledger) -> list[datetime | None]:
        """Each incident that is due moved on; when each was owed. One that cannot be decided is looked at later."""
        fired = []
        for done, id_ in enumerate(ledger.tx.due(ledger.now, BATCH)):
            if done and done % AHEAD == 0:
                ledger.tx.ahead()
            try:
                with ledger.attempt():
                    fired.append(_fire(ledger, id_))
            except Unavailable:
                raise
            except Exception:  # the barrier: one bad incident must not stop the paging of the rest
                log.exception("incident_stuck", incident=id_)
                ledger.postpone(id_, AFTER_TROUBLE)
                fired.append(None)
        return fired

    async def _one_by_one(self) -> list[datetime | None]:
        """The same, each incident on its own, when the database did not take what they decided together."""
        now, fired = self.core.clock.now(), []
        for id_ in await self.core.read(lambda tx: tx.due(now, BATCH)):
            try:
                fired.append(await self.core.transact(partial(_fire, incident_id=id_)))
            except Unavailable:
                raise
            except Exception:
                log.exception("incident_stuck", incident=id_)
                await self.core.transact(partial(Ledger.postpone, id_=id_, by=AFTER_TROUBLE))
                fired.append(None)
        return fired

    # work

    def _claimer(self) -> Callable[[Ledger], list[WorkItem]]:
        """A job that takes what the hands that are free now can begin."""
        free, slots = self._hands(), self._counted()
        in_hand, busy, renewed_at = [item.id for item in self.in_hand], self._left_alone(), self._renewed_at
        unsure = self._unsure

        def claim(ledger: Ledger) -> list[WorkItem]:
            until = ledger.now + LEASE
            if unsure:
                ledger.tx.release_own(self._owner, keep=in_hand, now=ledger.now)
            taken, hands = list[WorkItem](), slots()
            for kind, most in free.items():
                if kind == "execute" and hands.storm:
                    continue
                taken += ledger.tx.claim(
                    now=ledger.now,
                    lease_until=until,
                    owner=self._owner,
                    kinds=(kind,),
                    limit=most,
                    busy=busy,
                    in_hand=in_hand,
                    slots=hands,
                )
            if in_hand and (not taken or ledger.now - renewed_at > LEASE / 2):
                # after a pause of the machine, or when others thought us dead, our own leases have run out too
                ledger.tx.renew_all(in_hand, owner=self._owner, lease_until=until)
            return taken

        return claim

    def _hands(self) -> dict[str, int]:
        """How much of each kind of work can be begun now, messages first; without those of which nothing can."""
        free = {"send": MOST[Rank.FIRST] * len(self._sender.channels)}
        free |= {kind: most - self._busy(kind) for kind, most in POOLS.items()}
        now = asyncio.get_running_loop().time()
        lately = sum(now - began < RUNS_SECONDS for began in self._runs)
        free["execute"] = 0 if self.held_back else min(free["execute"], RUNS - lately)
        return {kind: hands for kind, hands in free.items() if hands > 0}

    def _slots(self) -> Slots:
        """The hands of the channels, those taken that hand something over now."""
        return self._counted()()

    def _counted(self) -> Callable[[], Slots]:
        """The same, made as often as it is asked for: a job that claims may be run again."""
        taken = [items[0].channel for items in self._in_hand.values() if isinstance(items[0].work, Send)]
        closed = self._sender.channels if self.held_back else ()
        calm = self._gate.calm(asyncio.get_running_loop().time())
        return lambda: Slots(taken, closed=closed, calm=calm)

    def _left_alone(self) -> Collection[Way]:
        """The ways that a message is on just now, or that more should gather for."""
        out = self._sender.out
        under_way = {(item.channel, item.bundle) for item in self.in_hand if item.bundle and item.id not in out}
        return under_way | self._sender.pace.held(self.core.clock.now()).keys()

    def _busy(self, kind: str) -> int:
        return sum(_kind(items[0]) == kind for items in self._in_hand.values())

    def _begin(self, items: Sequence[WorkItem]) -> None:
        """Each hand-over on its own: what is bundled together goes together."""
        self._renewed_at = self.core.clock.now()
        shares: dict[object, list[WorkItem]] = {}
        for item in items:
            shares.setdefault((item.channel, item.bundle) if item.bundle else item.id, []).append(item)
            self.core.meters.begun(_kind(item), (self._renewed_at - item.due_at).total_seconds())
        paged = sum(_is_first(item) for item in items)
        if paged:
            self._gate.paged(paged, asyncio.get_running_loop().time())
        for share in sorted(shares.values(), key=lambda items: not _is_first(items[0])):
            self._start(share)
            if _kind(share[0]) == "execute":
                self._runs.append(asyncio.get_running_loop().time())

    def _start(self, items: Sequence[WorkItem]) -> None:
        task = asyncio.create_task(self._do(items, after=() if _is_first(items[0]) else self._paging()))
        self._in_hand[task] = tuple(items)

        def ended(_: asyncio.Task[None]) -> None:
            del self._in_hand[task]
            self.wake()

        task.add_done_callback(ended)

    def _paging(self) -> Collection[asyncio.Task[None]]:
        """The hand-overs of first pages that are under way."""
        return [task for task, items in self._in_hand.items() if _is_first(items[0])]

    async def _do(self, items: Sequence[WorkItem], *, after: Collection[asyncio.Task[None]]) -> None:
        if after:  # what begins beside a page takes the processor from it
            await asyncio.wait(after, timeout=PAGE_SECONDS)
        keeper = asyncio.create_task(self._keep(items))
        try:
            await self._work_of(items)
        except Unavailable as exc:
            log.warning("work_given_back", kind=_kind(items[0]), reason=str(exc))
            for item in items:
                # a message is read before it is sent: one that could not be read was not
                await self._give_back(item, str(exc), uncertain=not isinstance(item.work, Send))
        except Exception as exc:
            failed = exc.items if isinstance(exc, Unreadable) else items
            log.exception("work_failed", work=failed[0].id, kind=_kind(failed[0]))
            for item in failed:
                await self._give_back(item, str(exc))
        finally:
            keeper.cancel()

    async def _work_of(self, items: Sequence[WorkItem]) -> None:
        item, work = items[0], items[0].work
        if isinstance(work, Send):
            await self._sender.do(items)
        elif isinstance(work, Execute):
            await self._worker.run(item, work.run)
        else:
            await self._worker.mitigate(item, work.approval)

    async def _keep(self, items: Sequence[WorkItem]) -> None:
        """Renews the leases of long work."""
        ids = [item.id for item in items]

        def renew(ledger: Ledger) -> None:
            ledger.tx.renew_all(ids, owner=self._owner, lease_until=ledger.now + LEASE)

        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(Exception):
                await self.core.transact(renew)

    async def _give_back(self, item: WorkItem, reason: str, *, uncertain: bool = True) -> None:
        """To be tried again, soon when how far it came is `uncertain`, else at once. A run that breaks each time ends
        as failed."""

        def give_back(ledger: Ledger) -> None:
            hopeless = isinstance(item.work, Execute) and item.attempt >= GIVE_UP
            state, next_at = ("failed", None) if hopeless else ("pending", ledger.now + SOON * uncertain)
            mine = ledger.tx.finish(
                item.id, owner=self._owner, state=state, error=reason, next_at=next_at, uncertain=uncertain
            )
            if mine and hopeless and isinstance(item.work, Execute):
                ended = RunFinished(item.work.run, "failed")
                ledger.append(ledger.get(item.incident_id), (ended,), actor=TOCSIN.name)

        with suppress(Exception):
            await self.core.record(give_back)  # however long the database is away: else its lease had to run out first

    def _nap(self, agenda: Agenda) -> float:
        """Seconds until something is due, or may leave, at most `LONGEST_NAP`."""
        now = self.core.clock.now()
        times = [agenda.due, *agenda.work.values(), *self._sender.pace.held(now).values()]
        waits = [(t - now).total_seconds() for t in times if t is not None]
        # what is due and was not begun waits for a hand, and a hand that is free wakes us
        soonest = min((wait if wait > 0 else RUNS_SECONDS / 5 for wait in waits), default=LONGEST_NAP)
        return min(LONGEST_NAP, max(SHORTEST_NAP, soonest))


def _fire(ledger: Ledger, incident_id: str) -> datetime | None:
    """Everything that the incident owes by now; when the first of it was owed."""
    incident = ledger.get(incident_id)
    seen = clock.look(incident, ledger.context(incident, TOCSIN))
    owed = seen.next_at
    for _ in range(ROUNDS):
        if not seen.events:
            break
        incident = ledger.append(incident, seen.events, actor=TOCSIN.name)
        seen = clock.look(incident, ledger.context(incident, TOCSIN))
    ledger.put_off(incident, seen.next_at)
    return owed


def _is_first(item: WorkItem) -> bool:
    page = isinstance(item.work, Send) and item.work.kind == "page"
    return rank_of(item.bundle, page=page) is Rank.FIRST


def _kind(item: WorkItem) -> str:
    return type(item.work).__name__.lower()
