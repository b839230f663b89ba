"""A commit whose answer is lost: what it took in hand is not left lying until its lease runs out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import pytest
from engines import World, alert, paged

from tocsin.engine.errors import Unavailable
from tocsin.engine.storage import Transaction
from tocsin.store.database import Store
from tocsin.store.errors import StoreUnavailable

T = TypeVar("T")


class Forgetful:
    """A store that commits the next write after `lose` was set, and says that it does not know. After as many `reads`
    as it has left it goes `away`: it takes nothing and tells nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.lose = self.away = False
        self.reads: int | None = None
        self.refused = threading.Event()

    def write(self, job: Callable[[Transaction], T]) -> Future[T]:
        if self.away:
            raise StoreUnavailable("the database is away")
        future = self._store.write(job)
        if self.lose:
            self.lose = False
            future.result()
            future = Future()
            future.set_exception(StoreUnavailable("whether this was kept is not known"))
        return future

    def read(self, job: Callable[[Transaction], T]) -> T:
        if self.reads is not None:
            self.away = self.away or self.reads == 0
            self.reads = max(self.reads - 1, 0)
        if self.away:
            self.refused.set()
            raise StoreUnavailable("the database is away")
        return self._store.read(job)


async def test_a_claim_that_nobody_was_told_of_is_made_again_at_once(world: World) -> None:
    storage = Forgetful(world.store)
    plant = world.start(storage)
    await plant.desk.receive([alert()])
    storage.lose = True
    with pytest.raises(Unavailable):
        await plant.engine.step()
    assert paged(world.hook) == []
    await plant.turn()
    assert paged(world.hook) == ["ana"]


async def test_an_alert_whose_answer_was_lost_is_the_same_when_it_is_sent_again(world: World) -> None:
    storage = Forgetful(world.store)
    plant = world.start(storage)
    storage.lose = True
    with pytest.raises(Unavailable):
        await plant.desk.receive([alert()])
    assert [receipt.outcome for receipt in await plant.desk.receive([alert()])] == ["repeated"]
    await plant.turn()
    assert paged(world.hook) == ["ana"]


async def test_a_page_in_hand_when_the_database_goes_away_leaves_as_soon_as_it_is_back(world: World) -> None:
    storage = Forgetful(world.store)
    plant = world.start(storage)
    await plant.desk.receive([alert()])
    storage.reads = 1  # what is due is read and claimed, and then the incident cannot be read
    await plant.engine.step()
    await asyncio.to_thread(storage.refused.wait, 10)
    await asyncio.sleep(0.05)  # time enough to give up over
    storage.away, storage.reads = False, None
    await plant.turn()
    assert paged(world.hook) == ["ana"]
    assert not world.hook.messages[0].possible_duplicate
