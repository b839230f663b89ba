"""Values that are missing: what there is to choose from is said, chosen from on a terminal, filled in by nobody."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from served import playing
from terminals import Terminal

MISSING = (
    422,
    "application/problem+json",
    b'{"detail": "See logs needs: pod-name", "errors": [{"name": "pod-name", "reason": "needed by the command"}]}',
)
VALUES = (
    200,
    "application/json",
    b'{"values": [{"name": "pod-name", "type": "pod", "choices": ["backend-a", "backend-b"], "reason": "",'
    b' "suggestions": [{"value": "backend-z", "label": "pod"}]}]}',
)
STARTED = (202, "application/json", b'{"run": "r1"}')
DONE = (200, "application/json", b'{"id": "r1", "title": "Crashes", "status": "done", "steps": []}')


def test_without_a_terminal_the_choices_are_named(ana: Terminal) -> None:
    with playing(MISSING, VALUES) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        said = ana.refuses("run", 1, "pod-crashes")
    assert said.endswith("give --value pod-name=...; pod-name is one of backend-a, backend-b\n")
    assert server.asked[1][1] == "/api/v1/incidents/1/procedures/pod-crashes/values"


def test_a_server_that_cannot_say_what_there_is_leaves_the_name(ana: Terminal) -> None:
    with playing(MISSING, (404, "application/problem+json", b'{"detail": "no"}')) as server:
        ana.environment = {"TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1"}
        assert ana.refuses("run", 1, "pod-crashes").endswith("needs: pod-name: give --value pod-name=...\n")


def test_on_a_terminal_a_number_chooses_and_an_alerts_word_is_only_shown() -> None:
    with playing(MISSING, VALUES, STARTED, DONE) as server:
        ours, theirs = pty.openpty()
        os.write(ours, b"2\n")
        environment = {**os.environ, "TOCSIN_URL": server.url, "NO_PROXY": "127.0.0.1", "TERM": "dumb"}
        command = [sys.executable, "-m", "tocsin.cli.main", "run", "1", "pod-crashes"]
        try:
            subprocess.run(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, timeout=60, check=True)
            said = os.read(ours, 65536).decode()
        finally:
            os.close(theirs)
            os.close(ours)
    assert "   2. backend-b" in said
    assert "an alert's label pod says backend-z" in said
    assert b'"backend-b"' in server.asked[2][3]
