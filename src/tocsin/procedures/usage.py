"""What running steps use: memory, processes, scratch space. Counts only; `Runner` ends what uses too much.

A census rather than limits of the system alone: an address-space limit (RLIMIT_AS) keeps Go and Java programs from
starting, RLIMIT_NPROC counts every process of the user and does not hold root, and control groups are not always ours.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from pathlib import Path

from msgspec import Struct

from tocsin.procedures.cgroup import Group
from tocsin.procedures.chores import Chores
from tocsin.procedures.processes import MARK

EVERY = 0.25
"""Seconds between two looks."""
HURRIED = 0.05
MANY = 32
"""From so many processes on a step is looked at every `HURRIED` seconds: it may be on its way to thousands."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ENTRIES = 20_000
_MARK = f"{MARK}=".encode()


class Allowance(Struct, frozen=True):
    """What one step may use: bytes of memory and of scratch space, processes. All its processes count together."""

    memory: int = 1024 * 1024 * 1024
    processes: int = 256
    scratch: int = 256 * 1024 * 1024


class Watched(Struct, frozen=True):
    """A step as it runs: its first process, its mark, its scratch folder, its control group if it has one."""

    leader: int
    mark: str
    scratch: str
    group: Group | None = None


class Usage(Struct):
    memory: int = 0
    processes: int = 0


class Census:
    """Counts the processes of all steps in one walk through /proc, however many steps ask."""

    def __init__(self, chores: Chores | None = None) -> None:
        self.chores = chores or Chores()
        self._known: dict[tuple[int, str], str] = {}
        self._taken: dict[str, Usage] = {}
        self._at = -EVERY
        self._lock = asyncio.Lock()

    async def usage(self, leader: int, mark: str, *, fresh: float = EVERY / 2) -> Usage:
        """What the step uses, no older than `fresh` seconds; nothing where there is no /proc."""
        async with self._lock:
            if time.monotonic() - self._at > fresh:
                self._taken = await self.chores.do(self._take)
                self._at = time.monotonic()
        mine, left = self._taken.get(str(leader), Usage()), self._taken.get(mark, Usage())
        return Usage(mine.memory + left.memory, mine.processes + left.processes)

    def _take(self) -> dict[str, Usage]:
        """Usage by session, and by mark for those that left the step's session."""
        found: dict[str, Usage] = defaultdict(Usage)
        known: dict[tuple[int, str], str] = {}
        for name in os.listdir("/proc") if Path("/proc/self/stat").exists() else ():
            if not name.isdigit():
                continue
            try:
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
                session, started, pages = int(fields[3]), fields[19].decode(), int(fields[21])
                key = (int(name), f"{started}:{session}")
                known[key] = whose = self._known.get(key) or _whose(int(name), session)
            except (OSError, IndexError, ValueError):
                continue
            found[whose].memory += pages * _PAGE
            found[whose].processes += 1
        self._known = known
        return found


async def breach(census: Census, allowance: Allowance, step: Watched) -> str:
    """Comes back only when the step uses more than it may, with what it did."""
    pause = EVERY
    while True:
        await asyncio.sleep(pause)
        used = await census.usage(step.leader, step.mark, fresh=pause / 2)
        if step.group is not None:  # which knows also those that shook off session and mark
            used.processes = max(used.processes, await census.chores.do(step.group.count))
        pause = HURRIED if used.processes > min(MANY, allowance.processes // 2) else EVERY
        if used.memory > allowance.memory:
            return f"it used more than {_size(allowance.memory)} of memory and was stopped"
        if used.processes > allowance.processes:
            return f"it started more than {allowance.processes} processes and was stopped"
        if await census.chores.do(_written, step.scratch, allowance.scratch) > allowance.scratch:
            return f"it wrote more than {_size(allowance.scratch)} to its scratch folder and was stopped"


def tasks_of(user: int) -> int:
    """How many threads the user's processes have together; 0 where there is no /proc."""
    found = 0
    for name in os.listdir("/proc") if Path("/proc/self/stat").exists() else ():
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                found += int(Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[17])
        except (OSError, IndexError, ValueError):
            continue
    return found


def _whose(pid: int, session: int) -> str:
    """The step's mark, also when the process left the step's session; the session when it dropped the mark."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return str(session)
    at = environment.find(_MARK)
    end = environment.find(b"\0", at)
    return environment[at + len(_MARK) : end].decode("ascii", "replace") if at >= 0 else str(session)


def _written(folder: str, most: int) -> int:
    """Bytes on disk below the folder; stops counting past `most`, or past more entries than any step needs."""
    total, seen, pending = 0, 0, [folder]
    while pending and total <= most:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            seen += 1
            try:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
            except OSError:
                continue
        if seen > _ENTRIES:
            return most + 1
    return total


def _size(count: int) -> str:
    mebi = count // (1024 * 1024)
    return f"{mebi // 1024} GiB" if mebi % 1024 == 0 and mebi else f"{mebi} MiB"
