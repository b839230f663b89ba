"""Who does the steps: this process, or runners near the cluster. The engine need not know which."""

from __future__ import annotations

import asyncio

from tocsin.config import Settings
from tocsin.engine.core import Core
from tocsin.engine.ports import Clock, Cluster, Runner
from tocsin.evidence.prometheus import Prometheus
from tocsin.incident.events import Noted
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.cluster import KubectlCluster
from tocsin.procedures.remote.adapter import RemoteCluster, RemoteRunner
from tocsin.procedures.remote.dispatch import NOBODY, Dispatch
from tocsin.procedures.remote.wire import Ended, Job

NAME = "runner"
EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
"""How long nobody may be connected before that is called trouble: a runner that starts again is not."""


def dispatching(settings: Settings, core: Core) -> Dispatch | None:
    """Where runners ask for work; None when steps run in this process."""
    if settings.runner.where != "remote":
        return None
    dispatch = Dispatch(wait=settings.runner.wait, lease=settings.runner.lease)

    async def late(job: Job, ended: Ended) -> None:
        """A change whose runner was given up has ended after all: whoever is asked what came of it can read that."""
        report = ended.report
        if report is not None and job.whose:
            said = f"A late result of {job.title}: {report.outcome}: {report.reason}".rstrip(": ")
            await core.append(job.whose, (Noted(said),))

    dispatch.late = late
    return dispatch


def hands(
    settings: Settings, dispatch: Dispatch | None, *, clock: Clock, prometheus: Prometheus | None
) -> tuple[Runner, Cluster]:
    """What runs steps, and what looks where they would act."""
    if dispatch is not None:
        return RemoteRunner(dispatch, clock=clock, prometheus=prometheus), RemoteCluster(dispatch)
    runner = StepRunner.of(settings.procedures, clock=clock, prometheus=prometheus)
    return runner, KubectlCluster(runner.shell)


class RunnerWatch:
    """Says among the troubles that no runner is connected, for as long as none is."""

    def __init__(self, dispatch: Dispatch, troubles: dict[str, str]) -> None:
        self._dispatch = dispatch
        self._troubles = troubles

    async def run(self) -> None:
        away = 0.0
        while True:
            away = 0.0 if self._dispatch.connected() else away + EVERY_SECONDS
            if away > PATIENCE_SECONDS:
                self._troubles[NAME] = f"{NOBODY}. Steps wait and then are not run; paging goes on"
            elif not away:
                self._troubles.pop(NAME, None)
            await asyncio.sleep(EVERY_SECONDS)
