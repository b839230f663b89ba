"""What a container is given at its start, and how it learns what strikes it while it runs."""

import json
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import NamedTuple, TypedDict

from tocsin.lab import lifeline
from tocsin.lab.apps.output import Log
from tocsin.lab.world import Watched, endpoints_file, world_file


class Given(TypedDict):
    """The one argument of a pod's program, as JSON. `descriptor` is its listening socket on loopback."""

    app: str
    pod: str
    state_dir: str
    log: str
    descriptor: int
    traits: dict[str, object]
    env: dict[str, str]


class Container(NamedTuple):
    """A running container's surroundings."""

    given: Given
    log: Log
    world: Watched
    endpoints: Watched
    ended: threading.Event

    @property
    def app(self) -> str:
        """The name of the workload."""
        return self.given["app"]

    def trait(self, name: str, default: float = 0.0) -> float:
        """A trait as a number: what strikes the app just now, else its environment's (`NAME`), else its image's."""
        found = self._trait(name)
        return default if found is None else float(found)

    def word(self, name: str, default: str = "") -> str:
        """A trait as a text."""
        found = self._trait(name)
        return default if found is None else str(found)

    def _trait(self, name: str) -> str | float | None:
        faults = self.world.read().get("faults")
        mine = faults.get(self.app, {}) if isinstance(faults, dict) else {}
        only = mine.get("pods")
        if name in mine and (only is None or self.given["pod"] in only):
            struck: str | float = mine[name]
            return struck
        if name.upper() in self.given["env"]:
            return self.given["env"][name.upper()]
        own = self.given["traits"].get(name)
        return own if isinstance(own, str | int | float) else None

    def ports_of(self, service: str) -> list[int]:
        """The loopback ports behind a service of the cluster; none while nothing is ready."""
        found = self.endpoints.read().get(service)
        return [port for port in found if isinstance(port, int)] if isinstance(found, list) else []


def enter(argument: str) -> Container:
    """Take what the kubelet gave; from now on the process ends with its parent, and TERM sets `ended`."""
    given: Given = json.loads(argument)
    lifeline.hold()
    ended = threading.Event()

    def _terminate(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, _terminate)
    state_dir = Path(given["state_dir"])
    log = Log(Path(given["log"]), given["app"])
    return Container(given, log, Watched(world_file(state_dir)), Watched(endpoints_file(state_dir)), ended)
