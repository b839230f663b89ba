"""What a killed server left running is ended by the next one; what a living server runs is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.procedures.orphans import SERVER, end_orphans, this_server

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def sleeper(mark: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"]
    process = subprocess.Popen(command, env=os.environ | {SERVER: mark}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def dead_mark() -> str:
    """The mark of a process that is gone."""
    done = subprocess.run(
        [sys.executable, "-c", "from tocsin.procedures.orphans import this_server; print(this_server())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_step_of_a_server_that_is_gone_is_ended() -> None:
    with sleeper(dead_mark()) as process:
        end_orphans()  # or a server that a test beside us started has ended it already
        assert process.wait(10) == -9


@pytest.mark.parametrize("mark", [this_server(), ""], ids=["of a living server", "without a mark"])
def test_what_is_no_orphan_is_left_alone(mark: str) -> None:
    with sleeper(mark) as process:
        end_orphans()
        assert process.poll() is None
        process.kill()


def test_a_number_used_again_is_not_the_old_server() -> None:
    with sleeper(f"{os.getpid()}.1") as process:
        end_orphans()  # or a server that a test beside us started has ended it already
        assert process.wait(10) == -9
