"""`tocsin simulate`: the play it prints, and the one line it says when it cannot play."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.cli.simulate import Told, play, simulate
from tocsin.runbook.reader import read

MINUTE, HOUR, DAY = 60, 3600, 86_400
DOCUMENT = """\
# Incident Response

## Severity Levels

| Severity | Description | Response Time |
|---|---|---|
| SEV1 | Outage | Immediate |
| SEV2 | Major | 15 minutes |

## Internal Communication

**Updates:**
- Every 30 min: During SEV1

## Communication Templates

**Initial Alert:**
```
INCIDENT: [Brief description]
Severity: SEV[1-4]
```

**Resolution:**
```
RESOLVED: [Brief description]
Duration: [Start] - [End]
```

## Post-Incident

### Immediate (Within 24 hours)

1. Tell stakeholders

## Escalation Matrix

| Severity | 15 min | 30 min | 1 hour | 2 hours |
|---|---|---|---|---|
| SEV1 | On-call | DevOps Lead | Engineering Manager | CTO |
| SEV2 | On-call | DevOps Lead | - | - |
"""
SEED = Path("../shared/runbooks/qawave/INCIDENT_RESPONSE.md")


def played(severity: str = "SEV1", *, ack: int | None = None, resolve: int | None = None) -> tuple[Told, ...]:
    """The play of the document above; times in minutes."""
    runbook = read(DOCUMENT, file="runbook.md").runbook
    at = [None if m is None else timedelta(minutes=m) for m in (ack, resolve)]
    return play(runbook, severity=severity, ack_after=at[0], resolve_after=at[1])


def of(told: tuple[Told, ...], kind: str) -> list[tuple[int, str]]:
    return [(line.at_seconds, line.to) for line in told if line.kind == kind]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "runbook.md"
    file.write_text(DOCUMENT, encoding="utf-8")
    return file


def run(file: Path, severity: str = "SEV1", format: str = "text", *, ack: int | None = None) -> int:
    ack_after = None if ack is None else timedelta(minutes=ack)
    return simulate(file, severity=severity, ack_after=ack_after, resolve_after=timedelta(hours=2), format=format)


def test_nobody_acknowledges_and_the_whole_ladder_is_paged() -> None:
    told = played()
    assert of(told, "page") == [
        (0, "On-call"), (15 * MINUTE, "On-call"), (30 * MINUTE, "DevOps Lead"),
        (HOUR, "Engineering Manager"), (2 * HOUR, "CTO"),
    ]  # fmt: skip
    assert of(told, "missed") == [(5 * MINUTE, "On-call")]


def test_a_dash_in_the_matrix_is_told_to_nobody() -> None:
    assert of(played("SEV2"), "page") == [(0, "On-call"), (15 * MINUTE, "On-call"), (30 * MINUTE, "DevOps Lead")]


def test_after_the_acknowledge_roles_are_notified_and_updates_are_due() -> None:
    told = played(ack=20, resolve=120)
    assert of(told, "page") == [(0, "On-call"), (15 * MINUTE, "On-call")]
    notified = of(told, "notify")
    assert [n for n in notified if n[1] != "On-call"] == [
        (30 * MINUTE, "DevOps Lead"), (HOUR, "Engineering Manager"), (2 * HOUR, "CTO"),
    ]  # fmt: skip
    assert [at for at, to in notified if to == "On-call"] == [n * 30 * MINUTE for n in (1, 2, 3, 4)]


def test_an_acknowledge_on_the_minute_of_a_rung_comes_after_it() -> None:
    assert of(played(ack=15), "page") == [(0, "On-call"), (15 * MINUTE, "On-call")]


def test_after_the_resolve_the_tasks_are_shown_with_their_time() -> None:
    told = played(ack=1, resolve=60)
    assert (HOUR, "team") in of(told, "post")
    assert of(told, "task") == [(HOUR + DAY, "On-call")]
    assert told[-1].text == "Tell stakeholders"


def test_without_a_resolve_no_task_is_shown() -> None:
    assert of(played(ack=1), "task") == []


def test_the_lines_are_in_the_order_of_time() -> None:
    times = [line.at_seconds for line in played(ack=20, resolve=120)]
    assert times == sorted(times)


def test_the_table_says_when_to_whom_and_why(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(document, ack=20) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["T+0", "page", "On-call", "the", "incident", "opened"]
    assert any(line.startswith("T+15m ") and "not acknowledged" in line for line in lines)
    assert lines[-1].startswith("T+1d2h ")


def test_json_carries_each_message_in_full(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(document, format="json", ack=20) == 0
    told = json.loads(capsys.readouterr().out)
    alert = next(line for line in told if line["kind"] == "post")
    assert alert["at_seconds"] == 0
    assert alert["to"] == "team"
    assert alert["text"] == "INCIDENT: a simulated incident\nSeverity: SEV1"


def test_a_severity_is_found_whatever_its_case(document: Path) -> None:
    assert run(document, "sev2") == 0


@pytest.mark.parametrize(
    ("severity", "format", "ack", "said"),
    [
        ("SEV9", "text", None, 'no severity "SEV9": use one of SEV1, SEV2'),
        ("SEV1", "yaml", None, 'unknown format "yaml": use one of text, json'),
        ("SEV1", "text", 121, "--ack-after comes after --resolve-after"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_exit_2(
    document: Path, capsys: pytest.CaptureFixture[str], severity: str, format: str, ack: int | None, said: str
) -> None:
    assert run(document, severity, format, ack=ack) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("tocsin: ")
    assert said in err


def test_an_acknowledge_at_the_instant_of_the_resolve_is_played(document: Path) -> None:
    assert run(document, ack=120) == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.md", None, "no such file"),
        ("latin.md", "Störung".encode("latin-1"), "not UTF-8 text (byte 2)"),
        ("empty.md", b"# Nothing here\n", "no severity levels"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, said: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    assert run(file) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"tocsin: {file}: ")
    assert said in err


def test_a_directory_is_no_runbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 2
    assert "directory" in capsys.readouterr().err


@pytest.mark.skipif(not SEED.exists(), reason="the shared runbook is not here")
def test_a_real_runbooks_sev1_of_two_hours_reaches_the_cto() -> None:
    runbook = read(SEED.read_text(encoding="utf-8"), file=str(SEED)).runbook
    told = play(runbook, severity="SEV1", ack_after=timedelta(minutes=5), resolve_after=timedelta(hours=2))
    assert (2 * HOUR, "CTO") in of(told, "notify")
    assert of(told, "page") == [(0, "On-call")]
    assert [at - 2 * HOUR for at, _ in of(told, "task")] == [DAY, DAY, DAY, 7 * DAY]
