"""A claimed message, and its incident as it is right before the hand-over: whether it is still wanted, how it ended."""

from __future__ import annotations

import random
from datetime import timedelta

from msgspec import Struct

from tocsin.engine.ledger import Ledger
from tocsin.engine.ports import DeliveryError
from tocsin.engine.records import WorkItem
from tocsin.incident import events as e
from tocsin.incident.state import Incident, Status
from tocsin.incident.work import Send

FIRST_DELAY, LONGEST_DELAY = 2.0, 300.0
ATTEMPTS = 12
"""So often, for about half an hour, a message is tried. A page for an incident that nobody owns is tried on, at the
longest pace, until somebody acknowledges: an open incident of which nobody hears is the worst end of all."""
STILL = f"tried {ATTEMPTS} times, and every few minutes from now on until somebody acknowledges"
REPORTED = ("page", "notify")
"""Kinds whose deliveries stand on the timeline; of the others only failures do."""


class Letter(Struct, frozen=True):
    """`incident` is None when it cannot be found any more."""

    item: WorkItem
    send: Send
    incident: Incident | None

    @property
    def to(self) -> str:
        return self.send.person or "team"

    @property
    def wanted(self) -> bool:
        if self.incident is None or _decided(self.incident, self.send):
            return False
        return not self.send.only_while_open or _still_wanted(self.incident, self.send)

    def unwanted(self, ledger: Ledger, owner: str) -> None:
        """Ends the claim without a word."""
        ledger.tx.finish(self.item.id, owner=owner, state="done")

    def delivered(self, ledger: Ledger, owner: str) -> None:
        """Ends the claim; what is reported of it stands on the timeline."""
        if ledger.tx.finish(self.item.id, owner=owner, state="done") and self.send.kind in REPORTED:
            told = e.MessageDelivered(self.send.kind, self.item.channel, self.to, self.send.key)
            ledger.append(ledger.get(self.item.incident_id), (told,), actor="tocsin")

    def failed(self, ledger: Ledger, owner: str, failed: DeliveryError, *, uncertain: bool) -> None:
        """Ends the attempt: tried again later, or given up. A page goes out by the person's other channels at once."""
        final = self.gives_up(failed)
        next_at = None if final else ledger.now + _delay(self.item.attempt, failed.retry_after)
        state = "failed" if final else "pending"
        mine = ledger.tx.finish(
            self.item.id, owner=owner, state=state, error=failed.reason, next_at=next_at, uncertain=uncertain
        )
        unreached = not final and self.item.attempt == ATTEMPTS
        if not mine or self.incident is None or not (final or unreached or self.item.attempt == 1):
            return
        incident = ledger.get(self.item.incident_id)
        others = ledger.fall_back(incident, self.send) if self.send.kind == "page" else ()
        again = [] if final else [STILL if unreached else "trying again"]
        words = "; ".join([failed.reason, *again, *([f"also by {', '.join(others)}"] if others else [])])
        said = e.MessageFailed(
            self.send.kind, self.item.channel, self.to, self.send.key, words, unreached=unreached
        )  # fmt: skip
        ledger.append(incident, (said,), actor="tocsin")

    def gives_up(self, failed: DeliveryError) -> bool:
        return failed.permanent or (self.item.attempt >= ATTEMPTS and not self.insists)

    @property
    def insists(self) -> bool:
        """Whether it is tried until somebody owns the incident."""
        return self.send.kind == "page" and self.incident is not None and self.incident.status is Status.OPEN


def opened(item: WorkItem, incident: Incident | None) -> Letter:
    """The item as a letter. Raises TypeError for work that is no message."""
    if not isinstance(item.work, Send):
        raise TypeError(f"{type(item.work).__name__} is no message")
    return Letter(item, item.work, incident)


def _decided(incident: Incident, send: Send) -> bool:
    """Whether the message asks for a decision that has been taken meanwhile."""
    approval = incident.approval(send.approval) if send.approval else None
    return approval is not None and approval.status != "pending"


def _still_wanted(incident: Incident, send: Send) -> bool:
    """Nobody owns it yet, and the page is not one from before the incident was reopened."""
    if incident.status is not Status.OPEN:
        return False
    of_now = (p.key for p in incident.pages if p.at >= incident.clock_started_at)
    return any(send.key == key or send.key.startswith(f"{key}|") for key in of_now)


def _delay(attempt: int, retry_after: float | None) -> timedelta:
    """Exponential backoff with jitter, never sooner than the other side asked."""
    backoff = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempt - 1, ATTEMPTS)) * random.uniform(0.7, 1.3)  # noqa: S311
    return timedelta(seconds=max(backoff, min(retry_after or 0.0, 3600.0)))
