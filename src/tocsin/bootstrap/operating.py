"""What keeps the house in order while it runs, as the settings say: the spool, and the jobs beside the engine."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from tocsin.bootstrap.dead_man import DeadMan
from tocsin.bootstrap.house import Background, House
from tocsin.config import Settings, SettingsError
from tocsin.engine.auditor import Auditor
from tocsin.engine.desk import Desk
from tocsin.engine.ingest_log import OnTrouble, Spooled
from tocsin.engine.releasing import Releaser
from tocsin.engine.trimming import Trimmer
from tocsin.store.backup import embedded, newest, scheduled
from tocsin.store.errors import StoreError
from tocsin.store.spool import Record, Spool, SpoolError

log = structlog.get_logger()
MB = 1_000_000
LOOK_SECONDS = 60.0


def spooled(settings: Settings, desk: Desk, on_trouble: OnTrouble) -> Spooled[Record] | None:
    """The spool that alerts come in through; None where none is set. Raises SettingsError when it cannot be opened."""
    folder = settings.ingest.spool
    if folder is None:
        return None
    try:
        spool = Spool(folder, limit=settings.ingest.spool_mb * MB)
    except SpoolError as exc:
        raise SettingsError([f"{settings.origin.place(('ingest', 'spool'))} {exc}"]) from exc
    return Spooled(desk, spool, on_trouble=on_trouble)


def upkeep(house: House, on_trouble: OnTrouble) -> list[Background]:
    """The endless jobs beside engine and sources."""
    settings, core, engine = house.settings, house.core, house.engine
    evidence, work = _days(settings.retention.evidence_days), _days(settings.retention.work_days)
    found: list[Background] = [
        Auditor(core, wake=engine.wake, on_trouble=on_trouble).run,
        Releaser(core, house.desk.triage, wake=engine.wake, on_trouble=on_trouble).run,
        Trimmer(core, evidence=evidence, work=work).run,
    ]
    if house.spooled is not None:
        found.append(house.spooled.run)
    if settings.engine.heartbeat_url is not None:
        url, every = settings.engine.heartbeat_url.get_secret_value(), settings.engine.heartbeat_every
        found.append(DeadMan(url, every, core=core, engine=engine, on_trouble=on_trouble).run)
    if settings.backup.folder is not None:
        found.append(Backups(house, settings.backup.folder, on_trouble).run)
    return found


class Backups:
    """Copies the embedded database into `folder` so often as the settings say, counted from the newest copy there."""

    def __init__(self, house: House, folder: Path, on_trouble: OnTrouble) -> None:
        self._house = house
        self._settings = house.settings.backup
        self._folder = folder
        self._on_trouble = on_trouble

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> bool:
        """Makes a copy when one is due; whether it did."""
        core, now = self._house.core, self._house.core.clock.now()
        last = await asyncio.to_thread(newest, self._folder)
        if last is not None:
            core.meters.level("backup", last)
            if now.timestamp() - last < self._settings.every.total_seconds():
                return False
        try:
            await asyncio.to_thread(self._copy, now)
        except StoreError as exc:
            log.warning("backup_failed", reason=str(exc))
            self._on_trouble("backup", str(exc))
            return False
        core.meters.level("backup", now.timestamp())
        self._on_trouble("backup", None)
        return True

    def _copy(self, now: datetime) -> None:
        database = embedded(self._house.settings.database.get_secret_value(), file=self._folder / "tocsin.dump")
        copied = scheduled(self._folder, database, now=now, keep=self._settings.keep)
        log.info("backed_up", bytes=copied.size, incidents=copied.incidents)


def _days(days: int) -> timedelta | None:
    """None is "for ever"."""
    return timedelta(days=days) if days else None
