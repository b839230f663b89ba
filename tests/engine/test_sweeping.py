"""Settings that changed while incidents were open: every one is timed by the new ones, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from engines import ANA, Plant, World

from tocsin.engine.policies import Policies
from tocsin.engine.sweeping import Sweep


async def opened(plant: Plant, many: int = 3) -> None:
    for n in range(many):
        await plant.desk.declare(ANA, title=f"{n}", severity="SEV1")
    await plant.engine.tick()


def hurried(plant: Plant) -> None:
    """From now on "Immediate" means ten seconds."""
    policy = plant.policy
    now = replace(policy, rules=type(policy.rules)(immediate=timedelta(seconds=10)))
    plant.core.policies = Policies(now, lambda digest: None)


async def dues(plant: Plant) -> set[timedelta | None]:
    """How long after the start the clock looks at each next."""
    now = plant.clock.now()
    seen = await plant.core.read(lambda tx: tx.standing(0, 500))
    return {one.next_due_at - now if one.next_due_at else None for one in seen}


async def test_other_rules_time_every_open_incident_anew(plant: Plant) -> None:
    await opened(plant)
    hurried(plant)
    assert timedelta(seconds=10) not in await dues(plant)
    assert await Sweep(plant.core, "hurried").sweep() == 3
    assert await dues(plant) == {timedelta(seconds=10)}


async def test_a_pass_is_made_once_under_the_same_settings(plant: Plant, world: World) -> None:
    await opened(plant)
    assert await Sweep(plant.core, "same").sweep() == 0
    hurried(plant)
    assert await Sweep(plant.core, "same").sweep() == 0
    assert await Sweep(plant.core, "other").sweep() == 3


async def test_more_than_fit_into_one_go_are_all_timed(plant: Plant) -> None:
    await opened(plant, 230)
    hurried(plant)
    assert await Sweep(plant.core, "hurried").sweep() == 230
    assert await dues(plant) == {timedelta(seconds=10)}


async def test_what_is_over_is_left_alone(plant: Plant) -> None:
    await opened(plant, 1)
    await plant.desk.resolve("1", ANA, reason="over")
    hurried(plant)
    await Sweep(plant.core, "hurried").run()
    assert (await plant.desk.incident("1")).status.over
