"""Following a run: stopping to follow stops nothing, and says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from served import Served, playing
from terminals import Terminal

STARTED = (202, "application/json", b'{"run": "r1"}')
RUNNING = (200, "application/json", b'{"id": "r1", "status": "running", "steps": []}')


def test_control_c_ends_the_following_and_says_that_the_run_goes_on() -> None:
    with playing(STARTED, RUNNING) as server:
        environment = {**os.environ, "TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, "-m", "tocsin.cli.main", "run", "1", "high-error-rate"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as following:
            while len(server.asked) < 2:
                time.sleep(0.01)
            following.send_signal(signal.SIGINT)
            _, said = following.communicate(timeout=30)
    assert following.returncode == 130
    assert said == "tocsin: no longer following: the run goes on at the server: tocsin show 1\n"


def test_a_server_that_goes_away_meanwhile_is_said(ana: Terminal) -> None:
    with playing(STARTED, RUNNING, None) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        said = ana.refuses("run", 1, "high-error-rate")
    assert "the run may go on at the server" in said


def test_each_step_is_printed_once_and_when_it_has_ended(ana: Terminal) -> None:
    half = b'{"id": "r1", "status": "running", "steps": [{"index": 1, "title": "A", "outcome": "ok"}, {"title": "B"}]}'
    whole = b'{"id": "r1", "status": "done", "steps": [{"index": 1, "title": "A", "outcome": "ok"}]}'
    with playing(STARTED, (200, "", half), (200, "", half), (200, "", whole)) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        said = ana.says("run", 1, "x")
    assert said.count("1. A: ok") == 1
    assert "B" not in said


def test_a_second_persons_yes_is_asked_for_where_two_are_needed(ana: Terminal) -> None:
    approval = (
        b'{"approval": {"id": "1", "status": "pending", "class": "destructive", "needs": 2, "command": "rm x",'
        b' "action": "Wipe", "approved_by": ["Ana"], "expires_at": "2030-01-05T03:00:00Z"}}'
    )
    with playing((202, "", approval)) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        said = ana.says("mitigate", 1, "wipe", "--approve")
    assert "2 different people must approve (approved by Ana)" in said
    assert "Another person: tocsin approve 1 1" in said


def test_a_pipe_that_closes_is_no_failure_of_ours(house: Served) -> None:
    environment = {**os.environ, **house.environment()}
    command = f"{sys.executable} -m tocsin.cli.main list --all | true"
    ended = subprocess.run(["sh", "-c", command], env=environment, stderr=subprocess.PIPE, check=True, timeout=60)
    assert ended.stderr == b""
