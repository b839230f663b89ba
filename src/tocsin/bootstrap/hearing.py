"""What the sources of our own hear and see, told to whoever shows it: one request each, as a sender's would be.

Senders that post are seen where they post; mail, probes, logs, queries and heartbeats are told here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from tocsin.engine.ingest_log import IngestLog
from tocsin.engine.intake import Receipt
from tocsin.incident.alert import Alert

TAKEN = 200


class Heard(Struct, frozen=True):
    """One mail, or one change that a watch saw. `sender` is as the sources page names it, `raw` what it rests on.

    `status` is SMTP's for mail, 200 for what was seen from here; `took` is seconds, `reason` says why it was refused.
    """

    sender: str
    who: str
    how: str
    what: str
    raw: bytes
    alerts: Sequence[Alert] = ()
    receipts: Sequence[Receipt] = ()
    status: int = TAKEN
    took: float = 0.0
    reason: str = ""


class Hearing:
    """Tells `listener`; until there is one, nobody."""

    def __init__(self) -> None:
        self.listener: Callable[[Heard], None] | None = None

    def tell(self, heard: Heard) -> None:
        if self.listener is not None:
            self.listener(heard)


class Watched:
    """Takes the alerts of one watch: handed in like a sender's, and told."""

    def __init__(self, kind: str, name: str, *, ingest: IngestLog, hearing: Hearing) -> None:
        self._kind = kind
        self._name = name
        self._ingest = ingest
        self._hearing = hearing

    async def emit(self, alert: Alert) -> None:
        """Returns once the alert is durable. Raises Unavailable: then it is not."""
        begun = time.monotonic()
        receipts = await self._ingest.take([alert])
        said = "\n".join(f"{name}: {text}" for name, text in alert.annotations.items()).encode("utf-8", "replace")
        self._hearing.tell(
            Heard(
                f"{self._kind}/{self._name}", "this server", KINDS[self._kind], self._name, said,
                (alert,), receipts, took=time.monotonic() - begun,
            )
        )  # fmt: skip


PROBES, LOGS, RULES, HEARTBEATS = "probes", "logs", "rules", "heartbeats"
KINDS = {PROBES: "probe", LOGS: "log watch", RULES: "Prometheus query", HEARTBEATS: "heartbeat"}
"""The kinds of watches, as their names begin and as people call them."""
