"""What keeps the house in order while it runs, as the settings say: the spool, and the jobs beside the engine."""

from __future__ import annotations

from tocsin.bootstrap.house import Background, House
from tocsin.config import Settings, SettingsError
from tocsin.engine.auditor import Auditor
from tocsin.engine.desk import Desk
from tocsin.engine.ingest_log import OnTrouble, Spooled
from tocsin.store.spool import Record, Spool, SpoolError

MB = 1_000_000


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
    found: list[Background] = [Auditor(house.core, wake=house.engine.wake, on_trouble=on_trouble).run]
    if house.spooled is not None:
        found.append(house.spooled.run)
    return found
