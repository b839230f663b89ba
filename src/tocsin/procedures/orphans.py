"""Steps that outlived their server: a server killed with -9 ends nothing, so the next one ends what it finds.

A half-run change must not go on beside the one that a person starts after looking. Steps carry the mark of the server
that runs them in their environment; a mark whose server is gone is an orphan's. Without /proc nothing is found.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tocsin.procedures import cgroup

SERVER = "TOCSIN_SERVER"
ROUNDS = 5
"""How often to look again, for what an orphan started meanwhile."""


def this_server() -> str:
    """This process's own mark: its number and when it began, since numbers are used again."""
    return f"{os.getpid()}.{_began(os.getpid())}"


def end_orphans() -> int:
    """Kills every process of a step whose server is gone; how many those were."""
    groups = cgroup.base()
    ended = sum(cgroup.end_all(groups, of=mark) for mark in cgroup.owners(groups) if not _alive(mark))
    for _ in range(ROUNDS):
        found = list(_orphans())
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                ended += 1
        if not found:
            break
    return ended


def _orphans() -> Iterator[int]:
    if not Path("/proc/self/stat").exists():
        return
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        mark = _mark(pid)
        if mark and not _alive(mark):
            yield pid


def _mark(pid: int) -> str | None:
    """The mark a living process carries; None without one, or when it is not ours to read."""
    try:
        if _state(pid) in "ZX":
            return None
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, IndexError):
        return None
    found = next((v for v in variables if v.startswith(f"{SERVER}=".encode())), None)
    return found.partition(b"=")[2].decode("ascii", "replace") if found else None


def _alive(mark: str) -> bool:
    pid, _, began = mark.partition(".")
    return pid.isdigit() and _began(int(pid)) == began


def _began(pid: int) -> str:
    """When a process began, in ticks since boot (proc(5), field 22); empty when it is gone."""
    try:
        return _fields(pid)[19]
    except (OSError, IndexError):
        return ""


def _state(pid: int) -> str:
    return _fields(pid)[0]


def _fields(pid: int) -> list[str]:
    # "pid (comm) state ppid ...", comm may hold blanks and brackets
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
