"""Procedures, verification and mitigations: steps as evidence, watching over the window, changes at most once."""

from __future__ import annotations

from engines import ANA, BEN, Plant, World, alert, e, until
from msgspec.structs import replace

from tocsin.engine.fakes import ScriptedRunner
from tocsin.engine.ports import StepReport
from tocsin.incident.state import Status
from tocsin.runbook.model import Step

HEALTH = "Ask the service for its health"
WATCH = "Monitor for 15-30 minutes"


class Broken(ScriptedRunner):
    """Breaks instead of running."""

    async def run(self, *steps: object, **how: object) -> None:
        raise OSError("fork: resource temporarily unavailable")


class Stumbling(ScriptedRunner):
    """Finds the watched service unhealthy so many times, then well."""

    stumbles = 0

    def _report(self, index: int, step: Step) -> StepReport:
        report = super()._report(index, step)
        if step.title != WATCH or not self.stumbles:
            return report
        self.stumbles -= 1
        return replace(report, outcome="unhealthy", reason="a pod is not ready")


async def verifying(plant: Plant) -> None:
    """An owned incident whose alerts stopped; its verification is in hand."""
    await plant.desk.receive([alert()])
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.turn()
    await plant.desk.receive([alert("resolved", ended=1)])
    await plant.turn()
    await plant.looked_at_all()


async def verdict(plant: Plant) -> str:
    v = (await plant.desk.incident("1")).verification
    return v.status if v else ""


async def looks(world: World, times: int) -> None:
    """Waits for that many more looks of the watching step."""
    wanted = world.runner.ran.count(WATCH) + times

    async def enough() -> bool:
        return world.runner.ran.count(WATCH) >= wanted

    await until(enough)


async def test_a_procedure_leaves_each_step_with_its_evidence(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    _, run = await plant.desk.run_procedure("1", ANA, slug="high-error-rate", steps=[1, 3])
    await plant.turn()
    found = (await plant.desk.incident("1")).run(run)
    assert found is not None
    assert [(s.index, s.outcome, s.evidence is not None) for s in found.steps] == [(1, "ok", True), (3, "ok", True)]
    assert found.status == "done"


async def test_a_failed_step_makes_a_failed_run(world: World, plant: Plant) -> None:
    world.runner.outcomes["Count connections"] = "timed_out"
    await plant.desk.receive([alert()])
    await plant.desk.run_procedure("1", ANA, slug="database-issues")
    await plant.turn()
    assert (await plant.desk.incident("1")).runs[-1].status == "failed"


async def test_an_assessment_cut_off_runs_only_what_is_missing(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    world.runner.held.clear()
    await plant.engine.step()
    await until(lambda: _began(world))
    first = world.runner.begun[0]
    plant = await world.restart()
    assert (await plant.desk.incident("1")).runs[0].status == "running"
    world.runner.held.set()
    await plant.turn()
    assert world.runner.ran.count(first) == 1
    assert len(world.runner.ran) == len(set(world.runner.ran)) == 6


async def test_steps_done_before_a_restart_are_not_done_again(world: World, plant: Plant) -> None:
    """The third step hangs when the process dies; the next process begins with it."""
    await plant.desk.receive([alert()])
    incident = await plant.desk.incident("1")
    done = [
        e.StepFinished(run="1", index=s.index, title=s.title, outcome="ok", reason="")
        for s in incident.runs[0].steps[:2]
    ]
    await plant.core.append(incident.id, done)
    plant = await world.restart()
    await plant.turn()
    assert world.runner.ran == [s.title for s in incident.runs[0].steps[2:]]


async def test_a_run_that_breaks_each_time_ends_as_failed(world: World) -> None:
    plant = Plant(world.store, world.clock, (world.mail,), Broken(world.clock), world.policy)
    await plant.desk.receive([alert()])
    for _ in range(7):
        await plant.turn()
        world.clock.move(seconds=6)
    assert (await plant.desk.incident("1")).runs[0].status == "failed"
    assert [m.kind for m in world.mail.messages if m.kind == "page"] == ["page"]


async def test_the_verification_polls_and_writes_down_only_what_changes(world: World, plant: Plant) -> None:
    await verifying(plant)
    await looks(world, 3)
    finished = [x for x in await plant.events(e.StepFinished) if x.title == WATCH]
    assert len(finished) == 1
    assert world.runner.ran.count(HEALTH) == 2  # the assessment's and the verification's own, once each
    assert await verdict(plant) == "watching"


async def test_the_verification_passes_at_the_windows_end_and_not_before(world: World, plant: Plant) -> None:
    await verifying(plant)
    world.clock.move(minutes=29, seconds=59)
    await plant.turn()
    assert await verdict(plant) == "watching"
    world.clock.move(seconds=1)
    await plant.turn()
    assert await verdict(plant) == "passed"
    assert (await plant.desk.incident("1")).runs[-1].status == "done"


async def test_one_bad_look_is_forgiven(world: World) -> None:
    world.runner = runner = Stumbling(world.clock)
    plant = world.start()
    await verifying(plant)
    for _ in range(3):
        runner.stumbles = 1
        await looks(world, 3)
    world.clock.move(minutes=30)
    await plant.turn()
    assert await verdict(plant) == "passed"
    assert "unhealthy" in [x.outcome for x in await plant.events(e.StepFinished)]


async def test_two_bad_looks_in_a_row_take_it_back(world: World, plant: Plant) -> None:
    await verifying(plant)
    world.runner.outcomes[WATCH] = "unhealthy"
    await until(lambda: _is(plant, "failed"))
    incident = await plant.desk.incident("1")
    assert (incident.status, incident.mitigated_at) == (Status.MITIGATING, None)
    assert [x.reason for x in await plant.events(e.VerificationFailed)] == [f"{WATCH}: as told: unhealthy"]
    await plant.turn()
    assert [m.subject for m in world.mail.messages if m.subject.startswith("Not over")] != []


async def test_a_restart_in_the_window_goes_on_watching(world: World, plant: Plant) -> None:
    await verifying(plant)
    world.clock.move(minutes=10)
    plant = await world.restart()
    await plant.turn()
    await looks(world, 2)
    assert len([x for x in await plant.events(e.StepFinished) if x.title == WATCH]) == 1
    world.clock.move(minutes=20)
    await plant.turn()
    assert await verdict(plant) == "passed"


async def test_an_alert_that_fires_again_ends_the_watching(world: World, plant: Plant) -> None:
    await verifying(plant)
    world.clock.move(minutes=5)
    await plant.desk.receive([alert(started=5)])
    await plant.turn()
    assert await verdict(plant) == "failed"
    assert plant.engine.in_hand == ()
    assert (await plant.desk.incident("1")).runs[-1].status == "done"


async def approved(plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.turn()
    _, approval = await plant.desk.propose("1", ANA, slug="rollback")
    await plant.desk.approve("1", BEN, approval=approval)


async def test_an_approved_mitigation_runs_once_with_its_evidence(world: World, plant: Plant) -> None:
    await approved(plant)
    await plant.turn()
    approval = (await plant.desk.incident("1")).approvals[0]
    assert (approval.status, world.runner.ran.count("Rollback")) == ("done", 1)
    kept = await plant.desk.evidence(approval.evidence or "")
    assert kept.command == "kubectl rollout undo deployment/backend -n production"


async def test_a_mitigation_stopped_half_way_is_unknown_and_never_run_again(world: World, plant: Plant) -> None:
    await approved(plant)
    world.runner.held.clear()
    await plant.engine.step()
    await until(lambda: _begun(world))
    plant = await world.restart()
    world.runner.held.set()
    await plant.turn()
    approval = (await plant.desk.incident("1")).approvals[0]
    assert (approval.status, world.runner.begun.count("Rollback")) == ("unknown", 1)
    assert "look whether it took effect" in approval.reason
    assert any("outcome unknown" in m.text for m in world.hook.messages if m.kind == "post")


async def test_a_mitigation_whose_runner_breaks_is_unknown(world: World) -> None:
    plant = Plant(world.store, world.clock, (world.mail,), Broken(world.clock), world.policy)
    await approved(plant)
    for _ in range(3):
        await plant.turn()
        world.clock.move(seconds=6)
    assert (await plant.desk.incident("1")).approvals[0].status == "unknown"


async def test_a_mitigation_that_timed_out_is_unknown_and_a_person_settles_it(world: World, plant: Plant) -> None:
    world.runner.outcomes["Rollback"] = "timed_out"
    await approved(plant)
    await plant.turn()
    assert (await plant.desk.incident("1")).approvals[0].status == "unknown"
    incident = await plant.desk.settle("1", BEN, approval="1", outcome="done", reason="pods are new")
    assert (incident.approvals[0].status, incident.approvals[0].reason) == ("done", "settled by Ben: pods are new")


async def test_a_mitigation_approved_before_a_long_outage_is_not_run_after_it(world: World, plant: Plant) -> None:
    await approved(plant)
    world.clock.move(hours=2)
    plant = await world.restart()
    await plant.turn()
    assert "Rollback" not in world.runner.begun
    assert (await plant.desk.incident("1")).approvals[0].status == "expired"


async def test_runs_that_wait_keep_no_mitigation_waiting(world: World, plant: Plant) -> None:
    await approved(plant)
    for _ in range(70):
        await plant.desk.run_procedure("1", ANA, slug="database-issues")
    world.runner.held.clear()
    await plant.engine.step()
    await until(lambda: _begun(world))


async def _began(world: World) -> bool:
    return bool(world.runner.begun)


async def _begun(world: World) -> bool:
    return "Rollback" in world.runner.begun


async def _is(plant: Plant, status: str) -> bool:
    return await verdict(plant) == status
