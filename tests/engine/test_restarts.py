"""A process dies at every transaction of a whole story; the next one goes on, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest
from engines import Plant, World, e
from stories import Dead, Life, MortalChannel, MortalRunner, MortalStorage, Story

from tocsin.incident.state import Status

LONGEST, STRIDE = 200, 4


class Mortals(World):
    """A world whose processes die when told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.mail: MortalChannel = MortalChannel("email")
        self.hook: MortalChannel = MortalChannel("webhook")
        self.runner: MortalRunner = MortalRunner(self.clock)

    def living(self, life: Life) -> Plant:
        self.mail.life = self.hook.life = self.runner.life = life
        return self.start(MortalStorage(self.store, life))

    async def reborn(self) -> Plant:
        self.mail.life = self.hook.life = self.runner.life = None
        return await self.restart(reopen=False)


async def died(plant: Plant, story: Story, life: Life) -> bool:
    """Plays until the process dies; False when it lived to the end."""
    playing = asyncio.create_task(story.play(plant))
    while not playing.done():
        await asyncio.sleep(0.001)
        if life.dead:
            playing.cancel()
    ended = (await asyncio.gather(playing, return_exceptions=True))[0]
    if isinstance(ended, BaseException) and not isinstance(ended, Dead | asyncio.CancelledError):
        raise ended
    return life.dead


async def check(world: Mortals, plant: Plant, story: Story) -> None:
    incident = await plant.desk.incident("1")
    assert incident.status is Status.RESOLVED
    assert await plant.refolded() == incident
    assert [i.number for i in await plant.desk.incidents()] == [1]
    assert Counter(x.fingerprint for x in await plant.events(e.AlertFired)) == dict.fromkeys(story.told, 1)
    pages(world)
    await steps(plant)
    await mitigation(world, plant)
    assert await plant.core.read(lambda tx: tx.work_counts().keys()) == {"done"}


def pages(world: Mortals) -> None:
    """Both pages that were due before the acknowledge went out on both channels, once but for those marked."""
    for channel in (world.mail, world.hook):
        sure = Counter(m.idempotency_key for m in channel.messages if not m.possible_duplicate)
        assert set(sure.values()) <= {1}
        keys = {m.idempotency_key.split(":", 1)[1] for m in channel.messages if m.kind == "page"}
        assert keys == {f"opened:ana:{channel.name}", f"rung:900:On-call:ana:{channel.name}"}


async def steps(plant: Plant) -> None:
    """Every step of assessment and procedure stands once on the timeline."""
    done = Counter((x.run, x.index) for x in await plant.events(e.StepFinished))
    runs = (await plant.desk.incident("1")).runs
    assert [r.purpose for r in runs] == ["assessment", "investigation", "verification"]
    assert all(done[r.id, s.index] == 1 for r in runs[:2] for s in r.steps)
    assert {r.status for r in runs} == {"done"}


async def mitigation(world: Mortals, plant: Plant) -> None:
    """The command ran at most once; begun and not ended it says that the outcome is unknown."""
    assert world.runner.begun.count("Rollback") <= 1
    unknown = await plant.events(e.MitigationOutcomeUnknown)
    finished = await plant.events(e.MitigationFinished)
    assert len(await plant.events(e.MitigationStarted)) == len(finished) == 1
    assert world.runner.begun.count("Rollback") == 1 or len(unknown) == 1
    assert finished[0].reason.startswith("settled by Ben") == bool(unknown)


async def whole(world: Mortals) -> int:
    """How many transactions the story takes when nobody dies."""
    life = Life(LONGEST, acts=True)
    story, plant = Story(world.clock), world.living(life)
    await story.play(plant)
    await check(world, plant, story)
    return LONGEST - life.left


@pytest.fixture
def folder(tmp_path: Path, empty_database: Path) -> Path:
    (tmp_path / "tocsin.db").write_bytes(empty_database.read_bytes())
    return tmp_path


async def test_the_story_as_it_goes_when_nobody_dies(folder: Path) -> None:
    world = Mortals(folder / "tocsin.db")
    taken = await whole(world)
    await world.end()
    assert 25 < taken < LONGEST


@pytest.mark.parametrize(
    ("acts", "first"), [(True, 0), (True, 1), (True, 2), (True, 3), (False, 0), (False, 1)], ids=str
)
async def test_a_process_killed_at_any_transaction_is_followed_by_one_that_goes_on(
    tmp_path: Path, empty_database: Path, acts: bool, first: int
) -> None:
    """Just before the next transaction, at each of them; or at the commit itself, at every second one."""
    for commits in range(first, LONGEST, STRIDE):
        path = tmp_path / f"{commits}.db"
        shutil.copy(empty_database, path)
        if not await killed_after(commits, path, acts=acts):
            break
    assert commits > 30


async def killed_after(commits: int, path: Path, *, acts: bool) -> bool:
    """Plays and checks the story with a death after so many transactions; False when it ended before."""
    world, life = Mortals(path), Life(commits, acts=acts)
    story = Story(world.clock)
    try:
        dead = await died(world.living(life), story, life)
        plant = await world.reborn()
        await story.play(plant)
        await check(world, plant, story)
    except AssertionError as exc:
        exc.add_note(f"killed after {commits} transactions")
        raise
    finally:
        await world.end()
    return dead
