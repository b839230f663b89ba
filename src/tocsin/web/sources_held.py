"""Alerts that fire and are no incident's, or flap, with the reason: what a source's page must not keep quiet about."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tocsin.engine.core import Core
from tocsin.engine.intake import FLAPPING, flaps
from tocsin.engine.storage import Transaction
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.web.inspector_why import FLAPS, held_by

EACH, LOOKED_AT = 50, 200
"""So many are listed of each reason, and so many of the latest firing alerts are looked at for flapping."""
_OWN = {"probes": "probe", "logs": "log", "rules": "prometheus", "heartbeats": "heartbeat"}


class Kept(Struct, frozen=True):
    """An alert that is held back, or flaps; `since` is when it was last seen to begin, `why` words for people."""

    alert: Alert
    reason: str
    why: str
    since: datetime

    @property
    def silenced(self) -> bool:
        return self.reason.startswith(("silence:", "maintenance:"))


async def kept_back(core: Core, *, sender: str = "") -> list[Kept]:
    """Those held back, by reason, then those that flap; `sender` as the sources page names it, empty for all."""
    now, source = core.clock.now(), _OWN.get(sender.partition("/")[0], sender)
    found = await core.read(lambda tx: _found(tx, now))
    return [one for one in found if not sender or one.alert.source == source]


def _found(tx: Transaction, now: datetime) -> list[Kept]:
    held = [record for reason in tx.holds() for record in tx.held_by(reason, EACH)]
    firing = tx.alerts(status=AlertStatus.FIRING, limit=LOOKED_AT)
    return [
        *(Kept(r.alert, r.alert.held, held_by(r.alert.held), r.alert.starts_at) for r in held),
        *(
            Kept(r.alert, FLAPPING, FLAPS, r.alert.starts_at)
            for r in firing
            if not r.alert.held and r.incident_id and flaps(r.alert, now)
        ),
    ]
