"""A runner near the cluster put together: its own documents, what runs their steps, its ways to the servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from tocsin.bootstrap.edition import read_runbook
from tocsin.bootstrap.house import SystemClock
from tocsin.config import Settings, SettingsError
from tocsin.evidence.prometheus import Prometheus
from tocsin.neighbours import linked_documents, named_files
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.cluster import KubectlCluster
from tocsin.procedures.orphans import end_orphans
from tocsin.procedures.remote.holdings import Holdings
from tocsin.procedures.remote.link import Link
from tocsin.procedures.remote.near import NearRunner
from tocsin.runbook.model import Runbook

Say = Callable[[str], None]
EVERY_SECONDS = 1.0


class Copies:
    """The runner's own files, followed: a good edit is taken in beside what it held, a broken one is said."""

    def __init__(self, paths: Sequence[Path], say: Say) -> None:
        self.holdings = Holdings()
        self.runbooks: list[Runbook] = []
        self._say = say
        self._stamps: dict[Path, tuple[object, ...]] = {}
        self._followed: dict[Path, tuple[Path, ...]] = {}
        for path in paths:
            self.runbooks.append(self._take(path))

    async def follow(self) -> None:
        """Reads each file again when it, or a document that it names, has changed and lay still for a turn."""
        seen = {path: self._stamp(path) for path in self._followed}
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            for path in self._followed:
                before, seen[path] = seen[path], self._stamp(path)
                if seen[path] == before != self._stamps[path]:
                    try:
                        self._take(path)
                    except SettingsError as exc:
                        self._stamps[path] = before
                        self._say(f"{path} is not taken in, what it said before holds: {exc.problems[0]}")

    def _take(self, path: Path) -> Runbook:
        """Raises SettingsError when nothing can be run from the file."""
        own = _stat(path)
        reading, text = read_runbook(path)
        linked = [document for document, _ in linked_documents(reading, text, path)]
        self.holdings.add(reading.runbook, linked)
        self._followed[path] = tuple(named_files(reading, text, path).values())
        self._stamps[path] = (own, *self._stamp(path)[1:])
        steps = sum(len(p.steps) for document in (reading.runbook, *linked) for p in document.procedures)
        beside = f" with {len(linked)} linked documents" if linked else ""
        self._say(f"has {path}{beside}: {steps} steps, edition {reading.runbook.digest[:8]}")
        return reading.runbook

    def _stamp(self, path: Path) -> tuple[object, ...]:
        """What changes when one of the files does."""
        return tuple(_stat(one) for one in (path, *self._followed.get(path, ())))


async def work(settings: Settings, copies: Copies, links: Sequence[Link], *, say: Say) -> None:
    """Works for every server until cancelled. Raises NotLetIn once one of them does not take the token."""
    await asyncio.to_thread(end_orphans)
    async with httpx.AsyncClient() as client:
        asked = settings.sources.prometheus
        prometheus = Prometheus(asked.url, client) if asked else None
        steps = StepRunner.of(settings.procedures, clock=SystemClock(), prometheus=prometheus)
        cluster = KubectlCluster(steps.shell)
        runners = [NearRunner(link, copies.holdings, steps, cluster, say=say) for link in links]
        jobs = [asyncio.ensure_future(job) for job in (copies.follow(), *(runner.run() for runner in runners))]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in jobs:
                one.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
