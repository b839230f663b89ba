"""Messages handed over: the incident re-read just before, the delivery recorded, what failed tried again or said."""

from __future__ import annotations

import asyncio
import random
import time
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
        able = [name for name, channel in self.by_name.items() if _accepts(channel, message)]
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

    def __init__(
        self, core: Core, channels: Channels, signer: Signer, *, owner: str, timeout: float = TIMEOUT
    ) -> None:  # fmt: skip
        """`timeout` is how long, in seconds, one hand-over may take."""
        self._core = core
        self._channels = channels
        self._signer = signer
        self._owner = owner
        self._timeout = timeout

    async def do(self, item: WorkItem, send: Send) -> None:
        """Delivers, or says why not; always ends the claim. Raises nothing that a channel may raise."""
        incident = await self._core.read(lambda tx: tx.incident(item.incident_id))
        if incident is None or (send.only_while_open and not _still_wanted(incident, send)) or _decided(incident, send):
            self._core.meters.delivered(item.channel, "unwanted")
            await self._end(item, send, incident, failed=None, happened=())
            return
        began = time.perf_counter()
        channel = self._channels.by_name.get(item.channel)
        try:
            if channel is None:
                raise DeliveryError(f"channel {item.channel} is not configured any more", permanent=True)
            message = self._message(item, send, incident)
            async with asyncio.timeout(self._timeout):
                await channel.deliver(message)
        except DeliveryError as exc:
            await self._failed(item, send, incident, exc)
            return
        except TimeoutError:
            late = DeliveryError(f"no answer within {self._timeout:g} s")
            await self._failed(item, send, incident, late, uncertain=True)
            return
        except Exception as exc:
            log.exception("channel_broke", channel=item.channel, key=item.idempotency_key)
            broken = DeliveryError(f"internal error: {type(exc).__name__}")
            await self._failed(item, send, incident, broken, uncertain=True)
            return
        self._core.meters.delivered(item.channel, "delivered", time.perf_counter() - began)
        to = send.person or "team"
        told = e.MessageDelivered(send.kind, item.channel, to, send.key)
        await self._end(item, send, incident, failed=None, happened=(told,) if send.kind in REPORTED else ())

    async def _failed(
        self, item: WorkItem, send: Send, incident: Incident, failed: DeliveryError, *, uncertain: bool = False
    ) -> None:  # fmt: skip
        final = failed.permanent or item.attempt >= ATTEMPTS
        words = failed.reason if final else f"{failed.reason}; trying again"
        self._core.meters.delivered(item.channel, "failed" if final else "retried")
        log.warning("delivery_failed", channel=item.channel, attempt=item.attempt, final=final, reason=failed.reason)
        said = e.MessageFailed(send.kind, item.channel, send.person or "team", send.key, words)
        happened = (said,) if final or item.attempt == 1 else ()
        await self._end(item, send, incident, failed=failed, happened=happened, final=final, uncertain=uncertain)

    async def _end(
        self,
        item: WorkItem,
        send: Send,
        incident: Incident | None,
        *,
        failed: DeliveryError | None,
        happened: Sequence[e.Event],
        final: bool = True,
        uncertain: bool = False,
    ) -> None:
        def end(ledger: Ledger) -> None:
            next_at = None if final or failed is None else ledger.now + _delay(item.attempt, failed.retry_after)
            state = "done" if failed is None else ("failed" if final else "pending")
            error = failed.reason if failed else ""
            ended = ledger.tx.finish(
                item.id, owner=self._owner, state=state, error=error, next_at=next_at, uncertain=uncertain
            )
            if not ended:
                return
            if incident is not None and happened:
                ledger.append(ledger.get(incident.id), happened, actor="tocsin")

        await self._core.record(end)

    def _approve_url(self, incident: Incident, send: Send) -> str | None:
        approval = incident.approval(send.approval) if send.approval else None
        return self._signer.approve_url(incident, send.person, approval) if approval and send.person else None

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
            approve_url=self._approve_url(incident, send),
            possible_duplicate=item.uncertain,
        )


def _decided(incident: Incident, send: Send) -> bool:
    """Whether the message asks for a decision that has been taken meanwhile."""
    approval = incident.approval(send.approval) if send.approval else None
    return approval is not None and approval.status != "pending"


def _accepts(channel: Channel, message: Message) -> bool:
    """Whether it can carry the message; a channel that breaks over the question takes part in nothing."""
    try:
        return channel.accepts(message)
    except Exception:  # the barrier: a channel that cannot even say yes or no must not keep an incident from opening
        log.exception("channel_broke", channel=channel.name)
        return False


def _still_wanted(incident: Incident, send: Send) -> bool:
    """Nobody owns it yet, and the page is not one from before the incident was reopened."""
    if incident.status is not Status.OPEN:
        return False
    of_now = (p.key for p in incident.pages if p.at >= incident.clock_started_at)
    return any(send.key == key or send.key.startswith(f"{key}|") for key in of_now)


def _delay(attempt: int, retry_after: float | None) -> timedelta:
    """Exponential backoff with jitter, never sooner than the other side asked."""
    backoff = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1)) * random.uniform(0.7, 1.3)  # noqa: S311
    return timedelta(seconds=max(backoff, min(retry_after or 0.0, 3600.0)))
