"""The lines of a workload's pods, whichever those are at the time: `kubectl logs -f` of each. Refuses to read meaning.

`kubectl logs -f deployment/NAME` follows the one pod it finds first and ends with it; a rollout would go unseen. So the
pods are asked for again and again, and each is followed by itself: what was there at the start from now on, what came
later from its first line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.signals.errors import SourceError
from tocsin.signals.lines import POLL, CommandLines, said_by

REFRESH = timedelta(seconds=10)
PATIENCE = timedelta(seconds=15)
MOST_PODS = 50
MOST_WAITING = 1000
"""Batches of lines that wait to be looked at; then the pods' output waits in its pipes."""
COMPLAINT_LIMIT = 300


class WorkloadLines:
    """The lines of every container of `deployment/NAME`, `statefulset/NAME`, `daemonset/NAME`, `job/NAME`, `pod/NAME`.

    With `mark` each line carries its pod and container before it, as `kubectl logs --prefix` writes it. `environment`
    is added to ours (KUBECONFIG).
    """

    def __init__(
        self,
        workload: str,
        *,
        namespace: str = "",
        mark: bool = False,
        environment: Mapping[str, str] | None = None,
        refresh: timedelta = REFRESH,
        first_restart: timedelta = timedelta(seconds=1),
    ) -> None:
        self._workload = workload
        self._scope = ("-n", namespace) if namespace else ()
        self._mark = mark
        self._environment = dict(environment or {})
        self._refresh = refresh.total_seconds()
        self._first_restart = first_restart
        self._next_look = 0.0
        self._known: frozenset[str] | None = None
        self._following: dict[str, asyncio.Task[None]] = {}
        self._waiting: asyncio.Queue[list[str]] = asyncio.Queue(MOST_WAITING)

    async def more(self) -> list[str]:
        """The lines since the last call; raises SourceError when the pods cannot be listed, or there are none."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_look:
            self._next_look = loop.time() + self._refresh
            await self._look()
        try:
            async with asyncio.timeout(POLL.total_seconds()):
                found = await self._waiting.get()
        except TimeoutError:
            return []
        while not self._waiting.empty() and len(found) < MOST_WAITING:
            found += self._waiting.get_nowait()
        return found

    async def close(self) -> None:
        following, self._following = list(self._following.values()), {}
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    async def _look(self) -> None:
        """Follows the pods that are there now, and those no more that are gone."""
        pods = await self._pods()
        if not pods:
            raise SourceError(f"{self._workload} has no pods now")
        for gone in self._following.keys() - set(pods):
            self._following.pop(gone).cancel()
        for pod in pods[:MOST_PODS]:
            if pod not in self._following:
                from_now = self._known is None or pod in self._known
                self._following[pod] = asyncio.create_task(self._follow(pod, from_now=from_now))
        self._known = frozenset(pods)

    async def _follow(self, pod: str, *, from_now: bool) -> None:
        since = _now() if from_now else ""

        def command() -> list[str]:
            """Started again it goes on from where it ended, to the second."""
            nonlocal since
            began, since = since, _now()
            options = ["--all-containers", *(["--prefix"] if self._mark else [])]
            options += [f"--since-time={began}"] if began else []
            return ["kubectl", "logs", "-f", pod, *self._scope, *options]

        lines = CommandLines(command, first_restart=self._first_restart, environment=self._environment)
        try:
            while True:
                with suppress(SourceError):  # a container that has not begun yet, or has ended: it is asked again
                    found = await lines.more()
                    if found:
                        since = _now()
                        await self._waiting.put(found)
        finally:
            await lines.close()

    async def _pods(self) -> list[str]:
        """`pod/NAME` of each, in the order of their names."""
        if self._workload.startswith(("pod/", "pods/", "po/")):
            return [self._workload]
        owner = _json(await self._ask("get", self._workload, "-o", "json"))
        labels = _labels(owner)
        if not labels:
            raise SourceError(f"{self._workload} selects no pods by their labels")
        listed = await self._ask("get", "pods", "-l", ",".join(f"{k}={v}" for k, v in labels.items()), "-o", "name")
        return sorted(line.strip() for line in listed.splitlines() if line.startswith("pod/"))

    async def _ask(self, *words: str) -> str:
        """What kubectl prints; raises SourceError with its complaint."""
        command = ("kubectl", *words, *self._scope)
        try:
            status, printed, complaint = await said_by(command, self._environment, PATIENCE)
        except TimeoutError as exc:
            raise SourceError(f"kubectl {words[0]} gave no answer within {PATIENCE.total_seconds():g} s") from exc
        except OSError as exc:
            raise SourceError(f"cannot start kubectl: {exc.strerror or exc}") from exc
        if status:
            raise SourceError(f"{self._workload}: {complaint}"[:COMPLAINT_LIMIT])
        return printed


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise SourceError("kubectl get gave no JSON") from exc
    return found if isinstance(found, dict) else {}


def _labels(owner: Mapping[str, Any]) -> dict[str, str]:
    selector = (owner.get("spec") or {}).get("selector") or {}
    found = selector.get("matchLabels") or {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
