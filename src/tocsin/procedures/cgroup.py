"""A control group around each step, where Linux lets us make one: nothing that the step started can leave it.

Version 2 where our own group is ours to divide (root, or systemd's `Delegate=yes`), version 1's `pids` where it can be
written. Elsewhere there is none, and a step is known by its session and its mark alone. See cgroups(7).
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "tocsin-step-"
ROUNDS = 200
PAUSE = 0.005
_KINDS = {"cgroup2": "", "cgroup": "pids"}


class Group:
    """One step's own group, made empty; `entering` is what its shell says first, `end` leaves nothing in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.limited = False
        self.entering = f"{{ echo $$ >{shlex.quote(str(folder / 'cgroup.procs'))}; }} 2>/dev/null"

    def limit(self, most: int) -> None:
        """Has the kernel refuse more than so many processes from now on, where it can; `limited` says whether."""
        try:
            (self._folder / "pids.max").write_text(str(most))
        except OSError:
            return
        self.limited = True

    def count(self) -> int:
        """How many processes are in it now."""
        return len(self._members())

    def end(self) -> int:
        """Kills what is left in it and takes the group away; how many processes were left. Blocks for moments."""
        ended = len(self._members())
        for _ in range(ROUNDS):
            if not self._kill():
                break
            time.sleep(PAUSE)
        with suppress(OSError):  # a process that the kernel has not let go of yet: the group is empty, and stays so
            self._folder.rmdir()
        return ended

    def _kill(self) -> bool:
        """One round; False when nobody was left."""
        members = self._members()
        if members:
            self.limit(0)  # what forks faster than it is killed cannot any more
            try:
                (self._folder / "cgroup.kill").write_text("1")
            except OSError:
                for pid in members:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
        return bool(members)

    def _members(self) -> list[int]:
        try:
            found = [int(pid) for pid in (self._folder / "cgroup.procs").read_text().split()]
        except (OSError, ValueError):
            return []
        return [pid for pid in found if pid > 0]  # 0 is a process that our PID namespace does not have


def make(base: Path | None, mark: str, *, most: int) -> Group | None:
    """A group of that name below `base`, for at most so many processes; None where there can be none."""
    if base is None:
        return None
    folder = base / f"{PREFIX}{_namespace()}-{mark}"
    try:
        folder.mkdir()
    except OSError:
        return None
    group = Group(folder)
    group.limit(most)
    return group


def base() -> Path | None:
    """Where groups of steps can be made: preferably where the kernel also counts processes. None when nowhere."""
    usable = [folder for folder in _own() if _divisible(folder)]
    return next((folder for folder in usable if counts(folder)), usable[0] if usable else None)


def owners(base: Path | None) -> set[str]:
    """The marks of the servers whose steps have groups here."""
    own = f"{PREFIX}{_namespace()}-"
    names = (folder.name.removeprefix(own) for folder in base.glob(f"{own}*")) if base is not None else ()
    return {name.rpartition("-")[0] for name in names}


def end_all(base: Path | None, *, of: str) -> int:
    """Ends every group of steps of one server that is gone; how many processes were left in them."""
    if base is None:
        return 0
    return sum(Group(folder).end() for folder in base.glob(f"{PREFIX}{_namespace()}-{of}-*"))


def _namespace() -> int:
    """The PID namespace's number: a process number of another one means nothing here."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _own() -> list[Path]:
    """The folders of the groups that this process is in."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = [line.partition(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return []
    found = []
    for before, _, after in mounts:
        kind, _, rest = after.partition(" ")
        if kind not in _KINDS or (kind == "cgroup" and "pids" not in rest.rpartition(" ")[2].split(",")):
            continue
        path = next((x.split(":", 2)[2] for x in lines if x.split(":", 2)[1] == _KINDS[kind]), None)
        if path is not None:
            found.append(Path(before.split()[4] + path))
    return found


def _divisible(folder: Path) -> bool:
    probe = folder / f"tocsin-probe-{_namespace()}-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def counts(folder: Path) -> bool:
    """Whether the kernel counts, and bounds, the processes of a group below the folder."""
    probe = folder / f"tocsin-probe-{_namespace()}-{os.getpid()}"
    try:
        probe.mkdir()
        counts = (probe / "pids.max").exists()
        probe.rmdir()
    except OSError:
        return False
    return counts
