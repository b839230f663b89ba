"""Secrets that steps print reach no database, timeline, stream or postmortem, wherever the steps run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

import pytest
from engines import ANA, BEN, Plant, World, alert, e, policy
from hands import HANDS
from telling import SECRETS, stored, telling

from tocsin.engine.live import News, Said
from tocsin.incident.state import Incident
from tocsin.procedures.runner import Settings
from tocsin.review.postmortem import as_markdown, postmortem


@pytest.mark.parametrize("where", list(HANDS))
async def test_none_of_them_is_kept_shown_or_told(
    world: World, said: list[MutableMapping[str, Any]], tmp_path_factory: pytest.TempPathFactory, where: str
) -> None:
    book = telling(tmp_path_factory.mktemp("secrets"))
    async with HANDS[where](Settings(timeout=timedelta(seconds=20))) as hands:
        if hands.holdings is not None:
            hands.holdings.add(book)
        plant = Plant(world.store, world.clock, (world.mail,), hands.runner, policy(book))
        shown = await _told(world, plant, said)
        # a runner sends what is said in portions: of a step that ends at once the whole may come first
        assert "[redacted" in shown or hands.holdings is not None
        assert [s for s in SECRETS if s in "".join(hands.told)] == []


async def _heard(plant: Plant, incident: Incident) -> list[News]:
    """What somebody is shown who looks on from the first run's beginning to its end."""
    return [news async for news in plant.desk.follow_run(incident, "1")]


async def _told(world: World, plant: Plant, said: list[MutableMapping[str, Any]]) -> str:
    """What was shown live, once everything has been looked through."""
    await plant.desk.receive([alert()])
    incident = await plant.desk.incident("1")
    viewer = asyncio.create_task(_heard(plant, incident))
    await asyncio.sleep(0)  # it looks on from before the run begins
    await plant.turn()
    heard = await viewer
    await plant.desk.acknowledge("1", ANA, via="web")
    await plant.desk.propose("1", ANA, slug="rollback")
    await plant.desk.approve("1", BEN, approval="1")
    await plant.turn()
    incident = await plant.desk.incident("1")
    assert len(await plant.events(e.StepFinished)) == 5
    assert incident.approvals[0].status == "failed"
    evidence = await plant.desk.evidence_of("1")
    timeline = await plant.desk.timeline("1")
    written = as_markdown(postmortem(incident, timeline, plant.policy.runbook, now=world.clock.now()))
    told = "".join(n.text for n in heard if isinstance(n, Said))
    outputs = json.dumps([(x.stdout, x.stderr, x.reason) for x in evidence])
    everything = [
        stored(world.path),
        outputs,
        told,
        repr(timeline),
        written,
        repr(said),
        repr([m.text for m in world.mail.messages]),
    ]
    assert "[redacted" in outputs
    assert "[redacted" in everything[0]
    assert [s for s in SECRETS for text in everything if s in text] == []
    return told
