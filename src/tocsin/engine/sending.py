"""Messages handed over: the incident re-read just before, the delivery recorded, what failed tried again or said."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from tocsin.engine.core import Core
from tocsin.engine.ledger import Ledger
from tocsin.engine.ports import Brief, Channel, DeliveryError, Message, Recipient
from tocsin.engine.records import WorkItem
from tocsin.engine.signing import Signer
from tocsin.incident import events as e
from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident, Status
from tocsin.incident.work import Send

log = structlog.get_logger()
TIMEOUT = 20.0
FIRST_DELAY, LONGEST_DELAY = 2.0, 300.0
ATTEMPTS = 12
REPORTED = ("page", "notify")
"""Kinds whose deliveries stand on the timeline; of the others only failures do."""


class Channels:
    """The configured channels, by name; decides which can carry a message."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self.by_name: Mapping[str, Channel] = {c.name: c for c in channels}
        self.policy: Policy | None = None

    def channels_for(self, send: Send) -> Sequence[str]:
        """Those of `send.ways` that accept it; all that do for `push`, for no ways, or when none of them can."""
        message = self._sample(send)
        if message is None:
            return ()
        able = [name for name, channel in self.by_name.items() if channel.accepts(message)]
        wanted = [name for name in able if name in send.ways]
        return wanted if wanted and "push" not in send.ways else able

    def _sample(self, send: Send) -> Message | None:
        person = self.policy.roster.person(send.person) if self.policy and send.person else None
        if send.person and person is None:
            return None
        to = Recipient(send.role, person) if person else None
        return Message(send.kind, "", Brief("", 0, "", "", "", ""), to, send.subject, send.text)

    async def close(self) -> None:
        for channel in self.by_name.values():
            await channel.close()


class Sender:
    """Delivers one claimed message."""

    def __init__(self, core: Core, channels: Channels, signer: Signer, *, owner: str) -> None:
        self._core = core
        self._channels = channels
        self._signer = signer
        self._owner = owner

    async def do(self, item: WorkItem, send: Send) -> None:
        """Delivers, or says why not; always ends the claim. Raises nothing that a channel may raise."""
        incident = await self._core.read(lambda tx: tx.incident(item.incident_id))
        if incident is None or (send.only_while_open and not _still_wanted(incident)):
            await self._end(item, send, incident, failed=None, happened=())
            return
        channel = self._channels.by_name.get(item.channel)
        try:
            if channel is None:
                raise DeliveryError(f"channel {item.channel} is not configured any more", permanent=True)
            async with asyncio.timeout(TIMEOUT):
                await channel.deliver(self._message(item, send, incident))
        except (DeliveryError, TimeoutError) as exc:
            failed = exc if isinstance(exc, DeliveryError) else DeliveryError(f"no answer within {TIMEOUT:.0f} s")
            await self._failed(item, send, incident, failed)
            return
        except Exception as exc:
            log.exception("channel_broke", channel=item.channel, key=item.idempotency_key)
            await self._failed(item, send, incident, DeliveryError(f"internal error: {type(exc).__name__}"))
            return
        to = send.person or "team"
        told = e.MessageDelivered(send.kind, item.channel, to, send.key)
        await self._end(item, send, incident, failed=None, happened=(told,) if send.kind in REPORTED else ())

    async def _failed(self, item: WorkItem, send: Send, incident: Incident, failed: DeliveryError) -> None:
        final = failed.permanent or item.attempt >= ATTEMPTS
        words = failed.reason if final else f"{failed.reason}; trying again"
        log.warning("delivery_failed", channel=item.channel, attempt=item.attempt, final=final, reason=failed.reason)
        said = e.MessageFailed(send.kind, item.channel, send.person or "team", send.key, words)
        happened = (said,) if final or item.attempt == 1 else ()
        await self._end(item, send, incident, failed=failed, happened=happened, final=final)

    async def _end(
        self,
        item: WorkItem,
        send: Send,
        incident: Incident | None,
        *,
        failed: DeliveryError | None,
        happened: Sequence[e.Event],
        final: bool = True,
    ) -> None:
        def end(ledger: Ledger) -> None:
            next_at = None if final or failed is None else ledger.now + _delay(item.attempt, failed.retry_after)
            state = "done" if failed is None else ("failed" if final else "pending")
            error = failed.reason if failed else ""
            if not ledger.tx.finish(item.id, owner=self._owner, state=state, error=error, next_at=next_at):
                return
            if incident is not None and happened:
                ledger.append(ledger.get(incident.id), happened, actor="tocsin")

        await self._core.transact(end)

    def _message(self, item: WorkItem, send: Send, incident: Incident) -> Message:
        policy = self._core.policies.of(incident)
        person = policy.roster.person(send.person) if send.person else None
        link = policy.link.format(number=incident.number)
        ask = send.kind == "page" and person is not None
        return Message(
            kind=send.kind,
            idempotency_key=item.idempotency_key,
            incident=Brief(
                incident.id, incident.number, incident.title, incident.severity, incident.status.value, link
            ),
            to=Recipient(send.role, person) if person else None,
            subject=send.subject,
            text=send.text,
            acknowledge_url=self._signer.acknowledge_url(incident, send.person) if ask and send.person else None,
            possible_duplicate=item.uncertain,
        )


def _still_wanted(incident: Incident) -> bool:
    return incident.status is Status.OPEN


def _delay(attempt: int, retry_after: float | None) -> timedelta:
    """Exponential backoff with jitter, never sooner than the other side asked."""
    backoff = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1)) * random.uniform(0.7, 1.3)  # noqa: S311
    return timedelta(seconds=max(backoff, min(retry_after or 0.0, 3600.0)))
