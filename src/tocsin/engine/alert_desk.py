"""What senders ask of an alert that they name by their own key: to stop, to be owned, noted, told anew, looked up.

Beside `Desk`, where people act on incidents. A key that nobody knows does nothing, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.core import Core, Decision
from tocsin.engine.intake import Receipt, receive
from tocsin.engine.ledger import Ledger
from tocsin.engine.records import AlertRecord
from tocsin.engine.triage import Service, Triage
from tocsin.incident import commands
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.errors import CommandError, TransitionError
from tocsin.incident.policy import Actor
from tocsin.incident.state import Incident


class Held(Struct, frozen=True):
    """An alert that is known, and the incident it belongs to (None when it is no incident)."""

    record: AlertRecord
    incident: Incident | None


class AlertDesk:
    """Every method is one transaction, durable when it returns."""

    def __init__(self, core: Core, rules: Sequence[Service] | Triage) -> None:
        self._core = core
        self._triage = rules if isinstance(rules, Triage) else Triage(tuple(rules))

    async def find(self, fingerprint: str) -> Held | None:
        """The alert of that fingerprint; None when there never was one."""
        return await self._core.read(lambda tx: _held(tx.alert(fingerprint), tx.incident))

    async def resolve(self, fingerprint: str) -> Receipt | None:
        """The alert stops now, whatever the sender repeats of it; None for one that nobody knows."""

        def stop(ledger: Ledger) -> Receipt | None:
            known = ledger.tx.alert(fingerprint)
            if known is None:
                return None
            if known.alert.status is AlertStatus.RESOLVED:
                return Receipt(fingerprint, "repeated", _number(ledger, known))
            ended = replace(known.alert, status=AlertStatus.RESOLVED, ends_at=ledger.now)
            return receive(ledger, ended, triage=self._triage)

        return await self._core.transact(stop)

    async def acknowledge(self, fingerprint: str, actor: Actor, *, via: str) -> bool:
        """Whether there was an incident to own; one that is over is left as it is."""
        return await self.decide(fingerprint, actor, lambda i, ctx: commands.acknowledge(i, ctx, via=via))

    async def note(self, fingerprint: str, actor: Actor, text: str) -> bool:
        return await self.decide(fingerprint, actor, lambda i, ctx: commands.note(i, ctx, text=text))

    async def decide(self, fingerprint: str, actor: Actor, decision: Decision) -> bool:
        """Whether the command was carried out on the alert's incident; False when there is none, or it is refused."""

        def act(ledger: Ledger) -> bool:
            known = ledger.tx.alert(fingerprint)
            if known is None or known.incident_id is None:
                return False
            incident = ledger.get(known.incident_id)
            if incident.status.over:
                return False
            ledger.decide(incident.id, actor, decision)
            return True

        try:
            return await self._core.transact(act)
        except (TransitionError, CommandError):
            return False

    async def tell_anew(self, fingerprint: str, change: Callable[[Alert], Alert]) -> bool:
        """Rewrites how the alert is described; whether it is known."""

        def rewrite(ledger: Ledger) -> bool:
            known = ledger.tx.alert(fingerprint)
            if known is None:
                return False
            ledger.tx.put_alert(replace(known, alert=change(known.alert), last_seen_at=ledger.now), new=False)
            return True

        return await self._core.transact(rewrite)


def _held(known: AlertRecord | None, incident: Callable[[str], Incident | None]) -> Held | None:
    if known is None:
        return None
    return Held(known, incident(known.incident_id) if known.incident_id else None)


def _number(ledger: Ledger, known: AlertRecord) -> int | None:
    head = ledger.tx.head(known.incident_id) if known.incident_id else None
    return head.number if head else None
