"""Where alerts come in: straight into the database, or, while it refuses, into a log that is drained afterwards.

Nothing else of the engine knows which one runs. Whatever a log keeps is taken in exactly once and in order: how far it
was drained is written in the transaction that takes the alerts in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog
from msgspec import Struct

from tocsin.engine.desk import Desk
from tocsin.engine.errors import Unavailable
from tocsin.engine.intake import Receipt, foresee, receive
from tocsin.engine.ledger import Ledger
from tocsin.engine.patience import Patience
from tocsin.engine.storage import Transaction
from tocsin.incident.alert import Alert

log = structlog.get_logger()
SPOOLED = "spooled"
"""The outcome of an alert that is kept and not yet taken in."""
TROUBLE = "spool"
AGAIN_SECONDS = 0.5
PATIENCE_SECONDS = 2.0
"""So long a sender waits for a database that neither takes nor refuses its alerts before they are spooled."""
FIRST_BITE, SMALLEST_BITE, LARGEST_BITE = 500, 20, 4000
"""So many alerts are drained in one transaction, about. Each rewrites the incidents that it touches once, so large ones
are cheaper; but whoever acknowledges meanwhile waits for it, and a database lets go of who takes too long."""
SHORT_SECONDS, LONG_SECONDS = 0.3, 0.8
"""A bite that took less is followed by one twice as large, one that took more, or was refused, by half of it."""
BITE_BYTES = 2**22
NO_NOTES: Mapping[str, str] = {}
OnTrouble = Callable[[str, str | None], None]
R = TypeVar("R", bound="Kept")


class Arrived(Struct, frozen=True):
    """What one request brought; `notes` are settings to write with it (beats of heartbeats)."""

    alerts: Sequence[Alert]
    notes: Mapping[str, str]
    at: datetime


class Kept(Protocol):
    """A record of a log. `str(end)` is the place that the log can go on from."""

    @property
    def payload(self) -> bytes: ...
    @property
    def count(self) -> int: ...
    @property
    def end(self) -> object: ...


class Log(Protocol[R]):
    """A durable log of one process; see `tocsin.store.spool.Spool`. Its methods may wait for a disk."""

    @property
    def id(self) -> str: ...
    @property
    def waiting(self) -> int: ...
    @property
    def size(self) -> int: ...
    def append(self, payloads: Sequence[tuple[bytes, int]]) -> None: ...
    def read(self, most_bytes: int) -> list[R]: ...
    def drained(self, records: Sequence[R]) -> None: ...
    def resume(self, drained: str) -> None: ...
    def set_aside(self, record: R) -> None: ...
    def close(self) -> None: ...


class IngestLog(Protocol):
    @property
    def waiting(self) -> int:
        """How many alerts are promised and not yet taken in."""
        ...

    @property
    def size(self) -> int:
        """Bytes that they take."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why what comes now is not taken into the database, None when it is."""
        ...

    async def take(self, alerts: Sequence[Alert], notes: Mapping[str, str] = NO_NOTES) -> list[Receipt]:
        """What came of each alert, once all of them and the notes are durable. Raises Unavailable: nothing was kept."""
        ...

    def settled(self) -> None:
        """Raises Unavailable while alerts wait that came before: what is said of one of them must wait too."""
        ...

    async def run(self) -> None:
        """Drains until cancelled."""
        ...

    def close(self) -> None: ...


class Direct:
    """The database itself is the log."""

    def __init__(self, desk: Desk, patience: Patience | None = None) -> None:
        self.desk = desk
        self._patience = patience

    @property
    def waiting(self) -> int:
        return 0

    @property
    def size(self) -> int:
        return 0

    @property
    def trouble(self) -> str | None:
        return None

    async def take(self, alerts: Sequence[Alert], notes: Mapping[str, str] = NO_NOTES) -> list[Receipt]:
        receipts = await self.desk.receive(alerts, patience=self._patience) if alerts else []
        if notes:
            await self.desk.core.transact(lambda ledger: _write(ledger, notes), patience=self._patience)
        return receipts

    def settled(self) -> None:
        pass

    async def run(self) -> None:
        pass

    def close(self) -> None:
        pass


class Spooled(Direct, Generic[R]):
    """The database while it takes alerts, and `kept_in` while it refuses and until that is drained."""

    def __init__(
        self, desk: Desk, kept_in: Log[R], *, on_trouble: OnTrouble, patience: float = PATIENCE_SECONDS
    ) -> None:  # fmt: skip
        super().__init__(desk, Patience(patience))
        self._seconds = patience
        self._log = kept_in
        self._on_trouble = on_trouble
        self._reason = "alerts are left from before the restart"
        self._refusing = kept_in.waiting > 0
        self._in_use = asyncio.Event()
        self._closing: asyncio.Event | None = None
        self._pending: list[tuple[Arrived, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._place: str | None = None
        self._bite = FIRST_BITE
        if kept_in.waiting:
            self._in_use.set()

    @property
    def waiting(self) -> int:
        return self._log.waiting

    @property
    def size(self) -> int:
        return self._log.size

    @property
    def trouble(self) -> str | None:
        return self._reason if self._refusing else None

    async def take(self, alerts: Sequence[Alert], notes: Mapping[str, str] = NO_NOTES) -> list[Receipt]:
        while self._closing is not None:
            await self._closing.wait()
        if not self._in_use.is_set():
            try:
                return await super().take(alerts, notes)
            except TimeoutError:
                # it may yet be taken in, and then once more from the spool, which finds that it is known
                self._refused(Unavailable(f"the database has not answered for {self._seconds:g} s"))
            except Unavailable as exc:
                self._refused(exc)
        await self._keep(Arrived(alerts, notes, self.desk.now()))
        return [Receipt(alert.fingerprint, SPOOLED) for alert in alerts]

    def settled(self) -> None:
        if self._in_use.is_set():
            raise Unavailable(f"{self._said()}: send it again once they are taken in")

    async def run(self) -> None:
        while True:
            await self._in_use.wait()
            try:
                await self._drain()
            except Unavailable as exc:
                self._refused(exc)
                await asyncio.sleep(AGAIN_SECONDS)

    def close(self) -> None:
        self._log.close()

    def _refused(self, exc: Unavailable) -> None:
        if not self._refusing:
            log.warning("spool_in_use", reason=str(exc))
        self._refusing, self._reason = True, str(exc)
        self._in_use.set()
        self._on_trouble(TROUBLE, self._said())

    def _said(self) -> str:
        why = self._reason if self._refusing else "the database is back"
        return f"{why}; {self.waiting} alerts wait in the spool and are taken in by themselves"

    # keeping: what came while the last sync ran shares the next one

    async def _keep(self, arrived: Arrived) -> None:
        kept = asyncio.get_running_loop().create_future()
        self._pending.append((arrived, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_pending())
        await kept

    async def _write_pending(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                refused = await self._append([arrived for arrived, _ in batch])
                for _, kept in batch:
                    if not kept.done():
                        kept.set_exception(refused) if refused else kept.set_result(None)
        finally:
            self._writing = None

    async def _append(self, batch: Sequence[Arrived]) -> Unavailable | None:
        """Why the log does not take them; None once they are durable."""
        alerts = sum(len(arrived.alerts) for arrived in batch)
        # a beat alone counts as one: what waits must never look like nothing
        payloads = [(msgspec.json.encode(arrived), len(arrived.alerts) or 1) for arrived in batch]
        try:
            await asyncio.to_thread(self._log.append, payloads)
        except Unavailable as exc:
            self.desk.core.meters.spool("refused", alerts)
            return Unavailable(f"{self._reason}; {exc}")
        self.desk.core.meters.spool("kept", alerts)
        self._on_trouble(TROUBLE, self._said())
        return None

    # draining

    async def _drain(self) -> None:
        """One bite; raises Unavailable when the database still refuses."""
        if self._place is None:
            self._place = await self.desk.core.read(lambda tx: tx.setting(self._setting)) or ""
            if self._place:
                await asyncio.to_thread(self._log.resume, self._place)
        records = await asyncio.to_thread(self._log.read, BITE_BYTES)
        if records and (self._refusing or sum(record.count for record in records) < self._log.waiting):
            await self._take_in(records)
            return
        # The last bite, and the database takes what it is given: whoever comes now waits for it. Under a steady stream
        # there would always be one more.
        closing = self._closing = asyncio.Event()
        try:
            await self._finish(records)
        finally:
            self._closing = None
            closing.set()

    async def _finish(self, records: Sequence[R]) -> None:
        """Takes in what is left and goes back to taking alerts straight into the database."""
        while records:
            await self._take_in(records)
            if self._writing is not None:
                await self._writing
            records = await asyncio.to_thread(self._log.read, BITE_BYTES)
        if self._pending or self._writing is not None:
            return
        self._in_use.clear()
        self._refusing = False
        self._on_trouble(TROUBLE, None)
        log.info("spool_drained")

    async def _take_in(self, records: Sequence[R]) -> None:
        while records:
            bite, records = _bitten(records, self._bite)
            began = time.monotonic()
            try:
                await self._commit(bite)
                self._learn(time.monotonic() - began)
            except Unavailable:
                self._bite = max(SMALLEST_BITE, self._bite // 2)
                raise
            except Exception:  # the barrier: one alert that breaks whatever takes it in must not keep the rest out
                log.exception("spooled_alerts_broke")
                await self._one_by_one(bite)
            self._refusing = False
            self._on_trouble(TROUBLE, self._said())

    def _learn(self, took: float) -> None:
        """How large the next bite is, after one that took so many seconds."""
        if took < SHORT_SECONDS:
            self._bite = min(LARGEST_BITE, self._bite * 2)
        elif took > LONG_SECONDS:
            self._bite = max(SMALLEST_BITE, self._bite // 2)

    async def _one_by_one(self, records: Sequence[R]) -> None:
        for record in records:
            try:
                await self._commit([record])
            except Unavailable:
                raise
            except Exception:  # the barrier, as above
                log.exception("spooled_alert_set_aside", alerts=record.count)
                await asyncio.to_thread(self._log.set_aside, record)
                self.desk.core.meters.spool("set aside", record.count)
                await self._commit([record], empty=True)

    async def _commit(self, records: Sequence[R], *, empty: bool = False) -> None:
        """Takes the records in and moves the place, both or neither."""
        arrived = [] if empty else [_ARRIVED.decode(record.payload) for record in records]
        alerts = [alert for one in arrived for alert in one.alerts]
        place, before = str(records[-1].end), self._place

        def take(ledger: Ledger) -> None:
            if (ledger.tx.setting(self._setting) or "") != before:
                raise _Moved
            for alert in alerts:
                receive(ledger, alert, triage=self.desk.triage)
            for one in arrived:
                _write(ledger, one.notes)
            ledger.tx.put_setting(self._setting, place)

        try:
            await self.desk.core.transact(take, foresee=self._foresee, about=alerts)
        except _Moved:  # the answer to our own commit was lost: what it took in must not be taken in again
            self._place = None
            raise Unavailable("how far the spool is drained is being looked up") from None
        self._place = place
        await asyncio.to_thread(self._log.drained, records)
        if not empty:
            self.desk.core.meters.spool("drained", len(alerts))

    def _foresee(self, tx: Transaction, bodies: Sequence[Sequence[Alert]]) -> None:
        foresee(tx, [alert for body in bodies for alert in body], self.desk.triage)

    @property
    def _setting(self) -> str:
        return f"spool:{self._log.id}"


class _Moved(Exception):
    """The place in the database is not where we left it."""


_ARRIVED = msgspec.json.Decoder(Arrived)


def _bitten(records: Sequence[R], most: int) -> tuple[Sequence[R], Sequence[R]]:
    """The first of the records, about `most` alerts and at least one record, and the rest."""
    alerts = accumulate(record.count for record in records)
    fits = max(1, sum(total <= most for total in alerts))
    return records[:fits], records[fits:]


def _write(ledger: Ledger, notes: Mapping[str, str]) -> None:
    for name, value in notes.items():
        ledger.tx.put_setting(name, value)
