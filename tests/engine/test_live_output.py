"""What steps say while they run reaches everybody who looks on; a person stops a run, a commander a mitigation."""

from __future__ import annotations

import pytest
from engines import ANA, BEN, EYE, Plant, World, alert, e, until

from tocsin.engine.live import KEPT, Live, RunEnded, Said, StepEnded
from tocsin.incident.errors import CommandError, PermissionRefused, TransitionError
from tocsin.incident.policy import Actor, Role

KEY = ("incident", "1")
CARLA = Actor("Carla", Role.COMMANDER)


async def held(world: World, plant: Plant, title: str) -> None:
    """The engine turns until that step has begun, and hangs in it."""
    world.runner.held.clear()
    await plant.engine.step()

    async def begun() -> bool:
        return title in world.runner.begun

    await until(begun)


async def running(world: World, plant: Plant) -> str:
    """A run of two steps, in the first of them."""
    await plant.desk.receive([alert()])
    await plant.turn()
    _, run = await plant.desk.run_procedure("1", ANA, slug="high-error-rate", steps=[1, 3])
    title = (await plant.desk.incident("1")).runs[-1].steps[0].title
    await held(world, plant, title)
    return run


async def mitigating(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.turn()
    _, approval = await plant.desk.propose("1", ANA, slug="rollback")
    await plant.desk.approve("1", BEN, approval=approval)
    await held(world, plant, "Rollback")


async def test_a_late_viewer_is_shown_what_was_said_and_follows_to_the_end() -> None:
    live = Live()
    live.say(KEY, 1, "stdout", "one")
    early, late = live.follow(KEY), live.follow(KEY)
    assert await anext(early) == Said(1, "stdout", "one")
    live.say(KEY, 2, "stderr", "two")
    assert [await anext(late), await anext(late)] == [Said(1, "stdout", "one"), Said(2, "stderr", "two")]
    live.step_ended(KEY, 1, outcome="ok", reason="")
    live.ended(KEY, "done")
    assert [n async for n in early] == [Said(2, "stderr", "two"), StepEnded(1, "ok", ""), RunEnded("done")]


async def test_what_is_remembered_of_a_run_is_bounded() -> None:
    live = Live()
    for _ in range(100):
        live.say(KEY, 1, "stdout", "x" * 10_000)
    stdout, _ = live.so_far(KEY, 1)
    assert KEPT - 10_000 < len(stdout) <= KEPT


async def test_a_viewer_who_lags_far_behind_is_let_go() -> None:
    live = Live()
    viewer = live.follow(KEY)
    live.say(KEY, 1, "stdout", "x")
    await anext(viewer)
    for _ in range(3000):
        live.say(KEY, 1, "stdout", "x")
    assert len([n async for n in viewer]) < 2100


async def test_a_step_speaks_while_it_runs_and_nothing_of_it_is_on_the_timeline(world: World, plant: Plant) -> None:
    run = await running(world, plant)
    incident = await plant.desk.incident("1")
    before = incident.version
    said = await anext(plant.desk.follow_run(incident, run))
    assert isinstance(said, Said)
    assert said.text.startswith("ran kubectl")
    assert (await plant.desk.incident("1")).version == before


async def test_a_cancelled_run_ends_its_steps_and_keeps_what_they_said(world: World, plant: Plant) -> None:
    run = await running(world, plant)
    incident = await plant.desk.incident("1")
    news = plant.desk.follow_run(incident, run)
    await anext(news)
    await plant.desk.cancel_run("1", BEN, run=run, reason="wrong pod")
    assert [n async for n in news][-1] == RunEnded("cancelled")
    world.runner.held.set()
    await plant.turn()
    found = (await plant.desk.incident("1")).run(run)
    assert found is not None
    assert (found.status, [s.outcome for s in found.steps]) == ("cancelled", ["cancelled", None])
    assert (await plant.desk.evidence(found.steps[0].evidence or "")).stdout.startswith("ran kubectl")
    assert [x.reason for x in await plant.events(e.RunFinished)][-1] == "wrong pod"


async def test_what_has_ended_or_was_never_there_cannot_be_cancelled(world: World, plant: Plant) -> None:
    run = await running(world, plant)
    world.runner.held.set()
    await plant.turn()
    with pytest.raises(TransitionError, match="done already"):
        await plant.desk.cancel_run("1", ANA, run=run)
    with pytest.raises(CommandError):
        await plant.desk.cancel_run("1", ANA, run="77")


async def test_a_commander_stops_a_mitigation_and_its_outcome_is_unknown(world: World, plant: Plant) -> None:
    await mitigating(world, plant)
    await plant.desk.stop_mitigation("1", CARLA, approval="1", reason="wrong cluster")
    world.runner.held.set()
    await plant.turn()
    approval = (await plant.desk.incident("1")).approvals[0]
    assert (approval.status, world.runner.ran.count("Rollback")) == ("unknown", 0)
    assert approval.reason.startswith("stopped by Carla while it ran (wrong cluster)")
    assert len(await plant.events(e.MitigationOutcomeUnknown)) == 1
    kept = [x for x in await plant.desk.evidence_of("1") if x.run == "mitigation 1"]
    assert [x.outcome for x in kept] == ["cancelled"]
    assert approval.evidence == kept[0].id
    settled = await plant.desk.settle("1", BEN, approval="1", outcome="failed", reason="looked")
    assert settled.approvals[0].evidence == kept[0].id


@pytest.mark.parametrize(
    ("who", "reason", "refusal"),
    [(BEN, "why not", PermissionRefused), (EYE, "why not", PermissionRefused), (CARLA, " ", CommandError)],
)
async def test_who_may_not_or_gives_no_reason_stops_no_mitigation(
    world: World, plant: Plant, who: Actor, reason: str, refusal: type[Exception]
) -> None:
    await mitigating(world, plant)
    with pytest.raises(refusal):
        await plant.desk.stop_mitigation("1", who, approval="1", reason=reason)
    assert (await plant.desk.incident("1")).approvals[0].status == "running"


async def test_only_what_runs_is_stopped(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.propose("1", ANA, slug="rollback")
    with pytest.raises(TransitionError, match="reject it"):
        await plant.desk.stop_mitigation("1", CARLA, approval="1", reason="no")
