"""What a step may use: memory, processes, disk, files. It is ended past that, and nothing of it is left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.procedures.results import Outcome, StepResult
from tocsin.procedures.runner import Runner, Settings
from tocsin.procedures.usage import Allowance, Census
from tocsin.runbook.shell import split_fence

MEBI = 1024 * 1024
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


async def run(command: str, **allowed: int) -> StepResult:
    settings = Settings(
        timeout=timedelta(seconds=30), grace=timedelta(seconds=0.3), allowance=Allowance(**allowed), open_files=64
    )
    (step,) = split_fence(command, line=1).steps
    return await Runner(settings).run_step(step)


def of_step(name: str) -> list[str]:
    """The processes that carry a word of ours on their command line and still run."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and name.encode() in (path / "cmdline").read_bytes():
                found.append((path / "stat").read_text().rpartition(")")[2].split()[0])
        except OSError:
            continue
    return [state for state in found if state not in "ZX"]


async def test_a_step_that_takes_too_much_memory_is_stopped() -> None:
    result = await run("x=$(head -c 80000000 /dev/zero | tr '\\0' x); sleep 20; echo $x", memory=50 * MEBI)
    assert result.outcome is Outcome.UNKNOWN
    assert result.reason == "it used more than 50 MiB of memory and was stopped"


async def test_a_step_that_forks_without_end_is_stopped_and_leaves_nothing() -> None:
    result = await run("while true; do sleep 31.4159 & done", processes=60)
    assert result.reason == "it started more than 60 processes and was stopped"
    assert of_step("31.4159") == []


async def test_processes_that_left_the_session_count_and_are_ended_too() -> None:
    result = await run("while true; do setsid sleep 31.4158 & done", processes=60)
    assert result.outcome is Outcome.UNKNOWN
    assert of_step("31.4158") == []


async def test_a_step_that_fills_its_folder_is_stopped() -> None:
    command = "for i in $(seq 40); do head -c 1000000 /dev/zero > file$i; done; sleep 20"
    assert "30 MiB to its scratch folder" in (await run(command, scratch=30 * MEBI)).reason
    assert (await run(command.replace("; sleep 20", ""), scratch=60 * MEBI)).outcome is Outcome.OK


async def test_a_step_opens_so_many_files_and_no_more() -> None:
    assert "1024" not in (await run("ulimit -n")).stdout
    assert (await run("ulimit -n")).stdout == "64\n"


async def test_one_walk_serves_all_who_ask() -> None:
    census = Census()
    first, second = await asyncio.gather(census.usage(1, "a"), census.usage(1, "b"))
    assert first == second
