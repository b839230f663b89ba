"""Where steps run, as the settings say: in this process, or by runners that the house watches for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from engines import ANA, Plant, World, e

from tocsin.bootstrap import hands
from tocsin.config import Settings, SettingsError, load
from tocsin.engine.fakes import VirtualClock
from tocsin.engine.ports import StepReport
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.cluster import KubectlCluster
from tocsin.procedures.remote.adapter import RemoteCluster, RemoteRunner
from tocsin.procedures.remote.wire import Ended, Job, Poll, What

REPORT = StepReport(1, "Rollback", "ok", "rolled back", 0, "", "", 0, datetime.now(UTC), datetime.now(UTC), "")


@pytest_asyncio.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    world = World(tmp_path / "tocsin.db")
    yield world.start()
    await world.end()


def settings(folder: Path, more: str = "") -> Settings:
    path = folder / "tocsin.toml"
    path.write_text(f'[people.ana]\nname = "Ana"\n[roles]\n"*" = "ana"\n{more}')
    return load(path, environ={})


async def test_steps_run_here_unless_told_otherwise(plant: Plant, tmp_path: Path) -> None:
    found = settings(tmp_path)
    dispatch = hands.dispatching(found, plant.core)
    assert dispatch is None
    runner, cluster = hands.hands(found, dispatch, clock=VirtualClock(), prometheus=None)
    assert isinstance(runner, StepRunner)
    assert isinstance(cluster, KubectlCluster)


async def test_a_runner_near_the_cluster_does_them_where_the_settings_say_so(plant: Plant, tmp_path: Path) -> None:
    found = settings(tmp_path, '[runner]\nwhere = "remote"\nlease = "7s"\n')
    dispatch = hands.dispatching(found, plant.core)
    assert dispatch is not None
    assert (dispatch.wait, dispatch.lease) == (30, 7)
    runner, cluster = hands.hands(found, dispatch, clock=VirtualClock(), prometheus=None)
    assert isinstance(runner, RemoteRunner)
    assert isinstance(cluster, RemoteCluster)


async def test_a_late_result_is_noted_in_the_room(plant: Plant, tmp_path: Path) -> None:
    dispatch = hands.dispatching(settings(tmp_path, '[runner]\nwhere = "remote"\n'), plant.core)
    assert dispatch is not None
    assert dispatch.late is not None
    incident = await plant.desk.declare(ANA, title="Checkout is down", severity="SEV1")
    await dispatch.late(Job("1", What.RUN, "", "Rollback", whose=incident.id), Ended("s", "1", report=REPORT))
    assert [x.text for x in await plant.events(e.Noted)] == ["A late result of Rollback: ok: rolled back"]


async def test_nobody_connected_is_trouble_after_a_while_and_over_at_once(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(hands, "PATIENCE_SECONDS", 0.03)
    dispatch = hands.dispatching(settings(tmp_path, '[runner]\nwhere = "remote"\n'), plant.core)
    assert dispatch is not None
    troubles: dict[str, str] = {}
    watching = asyncio.ensure_future(hands.RunnerWatch(dispatch, troubles).run())
    await asyncio.sleep(0.3)
    assert troubles["runner"].startswith("no runner is connected")
    await dispatch.poll("near", Poll("s", 1))
    await asyncio.sleep(0.1)
    assert troubles == {}
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize("wrong", ['where = "elsewhere"', 'lease = "4s"', 'wait = "0s"'])
def test_settings_that_cannot_work_are_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"\[runner\] (where|lease|wait)"):
        settings(tmp_path, f"[runner]\n{wrong}\n")
