"""The mailbox of `[sources.email]`: where its alerts go, and that no mail counts twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from tocsin.bootstrap.senders import heartbeats
from tocsin.config import Settings
from tocsin.config.scalars import host_port
from tocsin.engine.desk import Desk
from tocsin.engine.ports import Clock
from tocsin.engine.records import Answered
from tocsin.engine.storage import Transaction
from tocsin.incident.alert import Alert
from tocsin.signals.heartbeat import Beats, told_apart
from tocsin.signals.mailbox import Box, Mailbox
from tocsin.signals.watching import OnTrouble

TAKEN = 250
KEPT = timedelta(days=1)


def mailbox(settings: Settings, desk: Desk, *, clock: Clock, on_trouble: OnTrouble) -> Mailbox | None:
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
    return Mailbox(box, Letters(settings, desk).take, clock=clock, on_trouble=on_trouble)


class Letters:
    """Hands what mails say to the desk. The ids of mails are kept as long as the answers to requests are."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self._desk = desk
        self._heartbeats = heartbeats(settings)

    async def take(self, message_id: str, alerts: Sequence[Alert]) -> None:
        """Returns once the alerts, and the heartbeats that they beat, are durable. Raises Unavailable."""
        key = f"mail:{hashlib.sha256(message_id.encode()).hexdigest()}" if message_id else ""
        core = self._desk.core
        if key and await core.read(lambda tx: tx.answered(key)) is not None:
            return
        kept, beaten = told_apart(alerts, self._heartbeats)
        if kept:
            await self._desk.receive(kept)
        if beaten:
            await Beats(core).hear(*beaten)
        if key:
            answer = Answered(key, "", TAKEN, "", core.clock.now())
            await core.transact(lambda ledger: _keep(ledger.tx, answer))


def _keep(tx: Transaction, answer: Answered) -> None:
    """Of one mail delivered over two connections at once the second finds the first's key."""
    tx.forget_answers(answer.at - KEPT)
    if tx.answered(answer.key) is None:
        tx.put_answered(answer)
