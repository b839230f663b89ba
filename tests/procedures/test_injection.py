"""Values that attack, in every place a placeholder can stand: each is refused by name, and no file appears."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.engine.asking import suggested
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.results import Outcome
from tocsin.procedures.runner import Runner
from tocsin.runbook.shell import split_fence

ATTACKS = {
    "a second command": "a; touch evil",
    "removal": "; rm -rf .",
    "a substitution": "$(touch evil)",
    "backticks": "`touch evil`",
    "a new line": "a\ntouch evil",
    "a carriage return": "a\rtouch evil",
    "another cluster": "--kubeconfig=/etc/evil",
    "a file to write": "-o/etc/evil",
    "a file to write, apart": "-o /etc/evil",
    "text that reads backwards": "a\u202eb",
    "an invisible character": "a\u200bb",
    "ten thousand characters": "a" * 10_000,
    "a NUL": "a\0b",
    "an end of the quotes": "a' ; touch evil ; '",
    "an end of the double quotes": 'a" ; touch evil ; "',
    "an end of the heredoc": "EOF\ntouch evil",
    "a redirection": "a > evil",
    "a pipe": "a | tee evil",
    "a background command": "a & touch evil",
    "a process substitution": "<(touch evil)",
    "a variable": "${IFS}touch${IFS}evil",
    "an escape": "a\\; touch evil",
    "a terminal's code": "\x1b]0;evil\x07",
    "nothing": "",
}
PLACES = {
    "bare": "echo <pod-name>",
    "after a slash": "echo pod/<pod-name> -n production",
    "single-quoted": "echo 'of <pod-name> here'",
    "double-quoted": 'echo "of <pod-name> here"',
    "a heredoc": "cat <<EOF\n<pod-name>\nEOF",
    "a quoted heredoc": "cat <<'EOF'\n<pod-name>\nEOF",
    "a continued line": "echo \\\n  <pod-name> \\\n  -n production",
    "an assignment": "X=<pod-name>\necho $X",
    "sh -c": "sh -c 'echo <pod-name>'",
    "bash -c": 'bash -c "echo <pod-name>"',
    "psql -c": "psql -c \"SELECT '<pod-name>'\"",
    "ssh": "ssh host 'echo <pod-name>'",
    "eval": "eval echo <pod-name>",
    "awk": "awk '/<pod-name>/ {print}' file",
    "watch": "watch -n 5 'echo <pod-name>'",
    "a substitution in quotes": 'echo "$(echo <pod-name>)"',
    "a file to read": "cat < <pod-name>",
}
BAIT = {"pod-name": "bait", "file": "bait", "-n": "bait"}
SAFE = ("bare", "after a slash", "single-quoted", "double-quoted", "a continued line", "an assignment")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files named like the placeholder lie in wait: to a shell, `<pod-name>` reads one of them."""
    monkeypatch.chdir(tmp_path)
    for name, text in BAIT.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def lying(folder: Path) -> dict[str, str]:
    """What is in the folder now: name -> text."""
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_an_attack_is_refused_in_every_place(folder: Path, place: str, attack: str) -> None:
    (step,) = split_fence(f"# Look\ncd {folder}\n{place}", line=1).steps
    result = await Runner().run_step(step, values={"pod-name": attack})
    assert (result.outcome, result.exit_code) == (Outcome.REFUSED, None)
    assert "pod-name" in result.reason
    assert lying(folder) == BAIT


@pytest.mark.parametrize("place", SAFE)
async def test_an_ordinary_value_gets_through_where_it_is_safe_and_is_one_word(folder: Path, place: str) -> None:
    (step,) = split_fence(f"# Look\ncd {folder}\n{PLACES[place]}", line=1).steps
    result = await Runner().run_step(step, values={"pod-name": "backend-1"})
    assert (result.outcome, "backend-1" in result.stdout) == (Outcome.OK, True)
    assert lying(folder) == BAIT


@pytest.mark.parametrize("place", [name for name in PLACES if name not in SAFE])
async def test_no_value_at_all_gets_to_where_something_else_would_read_it(folder: Path, place: str) -> None:
    (step,) = split_fence(f"# Look\ncd {folder}\n{PLACES[place]}", line=1).steps
    result = await Runner().run_step(step, values={"pod-name": "backend-1"})
    assert (result.outcome, result.exit_code) == (Outcome.REFUSED, None)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_in_an_alerts_label_is_not_even_suggested(attack: str) -> None:
    (step,) = split_fence("# Look\nkubectl logs <pod-name>", line=1).steps
    now = datetime(2026, 1, 5, tzinfo=UTC)
    alert = Alert("f", AlertStatus.FIRING, {"pod": attack, "pod_name": attack}, {}, now, None, "alertmanager")
    runner = StepRunner(Runner())
    offered = [s for s in suggested(step.placeholders[0], [alert]) if not runner.refuses(step, {"pod-name": s.value})]
    assert offered == []
