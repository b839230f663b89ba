"""Messages handed over: the incident re-read just before, the delivery recorded, what failed tried again or said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from tocsin.engine.bundling import Pace, bundled
from tocsin.engine.core import Core
from tocsin.engine.errors import Unavailable
from tocsin.engine.ledger import Ledger
from tocsin.engine.letters import ATTEMPTS, Letter, opened
from tocsin.engine.murmur import Murmur
from tocsin.engine.ports import Brief, Channel, DeliveryError, Message, Recipient
from tocsin.engine.records import WorkItem
from tocsin.engine.signing import Signer
from tocsin.engine.storage import Transaction
from tocsin.incident.policy import Policy
from tocsin.incident.state import Incident
from tocsin.incident.work import Send

log = structlog.get_logger()
TIMEOUT = 20.0
CHUNK = 200
"""So many claims end in one transaction: the alerts of a storm come in between."""


class Unreadable(Exception):
    """The incidents of these items cannot be read; whoever claimed them gives them back."""

    def __init__(self, items: Sequence[WorkItem], why: Exception) -> None:
        super().__init__(str(why))
        self.items = items


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
    """Delivers claimed messages. `pace` is who should be left alone for a moment."""

    def __init__(
        self, core: Core, channels: Channels, signer: Signer, *, owner: str, timeout: float = TIMEOUT
    ) -> None:  # fmt: skip
        """`timeout` is how long, in seconds, one hand-over may take."""
        self._core = core
        self._channels = channels
        self._signer = signer
        self._owner = owner
        self._timeout = timeout
        self.pace = Pace()
        self._failing: dict[str, Murmur] = {}
        self.out: set[int] = set()
        """Items that the other side has taken, and whose claims have not ended yet: they keep no other from leaving."""

    @property
    def channels(self) -> Collection[str]:
        """Their names."""
        return self._channels.by_name.keys()

    async def do(self, items: Sequence[WorkItem]) -> None:
        """Hands over what is still wanted of the items, as one message, or says why not; ends their claims.

        The items go to one person by one channel, or it is a single one. Raises nothing that a channel may raise, and
        Unreadable for those whose incident cannot be read, after all others were handed over.
        """
        ids = {item.incident_id for item in items}
        incidents, broken = await self._core.read(lambda tx: _incidents(tx, ids))
        letters = [opened(item, incidents[item.incident_id]) for item in items if item.incident_id in incidents]
        if letters:
            await self._sort(letters)
        if broken:
            raise Unreadable([item for item in items if item.incident_id in broken], next(iter(broken.values())))

    async def _sort(self, letters: Sequence[Letter]) -> None:
        wanted = [letter for letter in letters if letter.wanted]
        late = [letter for letter in letters if not letter.wanted]
        if wanted:  # at once: what was read is true now, and may not be after anything else
            await self._hand_over(wanted)
        if late:
            self._core.meters.deliveries.add(late[0].item.channel, "unwanted", times=len(late))
            await self._end(late, lambda letter, ledger: letter.unwanted(ledger, self._owner))

    async def _hand_over(self, letters: Sequence[Letter]) -> None:
        name = letters[0].item.channel
        began = time.perf_counter()
        try:
            channel = self._channels.by_name.get(name)
            if channel is None:
                raise DeliveryError(f"channel {name} is not configured any more", permanent=True)
            message = bundled([self._message(letter) for letter in letters])
            async with asyncio.timeout(self._timeout):
                await channel.deliver(message)
        except DeliveryError as exc:
            await self._failed(letters, exc, uncertain=exc.uncertain)
        except TimeoutError:
            await self._failed(letters, DeliveryError(f"no answer within {self._timeout:g} s"), uncertain=True)
        except Exception as exc:
            log.exception("channel_broke", channel=name, key=letters[0].item.idempotency_key)
            await self._failed(letters, DeliveryError(f"internal error: {type(exc).__name__}"), uncertain=True)
        else:
            self._core.meters.delivered(name, "delivered", time.perf_counter() - began)
            if name in self._failing:
                self._failing.pop(name).over(channel=name)
            if letters[0].item.bundle:
                self.pace.handed_over((name, letters[0].item.bundle), len(letters), self._core.clock.now())
            out = {letter.item.id for letter in letters}
            self.out |= out
            try:
                await self._end(letters, lambda letter, ledger: letter.delivered(ledger, self._owner))
            finally:
                self.out -= out

    async def _failed(self, letters: Sequence[Letter], failed: DeliveryError, *, uncertain: bool = False) -> None:
        name, attempt = letters[0].item.channel, letters[0].item.attempt
        final = all(letter.gives_up(failed) for letter in letters)
        unreached = not final and any(letter.item.attempt >= ATTEMPTS for letter in letters)
        self._core.meters.delivered(name, "failed" if final else "unreached" if unreached else "retried")
        if failed.permanent:
            log.warning("delivery_failed", channel=name, attempt=attempt, final=final, reason=failed.reason)
        else:
            murmur = self._failing.setdefault(name, Murmur("delivery_failed"))
            murmur.trouble(channel=name, attempt=attempt, final=final, reason=failed.reason)
        await self._end(letters, lambda letter, ledger: letter.failed(ledger, self._owner, failed, uncertain=uncertain))

    async def _end(self, letters: Sequence[Letter], end: Callable[[Letter, Ledger], None]) -> None:
        """Ends the claims of all, a chunk in a transaction."""

        def ender(chunk: Sequence[Letter]) -> Callable[[Ledger], None]:
            def end_all(ledger: Ledger) -> None:
                for letter in chunk:
                    end(letter, ledger)

            return end_all

        for first in range(0, len(letters), CHUNK):
            chunk = letters[first : first + CHUNK]
            await self._core.record(ender(chunk), foresee=_foresee, about=chunk)

    def _approve_url(self, incident: Incident, send: Send) -> str | None:
        approval = incident.approval(send.approval) if send.approval else None
        return self._signer.approve_url(incident, send.person, approval) if approval and send.person else None

    def _message(self, letter: Letter) -> Message:
        item, send, incident = letter.item, letter.send, letter.incident
        if incident is None:
            raise DeliveryError("its incident cannot be found", permanent=True)
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


def _incidents(tx: Transaction, ids: Collection[str]) -> tuple[dict[str, Incident | None], dict[str, Exception]]:
    """The incidents, and why the others cannot be read: one that is broken must not keep the rest from being told."""
    tx.foresee_incidents(ids)
    found: dict[str, Incident | None] = {}
    broken: dict[str, Exception] = {}
    for id_ in ids:
        try:
            found[id_] = tx.incident(id_)
        except Unavailable:
            raise
        except Exception as exc:  # noqa: BLE001  whatever is wrong with it, it is this one's trouble
            broken[id_] = exc
    return found, broken


def _foresee(tx: Transaction, ended: Sequence[Sequence[Letter]]) -> None:
    """Reads ahead the leases and incidents of everything that ends in one transaction."""
    items = [letter.item for letters in ended for letter in letters]
    tx.foresee_work([item.id for item in items])
    tx.foresee_incidents({item.incident_id for item in items})


def _accepts(channel: Channel, message: Message) -> bool:
    """Whether it can carry the message; a channel that breaks over the question takes part in nothing."""
    try:
        return channel.accepts(message)
    except Exception:  # the barrier: a channel that cannot even say yes or no must not keep an incident from opening
        log.exception("channel_broke", channel=channel.name)
        return False
