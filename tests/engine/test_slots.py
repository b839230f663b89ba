"""Each channel has hands of its own, and the last of them are for first pages; in a storm the rest waits a moment."""

from __future__ import annotations

import asyncio
from math import inf

import pytest
from engines import Plant, World, alert, parts, sent

from tocsin.engine import gate
from tocsin.engine.gate import LONGEST, MANY, WITHIN, Gate
from tocsin.engine.slots import MOST, Full, Rank, Slots, rank_of
from tocsin.incident.work import Send


def taken(slots: Slots, rank: Rank, channel: str = "mail") -> int:
    """How many hands of that rank are left, used up by asking."""
    return next(count for count in range(100) if not slots.take(channel, rank))


def test_what_informs_leaves_hands_for_repeats_and_repeats_for_first_pages() -> None:
    slots = Slots()
    assert [taken(slots, rank) for rank in (Rank.REST, Rank.AGAIN, Rank.FIRST)] == [8, 4, 4]


def test_a_channel_without_hands_takes_none_of_another() -> None:
    slots = Slots(["mail"] * MOST[Rank.FIRST])
    assert not slots.take("mail", Rank.FIRST)
    assert taken(slots, Rank.FIRST, "hook") == MOST[Rank.FIRST]
    assert slots.full().all == {"mail", "hook"}


def test_a_closed_channel_still_takes_pages() -> None:
    slots = Slots(closed=["mail"])
    assert [slots.take("mail", rank) for rank in Rank] == [True, True, False]
    assert slots.full() == Full(rest=frozenset({"mail"}))


def test_too_many_first_pages_leave_nothing_for_the_rest() -> None:
    slots = Slots(calm=2)
    for storm in (False, False, True):
        slots.leaves(Rank.AGAIN)
        slots.leaves(Rank.FIRST)
        assert slots.storm is storm
        assert slots.take("mail", Rank.REST) is not storm
    assert slots.take("mail", Rank.FIRST)
    assert slots.take("mail", Rank.AGAIN)


def test_what_is_full_for_one_rank_is_open_to_a_better_one() -> None:
    full = Slots(["mail"] * MOST[Rank.AGAIN]).full()
    assert [full.holds("mail", rank) for rank in Rank] == [False, True, True]
    assert not any(full.holds("hook", rank) for rank in Rank)


def test_a_page_repeated_by_a_persons_rules_is_no_first_page() -> None:
    assert rank_of("page:ana", page=True) is rank_of("", page=True) is Rank.FIRST
    assert rank_of("again:ana", page=True) is Rank.AGAIN
    assert rank_of("notify:ana", page=False) is rank_of("", page=False) is Rank.REST


def test_the_gate_shuts_with_many_first_pages_within_a_moment() -> None:
    door = Gate()
    door.paged(MANY - 1, 0.0)
    assert not door.shut(0.0)
    door.paged(1, 1.0)
    assert door.shut(1.0)
    assert not door.shut(WITHIN)


def test_the_gate_tells_how_many_first_pages_are_no_storm_yet() -> None:
    door = Gate()
    assert door.calm(0.0) == MANY - 1
    door.paged(MANY - 2, 0.0)
    assert door.calm(WITHIN - 0.1) == 1
    assert door.calm(WITHIN) == MANY - 1
    door.paged(2, 1.0)
    assert door.calm(1.0) == inf
    assert door.calm(2.5) == MANY - 3


def test_the_gate_opens_after_a_while_though_the_storm_goes_on_and_shuts_in_the_next_one() -> None:
    door, now = Gate(), 0.0
    held = []
    while now < 2 * LONGEST:
        door.paged(MANY, now)
        held.append(door.shut(now))
        now += 1.0
    assert held == [True] * 10 + [False] * 10
    assert not door.shut(now + WITHIN)
    door.paged(MANY, now + 60)
    assert door.shut(now + 60)


async def stepped(world: World, plant: Plant, pages: int, *, posts: int = 0) -> None:
    """Comes back once so many pages and posts went out by mail."""
    while sum(len(parts(page)) for page in sent(world.mail)) < pages or len(sent(world.mail, "post")) < posts:
        await plant.engine.step()
        await asyncio.sleep(0.001)
        world.clock.move(seconds=1)


async def test_a_hanging_channel_keeps_no_page_of_another_waiting(world: World) -> None:
    plant = world.start(timeout=60)
    world.hook.held.clear()
    for wave in range(3):
        await plant.desk.receive([alert(service=f"service-{wave}-{n}") for n in range(8)])
        await stepped(world, plant, 8 * (wave + 1), posts=8 * (wave + 1))
    hanging = [item for item in plant.engine.in_hand if item.channel == "webhook"]
    assert 0 < sum(not item.bundle for item in hanging) <= MOST[Rank.REST]
    assert {item.bundle for item in hanging} == {"", "page:ana"}
    assert len(sent(world.mail, "post")) == 24


@pytest.mark.parametrize(("pages", "calm"), [(MANY - 2, True), (MANY, False)])
async def test_nothing_else_begins_beside_the_first_pages_of_a_storm(world: World, pages: int, calm: bool) -> None:
    plant = world.start()
    await plant.desk.receive([alert(service=f"service-{n}") for n in range(pages // 2)])  # by two channels each
    await plant.engine.step()
    begun = {"page" if item.bundle else item.work.kind if isinstance(item.work, Send) else "run"
             for item in plant.engine.in_hand}  # fmt: skip
    assert begun == ({"page", "post", "status", "run"} if calm else {"page"})


async def test_in_a_storm_what_only_informs_waits_until_the_first_pages_have_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "WITHIN", 3600.0)
    monkeypatch.setattr(gate, "LONGEST", 3600.0)
    plant = world.start()
    for wave in range(2):
        await plant.desk.receive([alert(service=f"service-{wave}-{n}") for n in range(MANY)])
        await stepped(world, plant, MANY * (wave + 1))
    await asyncio.gather(*(plant.engine.step() for _ in range(5)))
    assert plant.engine.held_back
    assert plant.core.meters.levels["held back"] == 1.0
    assert len(sent(world.mail, "post")) <= MOST[Rank.REST]
    monkeypatch.setattr(gate, "WITHIN", 0.0)
    await plant.turn()
    assert len(sent(world.mail, "post")) == 2 * MANY
    assert plant.core.meters.levels["held back"] == 0.0
