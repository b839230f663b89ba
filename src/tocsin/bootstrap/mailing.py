"""The mailbox of `[sources.email]`: where its alerts go, and that no mail counts twice.

A mail is taken, by the database or by the spool while that refuses, or it is refused so that its sender keeps it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

from tocsin.bootstrap.hearing import Heard, Hearing
from tocsin.bootstrap.senders import heartbeats
from tocsin.config import Settings
from tocsin.config.scalars import host_port
from tocsin.engine.errors import Unavailable
from tocsin.engine.ingest_log import PATIENCE_SECONDS as ASKED_SECONDS
from tocsin.engine.ingest_log import Direct
from tocsin.engine.intake import Receipt
from tocsin.engine.ports import Clock
from tocsin.engine.records import Answered
from tocsin.engine.storage import Transaction
from tocsin.incident.alert import Alert
from tocsin.signals.heartbeat import beat, told_apart
from tocsin.signals.mailbox import NAME, Box, Mailbox, Posted
from tocsin.signals.watching import OnTrouble

TAKEN = 250
KEPT = timedelta(days=1)
REMEMBERED = 10_000
PATIENCE_SECONDS = 30.0
"""So long a sender waits for a database that neither takes nor refuses, where there is no spool."""


def mailbox(
    settings: Settings, ingest: Direct, *, clock: Clock, on_trouble: OnTrouble, hearing: Hearing
) -> Mailbox | None:
    """The mailbox that the settings ask for; None when they ask for none."""
    given = settings.sources.email
    if given is None:
        return None
    host, port = host_port(given.listen)
    box = Box(
        host=host,
        port=port,
        token=given.token.get_secret_value() if given.token else "",
        alerts=given.alerts,
        reports=given.reports,
        public_reports=settings.sources.reports.public,
        domains=tuple(domain.casefold() for domain in given.domains),
        resolved=given.resolved,
        services=tuple(settings.services),
        largest=given.largest,
        certificate=given.certificate,
        key=given.key,
        labels=dict(given.labels),
    )
    letters = Letters(settings, ingest)
    return Mailbox(
        box, letters.take, clock=clock, on_trouble=on_trouble, on_mail=lambda post: hearing.tell(heard(post))
    )


def heard(post: Posted) -> Heard:
    """A mail as the inspector shows it."""
    return Heard(
        NAME, post.sender or "nobody known", "SMTP", f"mail to {post.to}", post.raw, post.alerts, post.receipts,
        status=post.status, took=post.took, reason="" if post.status < 400 else post.said,
    )  # fmt: skip


class Letters:
    """Hands in what mails say. Their ids are kept as long as the answers to requests are, and the latest in memory."""

    def __init__(self, settings: Settings, ingest: Direct) -> None:
        self._ingest = ingest
        self._heartbeats = heartbeats(settings)
        self._latest: OrderedDict[str, None] = OrderedDict()

    async def take(self, message_id: str, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        """Returns once the alerts, and the heartbeats that they beat, are durable. Raises Unavailable."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._take(message_id, alerts)
        except TimeoutError:
            raise Unavailable(f"the database has not answered for {PATIENCE_SECONDS:g} s") from None

    async def _take(self, message_id: str, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        key = f"mail:{hashlib.sha256(message_id.encode()).hexdigest()}" if message_id else ""
        if key and (key in self._latest or await self._answered(key)):
            return ()
        kept, beaten = told_apart(alerts, self._heartbeats)
        core = self._ingest.desk.core
        receipts = await self._ingest.take(kept, beat(*beaten, at=core.clock.now()))
        if key:
            self._remember(key)
            if self._ingest.trouble is None:
                answer = Answered(key, "", TAKEN, "", core.clock.now())
                await core.transact(lambda ledger: _keep(ledger.tx, answer))
        return receipts

    async def _answered(self, key: str) -> bool:
        """Whether the database knows that it was taken; while it cannot be asked, what memory says must do."""
        if self._ingest.trouble is not None:
            return False
        try:
            async with asyncio.timeout(ASKED_SECONDS):
                return await self._ingest.desk.core.read(lambda tx: tx.answered(key)) is not None
        except (Unavailable, TimeoutError):
            return False

    def _remember(self, key: str) -> None:
        self._latest[key] = None
        if len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)


def _keep(tx: Transaction, answer: Answered) -> None:
    """Of one mail delivered over two connections at once the second finds the first's key."""
    tx.forget_answers(answer.at - KEPT)
    if tx.answered(answer.key) is None:
        tx.put_answered(answer)
