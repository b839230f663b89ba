"""What running steps say, shown to everybody who looks on while they run; and the hand that stops them.

In memory only: what a step said is kept as its evidence when it ends. Nothing of this is on the timeline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from msgspec import Struct

T = TypeVar("T")
KEPT = 256 * 1024
"""Characters of a run that a late viewer is still shown; earlier ones are left out."""
BEHIND = 2000
"""Pieces a viewer may lag behind before it is let go."""


class Said(Struct, frozen=True):
    """A piece of a step's output."""

    index: int
    stream: str
    text: str


class StepEnded(Struct, frozen=True):
    """A step ended, and its outcome is on the timeline."""

    index: int
    outcome: str
    reason: str


class RunEnded(Struct, frozen=True):
    """Nothing more is said. `status` is that of the run, or of the approval."""

    status: str


News: TypeAlias = Said | StepEnded | RunEnded


@dataclass
class _Scene:
    """One run under way: what its unfinished steps said so far, who looks on, and how to stop it."""

    said: deque[Said] = field(default_factory=deque)
    size: int = 0
    viewers: set[asyncio.Queue[News | None]] = field(default_factory=set)
    task: asyncio.Task[object] | None = None
    stopped: bool = False


class Live:
    """The runs of this process. `key` is (incident id, run id); a mitigation's run id is `mitigation N`.

    Made and used inside one event loop.
    """

    def __init__(self) -> None:
        self._scenes: dict[tuple[str, str], _Scene] = {}

    # the worker's side

    async def stoppable(self, key: tuple[str, str], work: Awaitable[T]) -> T | None:
        """What the work gives; None when `stop` ended it. Cancelled from outside, it ends the work and raises."""
        scene = self._scenes.setdefault(key, _Scene())
        scene.task = task = asyncio.ensure_future(work)
        try:
            return await task
        except asyncio.CancelledError:
            ours = asyncio.current_task()
            if scene.stopped and ours is not None and not ours.cancelling():
                return None
            raise
        finally:
            scene.task = None

    def say(self, key: tuple[str, str], index: int, stream: str, text: str) -> None:
        """Shows a piece of output."""
        scene = self._scenes.setdefault(key, _Scene())
        piece = Said(index, stream, text)
        scene.said.append(piece)
        scene.size += len(text)
        while scene.size > KEPT:
            scene.size -= len(scene.said.popleft().text)
        self._tell(scene, piece)

    def step_ended(self, key: tuple[str, str], index: int, *, outcome: str, reason: str) -> None:
        """Its output is evidence from now on, and forgotten here."""
        scene = self._scenes.get(key)
        if scene is None:
            return
        scene.said = deque(piece for piece in scene.said if piece.index != index)
        scene.size = sum(len(piece.text) for piece in scene.said)
        self._tell(scene, StepEnded(index, outcome, reason))

    def so_far(self, key: tuple[str, str], index: int) -> tuple[str, str]:
        """(stdout, stderr) that an unfinished step has shown."""
        scene = self._scenes.get(key)
        pieces = [piece for piece in scene.said if piece.index == index] if scene else []
        said = {name: "".join(p.text for p in pieces if p.stream == name) for name in ("stdout", "stderr")}
        return said["stdout"], said["stderr"]

    def ended(self, key: tuple[str, str], status: str) -> None:
        """The run is over for every viewer."""
        scene = self._scenes.pop(key, None)
        if scene is not None:
            self._tell(scene, RunEnded(status))

    def running(self) -> tuple[tuple[str, str], ...]:
        """The keys of what runs in this process and was not stopped."""
        return tuple(key for key, scene in self._scenes.items() if scene.task is not None and not scene.stopped)

    # the desk's side

    def stop(self, key: tuple[str, str]) -> bool:
        """Ends the processes of a run; False when it does not run in this process."""
        scene = self._scenes.get(key)
        if scene is None or scene.task is None:
            return False
        scene.stopped = True
        scene.task.cancel()
        return True

    async def follow(self, key: tuple[str, str]) -> AsyncGenerator[News]:
        """What unfinished steps have said, then what they say, until the run ends or the viewer falls far behind."""
        with self._viewing(key) as queue:
            while (news := await queue.get()) is not None:
                yield news
                if isinstance(news, RunEnded):
                    return

    def close(self) -> None:
        """Lets every viewer go: the server stops."""
        for scene in self._scenes.values():
            for queue in scene.viewers:
                queue.put_nowait(None)

    @contextmanager
    def _viewing(self, key: tuple[str, str]) -> Iterator[asyncio.Queue[News | None]]:
        queue: asyncio.Queue[News | None] = asyncio.Queue()
        scene = self._scenes.setdefault(key, _Scene())
        for piece in scene.said:
            queue.put_nowait(piece)
        scene.viewers.add(queue)
        try:
            yield queue
        finally:
            scene.viewers.discard(queue)
            if self._scenes.get(key) is scene and scene.task is None and not scene.viewers and not scene.said:
                del self._scenes[key]

    def _tell(self, scene: _Scene, news: News) -> None:
        for queue in tuple(scene.viewers):
            if queue.qsize() > BEHIND:
                queue.put_nowait(None)
                scene.viewers.discard(queue)
            else:
                queue.put_nowait(news)
