"""A folder for a practice production, gone with its process; what a killed one left is cleared away by the next."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "in-use.lock"
_PREFIX = "tocsin-practice-"


@contextmanager
def throwaway() -> Iterator[Path]:
    """An empty folder, deleted afterwards."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        making = folder / f"{_LOCK}.new"
        with making.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            making.rename(folder / _LOCK)  # under this name only once it is locked: nobody takes it for left behind
            yield folder


def sweep() -> None:
    """Delete the folders of processes that were killed: nobody holds their locks. Others' are left alone."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with lock.open("r+") as found:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # in use, gone meanwhile, or somebody else's
