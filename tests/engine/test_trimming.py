"""What is old is cut, of incidents that are over, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from engines import ANA, Plant, World, alert

from tocsin.engine.credentials import API
from tocsin.engine.records import Evidence, Token
from tocsin.engine.trimming import CHUNK, Trimmer, without_output
from tocsin.incident.policy import Role

AGE = timedelta(days=30)


def evidence(world: World, incident: str, id_: str = "one") -> Evidence:
    now = world.clock.now()
    return Evidence(
        id_, incident, "run", 1, "Look", "kubectl get pods", "ok", "", 0, "pod-1 Running", "warned", 3, now, now, "d1",
        "<svg/>",
    )  # fmt: skip


async def over(plant: Plant) -> str:
    """An incident that was resolved."""
    await plant.desk.receive([alert()])
    await plant.turn()
    incident = await plant.desk.resolve("1", ANA, reason="it was nothing")
    await plant.turn()
    return incident.id


async def keep(plant: Plant, *many: Evidence) -> None:
    def put(ledger: object) -> None:
        for one in many:
            ledger.tx.put_evidence(one)  # type: ignore[attr-defined]

    await plant.core.transact(put)


def test_what_is_cut_says_so_and_keeps_what_it_came_to(world: World) -> None:
    cut = without_output(evidence(world, "1"), AGE)
    assert (cut.stdout, cut.stderr, cut.chart, cut.outcome, cut.digest) == ("", "", "", "ok", "d1")
    assert (cut.reason, cut.cut_bytes) == ("its output was removed after 30 days", 22)


@pytest.mark.parametrize(("days", "left"), [(30, "pod-1 Running"), (30.1, "")])
async def test_output_is_removed_once_it_is_old(world: World, plant: Plant, days: float, left: str) -> None:
    incident = await over(plant)
    await keep(plant, evidence(world, incident))
    told = await plant.desk.timeline("1")
    world.clock.move(days=days)
    await Trimmer(plant.core, evidence=AGE, work=None).trim(breath=0)
    assert [e.stdout for e in await plant.desk.evidence_of(incident) if e.id == "one"] == [left]
    assert await plant.desk.timeline("1") == told


async def test_an_open_incident_keeps_everything(world: World, plant: Plant) -> None:
    await plant.desk.receive([alert()])
    await plant.turn()
    incident = (await plant.desk.incident("1")).id
    await keep(plant, evidence(world, incident))
    before = await plant.core.read(lambda tx: tx.work_counts())
    world.clock.move(days=100)
    await Trimmer(plant.core, evidence=AGE, work=AGE).trim(breath=0)
    assert "pod-1 Running" in [e.stdout for e in await plant.desk.evidence_of(incident)]
    assert await plant.core.read(lambda tx: tx.work_counts()) == before


async def test_every_chunk_is_gone_through(world: World, plant: Plant) -> None:
    incident = await over(plant)
    await keep(plant, *(evidence(world, incident, f"{n:05}") for n in range(CHUNK + 5)))
    world.clock.move(days=31)
    await Trimmer(plant.core, evidence=AGE, work=AGE).trim(breath=0)
    assert not any(e.stdout or e.stderr for e in await plant.desk.evidence_of(incident))
    assert plant.core.meters.trimmed.of("evidence") >= CHUNK + 5


async def test_finished_work_is_forgotten_and_what_waits_is_not(world: World, plant: Plant) -> None:
    await over(plant)
    assert (await plant.core.read(lambda tx: tx.work_counts())).keys() == {"done"}
    world.clock.move(days=31)
    await Trimmer(plant.core, evidence=None, work=AGE).trim(breath=0)
    assert await plant.core.read(lambda tx: tx.work_counts()) == {}
    assert plant.core.meters.trimmed.of("work") > 0


async def test_without_ages_everything_is_kept(world: World, plant: Plant) -> None:
    incident = await over(plant)
    await keep(plant, evidence(world, incident))
    world.clock.move(days=3000)
    await Trimmer(plant.core, evidence=None, work=None).trim(breath=0)
    assert (await plant.desk.evidence_of(incident))[-1].stdout
    assert await plant.core.read(lambda tx: tx.work_counts()) != {}


async def test_credentials_that_expired_a_day_ago_go(world: World, plant: Plant) -> None:
    now = world.clock.now()
    lasts = {"forever": None, "gone": now, "fresh": now + timedelta(days=1)}

    def put(ledger: object) -> None:
        for name, until in lasts.items():
            ledger.tx.put_token(Token(name, name, Role.VIEWER, API, now, until))  # type: ignore[attr-defined]

    await plant.core.transact(put)
    world.clock.move(days=1, seconds=1)
    await Trimmer(plant.core, evidence=None, work=None).trim()
    left = await plant.core.read(lambda tx: tx.all_tokens())
    assert {token.name for token in left} == {"forever", "fresh"}
