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


def streamed(*events: tuple[str, str]) -> tuple[int, str, bytes]:
    lines = "".join(f"event: {kind}\ndata: {data}\n\n" for kind, data in events)
    return (200, "text/event-stream; charset=utf-8", b": following\n\n" + lines.encode())


SAID = ("output", '{"step": 1, "stream": "stdout", "text": "one\\ntw"}')
MORE = ("output", '{"step": 1, "stream": "stderr", "text": "o\\u001b[2J\\nthree"}')
ENDED = ("step", '{"step": 1, "outcome": "ok", "reason": ""}')
OVER = ("end", '{"status": "done"}')
ONE = b'{"id": "r1", "title": "X", "status": "done", "steps": [{"index": 1, "title": "A", "outcome": "ok"}]}'


def test_what_a_step_says_is_printed_line_by_line_and_cleaned(ana: Terminal) -> None:
    with playing(STARTED, (200, "", ONE), streamed(SAID, MORE, ENDED, OVER), (200, "", ONE)) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        said = ana.says("run", 1, "x")
    assert said == "1. A ...\n   | one\n   | two\n   | three\n1. A: ok\nRun X: done.\n"


def test_a_stream_that_breaks_off_leaves_the_rest_to_asking(ana: Terminal) -> None:
    with playing(STARTED, (200, "", ONE), streamed(SAID), (200, "", ONE)) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        said = ana.says("run", 1, "x")
    assert "   | one\n   | tw\n1. A: ok\n" in said


def test_steps_that_speak_by_turns_are_named_by_turns(ana: Terminal) -> None:
    other = ("output", '{"step": 2, "text": "two\\n"}')
    again = ("output", '{"step": 1, "text": "oh\\n"}')
    steps = b'[{"index": 1, "title": "A"}, {"index": 2, "title": "B"}]'
    two = b'{"id": "r1", "title": "X", "status": "done", "steps": ' + steps + b"}"
    with playing(STARTED, (200, "", two), streamed(SAID, other, again, OVER), (200, "", two)) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        said = ana.says("run", 1, "x")
    assert said.startswith("1. A ...\n   | one\n2. B ...\n   | two\n1. A ...\n   | twoh\n")


def test_a_run_is_cancelled_by_its_procedure_and_the_follower_is_told(house: Served, ana: Terminal) -> None:
    number = ana.declare()
    house.site.runner.held.clear()
    environment = {**os.environ, **house.environment()}
    command = [sys.executable, "-m", "tocsin.cli.main", "run", str(number), "high-error-rate"]
    try:
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as following:
            assert following.stdout is not None
            first = [following.stdout.readline(), following.stdout.readline()]
            assert ana.says("run", number, "high-error-rate", "--cancel", "--because", "too slow").endswith(
                ": cancelled.\n"
            )
            rest, _ = following.communicate(timeout=30)
    finally:
        house.loop.call_soon_threadsafe(house.site.runner.held.set)
    assert first[0] == "1. Find the errors of the last half hour ...\n"
    assert first[1].startswith("   | ran kubectl logs")
    assert rest.endswith(": cancelled.\n")
    assert following.returncode == 1


def test_nothing_to_cancel_is_said(ana: Terminal) -> None:
    number = ana.declare()
    assert "nothing is running of 'high-latency'" in ana.refuses("run", number, "high-latency", "--cancel")
