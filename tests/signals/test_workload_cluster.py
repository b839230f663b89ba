"""A workload's logs by the real kubectl, against the practice cluster, through a rollout."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from clusters import lab_cluster

from tocsin.lab.production import Production
from tocsin.signals.errors import SourceError
from tocsin.signals.lines import unmarked
from tocsin.signals.workload import WorkloadLines

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is absent")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with lab_cluster(tmp_path_factory.mktemp("logs")) as running:
        yield running


def following(production: Production, workload: str) -> WorkloadLines:
    environment = {
        "KUBECONFIG": str(production.kubeconfig),
        "PATH": f"{Path(str(KUBECTL)).parent}:{os.environ['PATH']}",
    }
    return WorkloadLines(
        workload, namespace=production.namespace, mark=True, environment=environment, refresh=timedelta(seconds=0.5)
    )


async def heard_from(lines: WorkloadLines, wanted: set[str]) -> None:
    """Returns once each of these pods has said something."""
    heard: set[str] = set()
    async with asyncio.timeout(60):
        while not wanted <= heard:
            for line in await lines.more():
                stream, text = unmarked(line)
                assert text
                heard.add(stream.split("/")[1])


def pods(production: Production) -> set[str]:
    return {
        pod["metadata"]["name"] for pod in production.pods("backend") if not pod["metadata"].get("deletionTimestamp")
    }


async def test_the_pods_before_and_after_a_rollout_are_heard(production: Production) -> None:
    lines = following(production, "deployment/backend")
    before = pods(production)
    await heard_from(lines, before)
    await asyncio.to_thread(production.restart, "backend")
    await asyncio.to_thread(
        production.until, lambda: len(pods(production)) >= len(before) and not pods(production) & before,
        seconds=60, what="a rollout",
    )  # fmt: skip
    await heard_from(lines, pods(production))
    await lines.close()


async def test_a_workload_that_is_not_there_is_told_in_the_clusters_words(production: Production) -> None:
    lines = following(production, "deployment/nothing")
    with pytest.raises(SourceError, match=r'deployments.apps "nothing" not found'):
        await lines.more()
    await lines.close()
