"""`[ingest]`, `[engine]`, `[retention]`, `[backup]`: what whoever runs Tocsin sets, and no runbook knows of."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, Strict

from tocsin.config.scalars import Count, FilePath, MaskedHttpUrl, PositiveDuration
from tocsin.config.table import Table

Days = Annotated[int, Strict(), Field(ge=0, le=36_500)]


class Ingest(Table):
    """`spool` is a folder for alerts that come while the database refuses; None refuses them, and senders try again.

    `spool_mb` is the most that it may hold, in MB of 10^6 bytes.
    """

    spool: FilePath | None = None
    spool_mb: Count = 256


class Engine(Table):
    """`heartbeat_url` is asked `heartbeat_every` so often while the engine turns and the database can be written."""

    heartbeat_url: MaskedHttpUrl | None = None
    heartbeat_every: PositiveDuration = timedelta(minutes=1)


class Retention(Table):
    """Days after which evidence loses its output and finished work is forgotten; 0 keeps them for ever.

    Both only of incidents that are over. Timelines are kept.
    """

    evidence_days: Days = 180
    work_days: Days = 30


class Backup(Table):
    """`folder` gets a copy of the embedded database `every` so often, the newest `keep` are left there."""

    folder: FilePath | None = None
    every: PositiveDuration = timedelta(days=1)
    keep: Count = 7
