"""What the practice world is like just now: images that can be pulled, faults that strike, how many users come.

One JSON file that the owner of the lab writes and every process of it reads again when it has changed. Only light
modules are imported: the pods' processes must start fast.
"""

import json
import os
from pathlib import Path
from typing import TypedDict


class Image(TypedDict):
    """A build: the program it runs, its traits, and the digest that tells it from others under the same tag."""

    digest: str
    program: str
    traits: dict[str, object]


class World(TypedDict):
    """Everything: `images` by reference, `faults` by the app they strike (traits that replace its own), `load` in
    requests a second."""

    images: dict[str, Image]
    faults: dict[str, dict[str, object]]
    load: float


def world_file(state_dir: Path) -> Path:
    """Where it lies."""
    return state_dir / "world.json"


def endpoints_file(state_dir: Path) -> Path:
    """Where the loopback ports of each service's ready pods are listed, as its DNS and balancer would."""
    return state_dir / "endpoints.json"


def write(path: Path, value: object) -> None:
    """Replace a JSON file in one move, so that a reader sees the old text or the new one, never half."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(json.dumps(value), encoding="utf-8")
    os.replace(fresh, path)


class Watched:
    """A JSON file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = (0, 0)
        self._value: dict[str, object] = {}

    def read(self) -> dict[str, object]:
        """Its value now; the last one known while it cannot be read, an empty one before it is there."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_ino)
            if seen != self._seen:
                self._value = json.loads(self._path.read_bytes())
                self._seen = seen
        except (OSError, ValueError):
            return self._value
        return self._value
