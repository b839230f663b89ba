"""Alerts while the database refuses: promised, kept, taken in once and in order when it is back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from engines import Plant, World, alert, e, until

from tocsin.engine.auditor import DATABASE, Auditor
from tocsin.engine.errors import Unavailable
from tocsin.engine.ingest_log import PATIENCE_SECONDS, SPOOLED, TROUBLE, Direct, Spooled
from tocsin.incident.alert import Alert
from tocsin.store.spool import Record, Spool

ROOMY = 10**6


@contextmanager
def refusing(world: World) -> Iterator[None]:
    """Another process holds the database's lock to write."""
    holder = sqlite3.connect(world.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


class Door:
    """A plant's ingest with a spool; `troubles` is what the page shows."""

    def __init__(self, plant: Plant, folder: Path, *, limit: int = ROOMY, patience: float = PATIENCE_SECONDS) -> None:
        self.plant = plant
        self.spool = Spool(folder, limit=limit)
        self.troubles: dict[str, str | None] = {}
        self.log: Spooled[Record] = Spooled(
            plant.desk, self.spool, on_trouble=self.troubles.__setitem__, patience=patience
        )

    async def take(self, *alerts: Alert, **notes: str) -> list[str]:
        return [receipt.outcome for receipt in await self.log.take(alerts, notes)]

    async def spooled(self) -> bool:
        return self.spool.waiting > 0

    async def drained(self) -> bool:
        return self.troubles.get(TROUBLE) is None and self.spool.waiting == 0

    async def titles(self) -> list[str]:
        return [incident.title for incident in reversed(await self.plant.desk.incidents())]


@asynccontextmanager
async def draining(door: Door) -> AsyncIterator[None]:
    running = asyncio.create_task(door.log.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        door.log.close()


@pytest.fixture
def door(plant: Plant, tmp_path: Path) -> Door:
    return Door(plant, tmp_path / "spool")


async def test_while_the_database_takes_alerts_nothing_is_spooled(door: Door) -> None:
    async with draining(door):
        assert await door.take(alert()) == ["opened"]
        assert (door.spool.waiting, door.troubles) == (0, {})


async def test_what_came_while_it_refused_is_taken_in_when_it_is_back(world: World, door: Door) -> None:
    async with draining(door):
        with refusing(world):
            assert await door.take(alert(service="checkout")) == [SPOOLED]
            assert await door.take(alert(service="search")) == [SPOOLED]
            assert "2 alerts wait in the spool" in str(door.troubles[TROUBLE])
            with pytest.raises(Unavailable, match="send it again"):
                door.log.settled()
        await until(door.drained)
        door.log.settled()
    assert len(await door.plant.desk.incidents()) == 2
    assert await door.take(alert(service="checkout")) == ["repeated"]


async def test_a_database_that_says_nothing_is_not_waited_for(world: World, door: Door, tmp_path: Path) -> None:
    door = Door(door.plant, tmp_path / "another", patience=0.01)
    async with draining(door):
        with refusing(world):
            assert await door.take(alert()) == [SPOOLED]
            assert "has not answered for 0.01 s; 1 alerts wait" in str(door.troubles[TROUBLE])
        await until(door.drained)
    assert len(await door.plant.events(e.AlertFired)) == 1


async def test_firing_and_resolved_keep_their_order(world: World, door: Door) -> None:
    async with draining(door):
        with refusing(world):
            for n in range(30):
                await door.take(alert(pod=f"pod-{n}"))
                await door.take(alert("resolved", pod=f"pod-{n}", ended=1))
        await until(door.drained)
    told = await door.plant.events(e.AlertResolved)
    assert [x.fingerprint for x in told] == [alert(pod=f"pod-{n}").fingerprint for n in range(30)]


async def test_what_comes_while_it_drains_comes_after(world: World, door: Door) -> None:
    with refusing(world):
        await door.take(alert())
    assert await door.take(alert("resolved", ended=1)) == [SPOOLED]
    async with draining(door):
        await until(door.drained)
    assert len(await door.plant.events(e.AlertResolved)) == 1


async def test_a_restart_drains_what_the_last_process_promised(world: World, door: Door, tmp_path: Path) -> None:
    with refusing(world):
        await door.take(alert(service="checkout"))
    door.log.close()
    after = Door(await world.restart(), tmp_path / "spool")
    async with draining(after):
        await until(after.drained)
    assert len(await after.plant.desk.incidents()) == 1


async def test_a_kill_after_the_commit_takes_nothing_in_twice(world: World, door: Door, tmp_path: Path) -> None:
    with refusing(world):
        await door.take(alert(), **{"heartbeat:job": "once"})
    door.spool.drained = lambda records: None  # type: ignore[method-assign]  # killed before the files are told
    running = asyncio.create_task(door.log.run())
    await until(lambda: _known(door.plant))
    running.cancel()
    door.spool.close()
    after = Door(await world.restart(), tmp_path / "spool")
    await after.plant.core.transact(lambda ledger: ledger.tx.put_setting("heartbeat:job", "later"))
    async with draining(after):
        await until(after.drained)
    assert await after.plant.core.read(lambda tx: tx.setting("heartbeat:job")) == "later"
    assert len(await after.plant.events(e.AlertFired)) == 1


async def _known(plant: Plant) -> bool:
    return bool(await plant.desk.incidents())


async def test_bites_grow_while_they_are_quick_and_shrink_when_refused(world: World, door: Door) -> None:
    with refusing(world):
        for n in range(30):
            await door.take(alert(pod=f"pod-{n}"))
        door.log._bite = 50
        async with draining(door):
            await until(lambda: _is(door, lambda bite: bite < 50))
    async with draining(Door(door.plant, door.spool.folder)):
        await until(lambda: _known(door.plant))
    grown = Door(door.plant, door.spool.folder)
    grown.log._learn(0.01)
    grown.log._learn(0.5)
    assert grown.log._bite == 1000
    grown.log._learn(1.0)
    assert grown.log._bite == 500
    grown.log.close()


async def _is(door: Door, true: Callable[[int], bool]) -> bool:
    return true(door.log._bite)


async def test_a_beat_alone_is_drained_after_a_restart_too(world: World, door: Door, tmp_path: Path) -> None:
    with refusing(world):
        await door.take(**{"heartbeat:job": "now"})
    door.log.close()
    after = Door(await world.restart(), tmp_path / "spool")
    async with draining(after):
        await until(after.drained)
    assert await after.plant.core.read(lambda tx: tx.setting("heartbeat:job")) == "now"


async def test_a_full_spool_refuses_and_says_how_much_waits(world: World, plant: Plant, tmp_path: Path) -> None:
    door = Door(plant, tmp_path / "spool", limit=600)
    with refusing(world):
        assert await door.take(alert()) == [SPOOLED]
        with pytest.raises(Unavailable, match=r"locked; the spool is full: 1 alerts wait"):
            await door.take(alert(service="search"))
    async with draining(door):
        await until(door.drained)
        assert await door.take(alert(service="search")) == ["opened"]


async def test_an_alert_that_breaks_the_intake_is_set_aside(
    world: World, door: Door, said: list[MutableMapping[str, Any]]
) -> None:
    with refusing(world):
        await door.take(alert(service="checkout"))
        door.spool.append([(b'{"alerts": "what a newer version wrote"}', 1)])
        await door.take(alert(service="search"))
    async with draining(door):
        await until(door.drained)
    assert len(await door.plant.desk.incidents()) == 2
    assert "spooled_alert_set_aside" in [line["event"] for line in said]
    assert (door.spool.folder / "set-aside.spool").stat().st_size > 0


async def test_without_a_spool_the_sender_is_refused(world: World, plant: Plant) -> None:
    direct = Direct(plant.desk)
    with refusing(world), pytest.raises(Unavailable, match="locked"):
        await direct.take([alert()])
    assert [r.outcome for r in await direct.take([alert()], {"heartbeat:job": "now"})] == ["opened"]
    assert await plant.core.read(lambda tx: tx.setting("heartbeat:job")) == "now"


async def test_the_auditor_says_that_the_database_refuses_until_it_takes_again(world: World, plant: Plant) -> None:
    plant.core.meters = world.store.meters
    troubles: dict[str, str | None] = {}
    auditor = Auditor(plant.core, wake=lambda: None, on_trouble=troubles.__setitem__)
    with refusing(world):
        with pytest.raises(Unavailable):
            await plant.desk.receive([alert()])
        assert plant.core.meters.refusing
        with pytest.raises(Unavailable, match="locked"):
            await auditor.look()
    await auditor.look()
    assert not plant.core.meters.refusing
    assert troubles[DATABASE] is None
