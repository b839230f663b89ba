"""The second look: what is late is said, what is timed wrong or stuck is put right, what is well is left alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from databases import elsewhere
from engines import ANA, Plant, World, alert

from tocsin.engine import auditor
from tocsin.engine.auditor import DATABASE, GRACE, LONGEST_WAIT, NAME, SOON, Auditor
from tocsin.store.times import to_db


class Watch:
    """A plant's auditor, and what it said and did."""

    def __init__(self, world: World, plant: Plant) -> None:
        self.plant = plant
        plant.core.meters = world.store.meters
        self.woken = 0
        self.troubles: dict[str, str | None] = {}
        self.auditor = Auditor(plant.core, wake=self._wake, on_trouble=self.troubles.__setitem__)

    def _wake(self) -> None:
        self.woken += 1

    async def open(self, *services: str) -> list[str]:
        await self.plant.desk.receive([alert(service=service) for service in services])
        await self.plant.turn()
        return [incident.id for incident in await self.plant.desk.incidents()]

    async def damage(self, world: World, statement: str) -> None:
        """Writes behind the engine's back."""
        await asyncio.to_thread(elsewhere, world.url, statement)

    async def next_due(self, id_: str) -> object:
        return await self.plant.core.read(lambda tx: {s.id: s.next_due_at for s in tx.standing(0, 500)}[id_])


@pytest.fixture
def watch(world: World, plant: Plant) -> Watch:
    return Watch(world, plant)


async def test_what_is_well_is_left_alone(watch: Watch) -> None:
    await watch.open("checkout", "search")
    assert await watch.auditor.look() == 0
    assert (watch.woken, watch.troubles) == (0, {DATABASE: None, NAME: None})


@pytest.mark.parametrize("wrong", [None, timedelta(days=1)])
async def test_an_incident_timed_wrong_is_timed_anew(world: World, watch: Watch, wrong: timedelta | None) -> None:
    (id_,) = await watch.open("checkout")
    right = await watch.next_due(id_)
    at = to_db(world.clock.now() + wrong) if wrong else "NULL"
    await watch.damage(world, f"UPDATE incident SET next_due_at = {at}")
    assert await watch.auditor.look() == 1
    assert await watch.next_due(id_) == right
    assert "timed 1 incidents anew" in str(watch.troubles[NAME])
    assert watch.plant.core.meters.repairs.of("deadline") == 1
    world.clock.move(minutes=10, seconds=1)
    await watch.plant.turn()
    await watch.auditor.look()
    assert watch.troubles[NAME] is None


async def test_what_the_engine_put_off_for_a_moment_is_its_own_affair(world: World, watch: Watch) -> None:
    await watch.open("checkout")
    put_off = to_db(world.clock.now() + SOON)
    await watch.damage(world, f"UPDATE incident SET next_due_at = {put_off}")
    assert await watch.auditor.look() == 0
    await watch.damage(world, f"UPDATE incident SET next_due_at = {put_off + 1}")
    assert await watch.auditor.look() == 1


async def test_a_deadline_that_passed_undone_is_said_and_the_engine_woken(world: World, watch: Watch) -> None:
    await watch.open("checkout")
    await watch.damage(world, f"UPDATE incident SET next_due_at = {to_db(world.clock.now())}")
    world.clock.move(seconds=GRACE.total_seconds())
    await watch.auditor.look()
    assert (watch.woken, watch.troubles[NAME]) == (0, None)
    world.clock.move(seconds=1)
    await watch.auditor.look()
    assert watch.woken == 1
    assert watch.troubles[NAME] == "1 incidents wait for the clock, the first for 11 s"
    assert watch.plant.core.meters.levels["overdue"] == 1


async def test_every_open_incident_gets_its_turn(
    world: World, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(auditor, "WINDOW", 3)
    monkeypatch.setattr(auditor, "BUDGET_SECONDS", 0.0001)
    await watch.plant.desk.receive([alert(service=f"service-{n}") for n in range(8)])
    await watch.damage(world, "UPDATE incident SET next_due_at = NULL WHERE number IN (1, 8)")
    assert sum([await watch.auditor.look() for _ in range(5)]) == 2


async def test_one_that_is_over_is_not_looked_at(world: World, watch: Watch) -> None:
    (id_,) = await watch.open("checkout")
    await watch.plant.desk.resolve(id_, ANA, reason="it was nothing")
    await watch.damage(world, "UPDATE incident SET next_due_at = NULL")
    assert await watch.auditor.look() == 0


@pytest.mark.parametrize(
    ("ends_in", "freed"),
    [(-GRACE, 0), (-GRACE - timedelta(seconds=1), 1), (LONGEST_WAIT, 0), (LONGEST_WAIT + timedelta(seconds=1), 1)],
)
async def test_a_lease_that_nobody_gives_is_released(
    world: World, watch: Watch, ends_in: timedelta, freed: int
) -> None:
    await watch.plant.desk.receive([alert()])
    until = to_db(world.clock.now() + ends_in)
    lease = f"state = 'leased', owner = 'gone', lease_until = {until}"
    one = "id = (SELECT min(id) FROM work)"
    await watch.damage(world, f"UPDATE work SET {lease} WHERE {one}")
    assert await watch.auditor.look() == freed
    (row,) = await asyncio.to_thread(elsewhere, world.url, f"SELECT state, uncertain FROM work WHERE {one}")
    assert row == (("pending", 1) if freed else ("leased", 0))
    assert watch.woken == freed


async def test_work_put_off_for_longer_than_anything_is_can_be_had_now(world: World, watch: Watch) -> None:
    await watch.plant.desk.receive([alert()])
    far = to_db(world.clock.now() + LONGEST_WAIT) + 1
    await watch.damage(world, f"UPDATE work SET next_at = {far} WHERE kind = 'send'")
    assert await watch.auditor.look() > 0
    await watch.plant.turn()
    assert world.pages() != []
