"""Jobs that wait for a transaction: who comes alone waits for nobody, a crowd is waited for."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.engine.gathering import QUIET_TURNS, TOGETHER, Asked, Gathering
from tocsin.engine.patience import Patience


def asked() -> Asked:
    return Asked(lambda _: None, asyncio.get_running_loop().create_future(), None, None)


def gathered(count: int, *, patience: float = 60.0) -> Gathering:
    gathering = Gathering(patience=patience)
    for _ in range(count):
        gathering.add(asked())
    return gathering


async def after(turns: int, gathering: Gathering) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    gathering.add(asked())


async def test_who_comes_alone_waits_for_nobody() -> None:
    gathering = gathered(1)
    for _ in range(2):
        late = asyncio.ensure_future(after(1, gathering))
        assert len(await gathering.batch()) == 1
        await late


@pytest.mark.parametrize(("turns", "found"), [(1, 2), (QUIET_TURNS - 1, 2), (QUIET_TURNS + 2, 1)])
async def test_after_a_crowd_those_who_come_soon_are_waited_for(turns: int, found: int) -> None:
    gathering = gathered(2)
    assert len(await gathering.batch()) == 2
    gathering.add(asked())
    late = asyncio.ensure_future(after(turns, gathering))
    assert len(await gathering.batch()) == found
    await late


async def test_a_crowd_that_never_ends_is_not_waited_for() -> None:
    gathering = gathered(2)
    await gathering.batch()
    for _ in range(TOGETHER + 5):
        gathering.add(asked())
    assert len(await gathering.batch()) == TOGETHER
    assert len(gathering) == 5


async def test_a_crowd_that_goes_on_coming_is_waited_for_no_longer_than_that() -> None:
    gathering = gathered(2, patience=0.0)
    await gathering.batch()
    gathering.add(asked())
    late = asyncio.ensure_future(after(QUIET_TURNS - 1, gathering))
    assert len(await gathering.batch()) == 1
    await late


async def test_whom_nobody_waits_for_any_more_is_left_out() -> None:
    gathering, gone = gathered(1), asked()
    gathering.add(gone)
    gone.future.cancel()
    assert gone not in await gathering.batch()


async def test_patience_ends_what_is_not_done_and_leaves_the_rest_alone() -> None:
    loop, patience = asyncio.get_running_loop(), Patience(0.01)
    slow, quick, later = loop.create_future(), loop.create_future(), loop.create_future()
    patience.begin(slow)
    patience.begin(quick)
    quick.set_result("done")
    with pytest.raises(TimeoutError):
        await slow
    assert quick.result() == "done"
    patience.begin(later)
    with pytest.raises(TimeoutError):
        await later
