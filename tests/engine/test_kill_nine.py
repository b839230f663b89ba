"""A real process, killed with -9 at random moments and started again, until its story is over."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from engines import e

from tocsin.incident.fold import fold
from tocsin.incident.state import Status
from tocsin.store.database import Store

SCRIPT = Path(__file__).with_name("killable.py")
ENOUGH = 60.0
KILLS = 5


async def started(folder: Path) -> asyncio.subprocess.Process:
    paths = os.pathsep.join(str(SCRIPT.parents[n] / place) for n, place in ((1, "fixtures"), (2, "src")))
    command = (sys.executable, str(SCRIPT), str(folder / "tocsin.db"), str(folder / "log"))
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | {"PYTHONPATH": paths}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), ENOUGH) == b"ready\n"
    return process


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_story_killed_again_and_again_ends_with_nothing_lost_or_done_twice(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(KILLS):
        process = await started(tmp_path)
        await asyncio.sleep(chance.uniform(0, 0.4))
        if process.returncode is None:
            process.kill()
        await process.communicate()
    process = await started(tmp_path)
    await asyncio.wait_for(process.communicate(), ENOUGH)
    assert process.returncode == 0
    check(tmp_path)


def check(folder: Path) -> None:
    with closing(Store(f"sqlite:///{folder / 'tocsin.db'}")) as store:
        incidents, counts = store.read(lambda tx: (tx.incidents(), tx.work_counts()))
        timeline = store.read(lambda tx: tx.timeline(incidents[0].id))
    happened = [x.event for x in timeline]
    lines = [line.split(" ", 1) for line in (folder / "log").read_text().splitlines()]
    assert [i.status for i in incidents] == [Status.RESOLVED]
    assert fold(incidents[0].id, 1, timeline) == incidents[0]
    assert counts.keys() == {"done"}
    assert Counter(x.fingerprint for x in happened if isinstance(x, e.AlertFired)) == {"Backend5xxRateHigh/backend/": 1}
    pages([rest for what, rest in lines if what == "sent"])
    mitigation(Counter((what, rest) for what, rest in lines if rest == "Rollback"), happened)


def pages(sent: list[str]) -> None:
    """Each of the three pages reached its person on both channels; whatever came twice was marked."""
    said = [line.split(" ", 2) for line in sent]
    assert max(Counter(key for _, duplicate, key in said if duplicate == "0").values()) == 1
    keys = {key.split(":", 1)[1] for kind, _, key in said if kind == "page"}
    people = {"opened:ana", "rung:0:On-call:ana", "rung:0:DevOps Lead:dana"}
    assert keys == {f"{page}:{channel}" for page in people for channel in ("email", "webhook")}


def mitigation(rollback: Counter[tuple[str, str]], happened: list[e.Event]) -> None:
    """Run at most once; what was begun and not known to have ended was said to be unknown."""
    unknown = [x for x in happened if isinstance(x, e.MitigationOutcomeUnknown)]
    assert rollback["begun", "Rollback"] <= 1
    assert rollback["ended", "Rollback"] == 1 or len(unknown) == 1
    assert len([x for x in happened if isinstance(x, e.MitigationStarted)]) == 1
