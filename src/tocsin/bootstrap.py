"""The house put together: settings, runbook, database, engine, channels and watchers, without any page around it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tocsin.config import Settings
from tocsin.engine.core import Core
from tocsin.engine.credentials import Credentials
from tocsin.engine.desk import Desk
from tocsin.engine.loop import Engine
from tocsin.engine.sending import Channels
from tocsin.engine.signing import Signer
from tocsin.runbook.model import Reading


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class House:
    """Everything that runs, composed. `sources` are the watchers, `troubles` what they cannot reach now, by name."""

    settings: Settings
    reading: Reading
    runbook_text: str
    core: Core
    desk: Desk
    engine: Engine
    channels: Channels
    signer: Signer
    credentials: Credentials
    alert_token: str | None
    sources: Sequence[Callable[[], Awaitable[None]]] = ()
    troubles: dict[str, str] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
