"""A mail while the database refuses: in the spool where there is one, else kept by its sender; never lost, once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from engines import Plant, World, until

from tocsin.bootstrap.mailing import Letters
from tocsin.config import Settings, load
from tocsin.engine.errors import Unavailable
from tocsin.engine.ingest_log import SPOOLED, Direct, Spooled
from tocsin.engine.intake import Receipt
from tocsin.incident.alert import Alert
from tocsin.signals.mail import decode
from tocsin.store.spool import Spool

MAIL = b"Subject: Disk full\r\nFrom: cron@a.example\r\nMessage-ID: <1@a.example>\r\n\r\nx\r\n"


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    world = World(tmp_path / "t.db")
    yield world.start()
    await world.end()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "tocsin.toml").write_text('[people.me]\n[roles]\n"*" = "me"\n[sources.email]\n', encoding="utf-8")
    return load(tmp_path / "tocsin.toml", environ={})


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Another process holds the database's lock to write."""
    holder = sqlite3.connect(folder / "t.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


async def delivered(letters: Letters, plant: Plant) -> Sequence[Receipt]:
    alerts: list[Alert] = decode(MAIL, at=plant.core.clock.now())
    return await letters.take("<1@a.example>", alerts)


async def test_a_mail_is_kept_by_its_sender_where_there_is_no_spool(
    plant: Plant, settings: Settings, tmp_path: Path
) -> None:
    letters = Letters(settings, Direct(plant.desk))
    with refusing(tmp_path), pytest.raises(Unavailable):
        await delivered(letters, plant)
    assert await plant.desk.alerts() == []
    assert [r.outcome for r in await delivered(letters, plant)] == ["opened"]
    assert await delivered(letters, plant) == ()


async def test_a_mail_waits_in_the_spool_and_opens_one_incident(
    plant: Plant, settings: Settings, tmp_path: Path
) -> None:
    ingest = Spooled(plant.desk, Spool(tmp_path / "spool", limit=10**6), on_trouble=lambda name, reason: None)
    letters = Letters(settings, ingest)
    with refusing(tmp_path):
        assert [r.outcome for r in await delivered(letters, plant)] == [SPOOLED]
        assert await delivered(letters, plant) == (), "its sender had not heard that it was taken"
        assert ingest.waiting == 1
    draining = asyncio.create_task(ingest.run())
    await until(lambda: _opened(plant))
    draining.cancel()
    with suppress(asyncio.CancelledError):
        await draining
    ingest.close()
    assert [i.title for i in await plant.desk.incidents()] == ["Disk full"]


async def _opened(plant: Plant) -> bool:
    return bool(await plant.desk.incidents())
