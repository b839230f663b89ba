import asyncio

import pytest

from tocsin.procedures.turns import Turns


class Room:
    """Steps of one incident that hold their turn until they are told to end."""

    def __init__(self, turns: Turns, name: str, ran: list[str]) -> None:
        self.turns, self.name, self.ran = turns, name, ran
        self.done = asyncio.Event()

    async def step(self) -> None:
        async with self.turns.turn(self.name):
            self.ran.append(self.name)
            await self.done.wait()

    def begin(self, steps: int) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self.step()) for _ in range(steps)]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_no_more_run_than_there_are_turns() -> None:
    ran: list[str] = []
    room = Room(Turns(2), "a", ran)
    tasks = room.begin(3)
    await settled()
    assert ran == ["a", "a"]
    room.done.set()
    await asyncio.gather(*tasks)
    assert ran == ["a", "a", "a"]


async def test_a_room_with_many_steps_holds_up_no_other() -> None:
    ran: list[str] = []
    turns = Turns(2)
    crowded, quiet = Room(turns, "crowded", ran), Room(turns, "quiet", ran)
    tasks = crowded.begin(10)
    await settled()
    tasks += quiet.begin(1)
    await settled()
    crowded.done.set()
    await settled()
    assert ran[:3] == ["crowded", "crowded", "quiet"]
    quiet.done.set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("which", [0, 1])
async def test_a_step_cancelled_while_it_runs_or_waits_gives_its_turn_on(which: int) -> None:
    ran: list[str] = []
    room = Room(Turns(1), "a", ran)
    tasks = room.begin(3)
    await settled()
    tasks.pop(which).cancel()
    await settled()
    room.done.set()
    await asyncio.gather(*tasks)
    assert ran == ["a"] * (3 if which == 0 else 2)


async def test_a_turn_given_in_the_moment_of_a_cancel_is_not_lost() -> None:
    ran: list[str] = []
    turns = Turns(1)
    first, second = Room(turns, "a", ran), Room(turns, "b", ran)
    begun, waiting = first.begin(1), second.begin(1)
    await settled()
    first.done.set()
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*begun, *waiting, return_exceptions=True)
    last = first.begin(1)
    await asyncio.gather(*last)
    assert ran.count("a") == 2
