"""Two replicas on one PostgreSQL: what one commits the other knows; what one runs can be stopped from the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio
from engines import ANA, BEN, Plant, World, alert, e, until

from tocsin.engine.following import Following
from tocsin.store.database import Store


class Pair:
    """Two processes, each with connections of its own, in one made-up world."""

    def __init__(self, world: World) -> None:
        self.stores = [Store(world.url, serving=True) for _ in range(2)]
        self.here, self.there = (world.start(store) for store in self.stores)
        self.following: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Comes back once both know where the stream of commits stands."""
        for plant, store in zip((self.here, self.there), self.stores, strict=True):
            following = Following(plant.core, store.listen)
            await following.look()
            self.following.append(asyncio.create_task(following.run()))

    async def end(self) -> None:
        for task in self.following:
            task.cancel()
        await asyncio.gather(*self.following, return_exceptions=True)
        for store in self.stores:
            await asyncio.to_thread(store.close)


@pytest_asyncio.fixture
async def pair(postgres_url: str, world: World) -> AsyncIterator[Pair]:
    world.url = postgres_url
    pair = Pair(world)
    await pair.begin()
    yield pair
    await world.kill()
    await pair.end()


async def notes(plant: Plant, last: str) -> list[str]:
    """The notes that somebody who looks on there is shown, up to the last one."""
    seen: list[str] = []
    async with asyncio.timeout(20), aclosing(plant.core.follow()) as following:
        async for one in following:
            if isinstance(one.entry.event, e.Noted):
                seen.append(one.entry.event.text)
                if seen[-1] == last:
                    break
    return seen


async def test_what_one_commits_is_shown_to_who_looks_on_at_the_other(pair: Pair) -> None:
    await pair.here.desk.declare(ANA, title="Checkout is down", severity="SEV1")
    looking = asyncio.create_task(notes(pair.there, "second"))
    await asyncio.sleep(0)
    await pair.here.desk.note("1", ANA, text="first")
    await pair.here.desk.note("1", ANA, text="second")
    assert await looking == ["first", "second"]


async def test_what_one_commits_itself_is_shown_there_once(pair: Pair) -> None:
    await pair.here.desk.declare(ANA, title="Checkout is down", severity="SEV1")
    looking = asyncio.create_task(notes(pair.here, "mine again"))
    await asyncio.sleep(0)
    await pair.here.desk.note("1", ANA, text="mine")
    await pair.there.desk.note("1", BEN, text="theirs")
    await asyncio.sleep(0.5)
    await pair.here.desk.note("1", ANA, text="mine again")
    assert await looking == ["mine", "theirs", "mine again"]


async def test_a_commit_wakes_the_engine_of_the_other(pair: Pair) -> None:
    woken = pair.there.core.waker()
    await pair.here.desk.declare(ANA, title="Checkout is down", severity="SEV1")
    async with asyncio.timeout(20):
        await woken.wait()


async def test_a_run_is_stopped_from_the_replica_that_does_not_run_it(pair: Pair, world: World) -> None:
    world.runner.held.clear()
    await pair.here.desk.receive([alert()])
    await pair.here.engine.step()

    async def running() -> bool:
        return bool(pair.here.core.live.running())

    async def ended() -> bool:
        return not pair.here.core.live.running()

    await until(running)
    run = pair.here.core.live.running()[0][1]
    await pair.there.desk.cancel_run("1", ANA, run=run, reason="not needed")
    await until(ended)
    assert [x.event for x in await pair.there.desk.timeline("1") if isinstance(x.event, e.RunFinished)] == [
        e.RunFinished(run, "cancelled", "not needed")
    ]


@pytest.mark.parametrize("first", [0, 1])
async def test_two_who_declare_in_the_same_instant_get_numbers_of_their_own(pair: Pair, first: int) -> None:
    plants = (pair.here, pair.there) if first == 0 else (pair.there, pair.here)
    declared = [plant.desk.declare(ANA, title=f"{n}", severity="SEV1") for n in range(5) for plant in plants]
    numbers = [incident.number for incident in await asyncio.gather(*declared)]
    assert sorted(numbers) == list(range(1, 11))


async def test_an_alert_that_reaches_both_in_the_same_instant_opens_one_incident(pair: Pair) -> None:
    taken = await asyncio.gather(*(plant.desk.receive([alert()]) for plant in (pair.here, pair.there)))
    assert sorted(receipt.outcome for receipts in taken for receipt in receipts) == ["opened", "repeated"]
    assert len(await pair.here.desk.incidents()) == 1
