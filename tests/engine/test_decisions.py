"""One decision is one transaction: all of it or nothing, told to whoever follows, and no incident stops another."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future
from contextlib import closing
from typing import Any, TypeVar

import pytest
from engines import ANA, BEN, Plant, World, alert, document, e, paged, parts, policy, sent, until

from tocsin.engine import core, loop
from tocsin.engine.core import Committed
from tocsin.engine.fakes import RecordingChannel
from tocsin.engine.ledger import Ledger
from tocsin.engine.storage import Transaction
from tocsin.incident.errors import TransitionError
from tocsin.incident.state import Incident
from tocsin.store.errors import StoreUnavailable

T = TypeVar("T")
Logged = list[MutableMapping[str, Any]]


class Away:
    """A storage that refuses to write while `away`."""

    def __init__(self, world: World) -> None:
        self._store = world.store
        self.away = False

    def write(self, job: Callable[[Transaction], T]) -> Future[T]:
        if not self.away:
            return self._store.write(job)
        refused: Future[T] = Future()
        refused.set_exception(StoreUnavailable("the database refuses to write: database is locked"))
        return refused

    def read(self, job: Callable[[Transaction], T]) -> T:
        return self._store.read(job)


def spoil(world: World, number: int) -> None:
    """Makes an incident's row one that this version cannot read."""
    with closing(sqlite3.connect(world.path, isolation_level=None)) as connection:
        connection.execute("UPDATE incident SET state = '{}' WHERE number = ?", (number,))


async def was_paged(channel: RecordingChannel) -> bool:
    return paged(channel) == ["ana"]


async def has_begun(world: World) -> bool:
    return world.runner.begun != []


async def test_a_decision_that_raises_leaves_nothing(plant: Plant) -> None:
    def decide(ledger: Ledger) -> None:
        ledger.append(ledger.get("1"), [e.Noted("half a thought"), e.Paged("x", "On-call", "ana", "test")], actor="Ana")
        raise RuntimeError("and then it broke")

    await plant.desk.receive([alert()])
    before, counts = await plant.desk.incident("1"), await plant.core.read(lambda tx: tx.work_counts())
    with pytest.raises(RuntimeError, match="and then it broke"):
        await plant.core.transact(decide)
    assert await plant.desk.incident("1") == before
    assert len(await plant.desk.timeline("1")) == before.version
    assert await plant.core.read(lambda tx: tx.work_counts()) == counts


async def test_an_event_the_table_refuses_takes_the_ones_before_it_along(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    before = await plant.desk.incident("1")
    with pytest.raises(TransitionError):
        await plant.core.append(before.id, [e.Noted("fine"), e.Reopened("but it is not over")])
    assert await plant.desk.incident("1") == before


async def test_the_snapshot_is_the_fold_of_the_timeline(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert(), alert(pod="b")])
    await plant.turn()
    world.clock.move(minutes=31)
    await plant.turn()
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.desk.resolve("1", ANA, reason="over")
    await plant.desk.reopen("1", BEN, reason="not over")
    await plant.turn()
    assert await plant.refolded() == await plant.desk.incident("1")


async def test_a_stuck_incident_does_not_stop_the_others(world: World, plant: Plant, said: Logged) -> None:
    await plant.desk.receive([alert(service="a"), alert(service="b")])
    spoil(world, 1)
    world.clock.move(minutes=15)
    await plant.engine.tick()
    assert [x["event"] for x in said] == ["incident_stuck"]
    assert [x.key for x in await plant.events(e.Paged, "2")] == ["opened", "rung:900:On-call"]
    world.clock.move(seconds=59)
    assert await plant.engine.tick() == 0
    world.clock.move(seconds=1)
    assert await plant.engine.tick() == 1


async def test_work_that_breaks_does_not_stop_other_work(world: World, plant: Plant, said: Logged) -> None:
    await plant.desk.receive([alert(service="a"), alert(service="b")])
    spoil(world, 1)
    for _ in range(3):
        await plant.engine.step()
        await asyncio.sleep(0.02)
    assert {one.incident.number for m in sent(world.mail) for one in parts(m)} == {2}
    assert "work_failed" in {x["event"] for x in said}


async def test_an_incident_keeps_the_runbook_it_opened_with(world: World, plant: Plant) -> None:
    old = document()
    text = "\n\n## Another edition\n"
    world.store.write(lambda tx: tx.put_runbook(old.digest, old.file, "kept text", world.clock.now())).result()
    await plant.desk.receive([alert()])
    world.policy = policy(document(text))
    plant = await world.restart()
    await plant.desk.receive([alert(service="search")])
    first, second = await plant.desk.incident("1"), await plant.desk.incident("2")
    assert (first.runbook, second.runbook) == (old.digest, document(text).digest)
    assert plant.desk.policy_of(second).runbook is world.policy.runbook
    assert plant.desk.policy_of(first).runbook.severities == ()


async def test_a_runbook_that_was_not_kept_gives_way_to_the_current_one(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    world.policy = policy(document("\n\n## Another edition\n"))
    plant = await world.restart()
    assert plant.desk.policy_of(await plant.desk.incident("1")) is world.policy


async def test_followers_hear_every_entry_once_in_order(plant: Plant) -> None:
    heard: list[Committed] = []

    async def listen() -> None:
        async for committed in plant.desk.follow():
            heard.append(committed)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await plant.desk.receive([alert()])
    await asyncio.gather(*(plant.desk.note("1", ANA, text=f"note {n}") for n in range(30)))
    plant.core.stop_followers()
    await listening
    assert [c.entry for c in heard] == await plant.desk.timeline("1")
    assert all(c.incident.version == c.entry.seq for c in heard)


async def test_a_follower_that_falls_behind_is_let_go(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "BEHIND", 3)
    await plant.desk.receive([alert()])
    following = plant.desk.follow()
    first = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    for n in range(10):
        await plant.desk.note("1", ANA, text=f"note {n}")
    heard = [await first] + [c async for c in following]
    assert 1 < len(heard) < 10


async def test_whoever_stops_waiting_does_not_stop_the_writing(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    asked = [asyncio.create_task(plant.desk.note("1", ANA, text=f"note {n}")) for n in range(50)]
    await asyncio.sleep(0)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    await plant.desk.note("1", ANA, text="still here")
    assert (await plant.events(e.Noted))[-1].text == "still here"


async def test_a_delivery_made_while_the_database_is_away_is_written_down_when_it_is_back(world: World) -> None:
    storage = Away(world)
    plant = world.start(storage)
    await plant.desk.receive([alert()])
    world.mail.held.clear()
    await plant.engine.step()
    await asyncio.sleep(0.02)
    storage.away = True
    world.mail.held.set()
    await asyncio.sleep(0.02)
    assert paged(world.mail) == ["ana"]
    storage.away = False
    await plant.turn()
    world.clock.move(minutes=5)
    await plant.turn()
    assert paged(world.mail) == ["ana"]
    assert "email" in (await plant.desk.incident("1")).pages[0].delivered


async def test_the_engine_outlives_a_database_that_refuses(world: World, said: Logged) -> None:
    storage = Away(world)
    plant = world.start(storage)
    await plant.desk.receive([alert()])
    storage.away = True
    turning = asyncio.create_task(plant.engine.run())
    await asyncio.sleep(0.05)
    storage.away = False
    await until(lambda: was_paged(world.mail))
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    assert "engine_turn_failed" in {x["event"] for x in said}
    assert paged(world.mail) == ["ana"]


async def test_a_graceful_stop_leaves_what_is_in_hand_to_the_next_start(world: World, plant: Plant) -> None:
    world.mail.held.clear()
    world.runner.held.clear()
    turning = asyncio.create_task(plant.engine.run())
    await plant.desk.receive([alert()])
    await until(lambda: was_paged(world.hook))
    await until(lambda: has_begun(world))
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    assert plant.engine.in_hand == ()
    world.mail.held.set()
    world.runner.held.set()
    plant = await world.restart()
    await plant.turn()
    assert paged(world.mail) == ["ana"]
    assert (await plant.desk.incident("1")).runs[0].status == "done"


async def test_the_running_engine_wakes_for_what_commits(world: World, plant: Plant) -> None:
    turning = asyncio.create_task(plant.engine.run())
    incident: Incident = await plant.desk.declare(ANA, title="Checkout is down", severity="SEV1")
    await until(lambda: was_paged(world.hook))
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    assert plant.engine.alive == world.clock.now()
    assert incident.number == 1


async def turned(plant: Plant, times: int) -> bool:
    return plant.core.meters.turns.of("ok") >= times


async def test_an_engine_that_is_woken_in_vain_again_and_again_rests(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(loop, "LONGEST_NAP", 60.0)
    monkeypatch.setattr(loop, "REST_SECONDS", 60.0)
    turning = asyncio.create_task(plant.engine.run())
    for times in range(1, loop.IN_VAIN + 1):  # so far each wake is looked into at once
        await until(lambda times=times: turned(plant, times))  # type: ignore[misc]
        plant.engine.wake()
    await until(lambda: turned(plant, loop.IN_VAIN + 1))
    plant.engine.wake()
    await asyncio.sleep(0.1)
    assert plant.core.meters.turns.of("ok") == loop.IN_VAIN + 1
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)


@pytest.mark.parametrize("beats", range(6))
async def test_a_stop_that_comes_with_a_wake_ends_the_engine(plant: Plant, beats: int) -> None:
    """Work that ends wakes the loop; being told to stop in the same instant must not be forgotten over it."""
    turning = asyncio.create_task(plant.engine.run())
    await asyncio.sleep(0.05)
    plant.engine.wake()
    for _ in range(beats):
        await asyncio.sleep(0)
    turning.cancel()
    await asyncio.wait([turning], timeout=5)
    assert turning.cancelled()


async def test_what_one_incident_decides_and_cannot_be_kept_does_not_stop_the_others(
    world: World, plant: Plant, said: Logged
) -> None:
    await plant.desk.receive([alert(service="a"), alert(service="b")])
    refuse = (
        "CREATE TRIGGER refuse BEFORE UPDATE ON incident WHEN new.number = 1 AND new.version > old.version "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    world.store.write(lambda tx: tx._settled().exec_driver_sql(refuse)).result()
    world.clock.move(minutes=15)
    assert await plant.engine.tick() == 2
    assert [x["event"] for x in said] == ["incident_stuck"]
    assert [x.key for x in await plant.events(e.Paged, "1")] == ["opened"]
    assert [x.key for x in await plant.events(e.Paged, "2")] == ["opened", "rung:900:On-call"]
    assert await plant.engine.tick() == 0
    world.store.write(lambda tx: tx._settled().exec_driver_sql("DROP TRIGGER refuse")).result()
    world.clock.move(minutes=1)
    assert await plant.engine.tick() == 1
    assert [x.key for x in await plant.events(e.Paged, "1")] == ["opened", "rung:900:On-call"]
