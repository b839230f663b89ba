"""Nothing that a step started leaves its control group: fork bombs, and what shakes off session and mark."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.procedures import cgroup
from tocsin.procedures.orphans import end_orphans, this_server
from tocsin.procedures.results import Outcome, StepResult
from tocsin.procedures.runner import Runner, Settings
from tocsin.procedures.usage import Allowance
from tocsin.runbook.shell import split_fence

BASE = cgroup.base()
needs_groups = pytest.mark.skipif(BASE is None, reason="no control groups can be made here")
BOUNDED = Settings(timeout=timedelta(seconds=20), grace=timedelta(seconds=0.3), allowance=Allowance(processes=40))


async def run(command: str, settings: Settings = BOUNDED) -> StepResult:
    (step,) = split_fence(command, line=1).steps
    return await Runner(settings).run_step(step)


def living(word: str) -> list[str]:
    """The command lines that hold the word, of processes that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            said = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if word in said and "pytest" not in said:
                found.append(said)
        except OSError:
            continue
    return found


@needs_groups
@pytest.mark.skipif(BASE is None or not cgroup.counts(BASE), reason="the kernel does not count processes here")
async def test_a_fork_bomb_is_stopped_with_its_reason_and_leaves_nothing() -> None:
    result = await run("bomb_27182() { bomb_27182 | bomb_27182 & wait; }; bomb_27182")
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "it started more than 40 processes and was stopped")
    assert living("bomb_27182") == []


@needs_groups
async def test_what_shakes_off_its_session_and_its_mark_is_ended_with_the_step() -> None:
    result = await run("env -i setsid /bin/sleep 61.4142 & sleep 0.2; echo done")
    assert (result.outcome, result.stdout) == (Outcome.OK, "done\n")
    assert living("61.4142") == []


@needs_groups
async def test_no_group_is_left_behind() -> None:
    await asyncio.gather(*(run(f"echo {n}") for n in range(4)))
    assert BASE is not None
    assert list(BASE.glob(f"{cgroup.PREFIX}*{this_server()}-*")) == []


@needs_groups
def test_what_a_dead_server_left_in_its_groups_is_ended() -> None:
    group = cgroup.make(BASE, "999999999.1-abc", most=10)
    assert group is not None
    sleeper = subprocess.Popen(["/bin/bash", "-c", f"{group.entering}; exec sleep 62.7182"], env={})
    while not group.count():
        pass
    assert end_orphans() >= 1
    assert sleeper.wait(5) == -9
    assert group.count() == 0


async def test_without_groups_a_burst_of_processes_is_stopped_all_the_same() -> None:
    settings = Settings(timeout=timedelta(seconds=20), groups=False, allowance=Allowance(processes=40))
    result = await run("for i in $(seq 120); do sleep 63.1415 & done; wait", settings)
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "it started more than 40 processes and was stopped")
    assert living("63.1415") == []


def test_where_nothing_can_be_made_there_is_no_group(tmp_path: Path) -> None:
    assert cgroup.make(None, "x", most=1) is None
    assert cgroup.make(tmp_path / "none", "x", most=1) is None
