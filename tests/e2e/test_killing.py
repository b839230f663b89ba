"""Servers killed, frozen and cut off from their database under load, for seconds; `make torture`: a minute."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.killing import on_postgres, on_sqlite
from bench.postgres import ABSENT, cluster, programs

SECONDS, RATE = 9.0, 40.0


@pytest.mark.e2e
@pytest.mark.skipif(programs() is None, reason=ABSENT)
async def test_replicas_killed_frozen_and_cut_off_lose_nothing_and_page_everybody(tmp_path: Path) -> None:
    with cluster(durable=True) as server:
        outcome = await on_postgres(tmp_path, server, seconds=SECONDS, rate=RATE).run()
    assert outcome.sound, outcome.told()


@pytest.mark.e2e
async def test_one_server_killed_again_and_again_loses_nothing_and_pages_everybody(tmp_path: Path) -> None:
    outcome = await on_sqlite(tmp_path, seconds=SECONDS, rate=RATE).run()
    assert outcome.sound, outcome.told()
