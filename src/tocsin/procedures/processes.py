"""Ends processes and whatever they left behind.

A step's processes share a session; one that left it (`setsid`) still carries the step's mark in its environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from asyncio.subprocess import Process
from pathlib import Path

MARK = "TOCSIN_STEP"
ROUNDS = 40
"""How often to look again for what a step left behind: enough to outrun what forks as fast as it can."""


def signal_group(leader: int, number: signal.Signals) -> None:
    """Sends a signal to the process group of a leader that has not been waited for; nothing when it is gone."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


async def stop(process: Process, *, grace: float) -> None:
    """Ends a running group: SIGTERM, `grace` seconds to tidy up, SIGKILL. Returns when the leader has ended."""
    if process.returncode is not None:
        return
    signal_group(process.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), grace)
    except TimeoutError:
        signal_group(process.pid, signal.SIGKILL)
        await process.wait()


def since_boot() -> int:
    """Now, in the clock ticks since boot that /proc dates processes with; a second early, to be on the safe side."""
    return int((time.clock_gettime(time.CLOCK_BOOTTIME) - 1) * os.sysconf("SC_CLK_TCK"))


def end_leftovers(leader: int, mark: str, *, since: int = 0) -> int:
    """Kills what is left of a step after its leader ended; how many processes that were.

    What began before `since` is none of it, and not looked at closely: that keeps the look cheap. Looks through /proc;
    where there is none, the group alone is signalled.
    """
    if not Path("/proc/self/stat").exists():
        signal_group(leader, signal.SIGKILL)
        return 0
    ended = 0
    for _ in range(ROUNDS):  # a process may fork while we look
        found = [pid for pid in _pids() if pid != os.getpid() and _belongs(pid, leader, mark, since)]
        if not found:
            break
        for group in {_group(pid) for pid in found} - {0, os.getpgrp()}:
            signal_group(group, signal.SIGKILL)  # at one stroke: what forks faster than it is counted goes with it
        for pid in found:
            ended += _kill(pid)
    return ended


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _belongs(pid: int, leader: int, mark: str, since: int) -> bool:
    try:
        # "pid (comm) state ppid pgrp session ...", comm may hold blanks and brackets; see proc(5)
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        if fields[0] in "ZX" or int(fields[19]) < since:
            return False
        if int(fields[3]) == leader:
            return True
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, IndexError, ValueError):
        return False


def _group(pid: int) -> int:
    """The process group, 0 when the process is gone."""
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return 0


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True
