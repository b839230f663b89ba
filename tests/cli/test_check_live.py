"""`tocsin check --live` on the command line: what could not be asked is said, and nothing is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.cli.check import check, explain

DOCUMENT = """# Shop

| Severity | Description | Response Time |
|---|---|---|
| SEV1 | Down | 15 minutes |

## Mitigation

| Action | When | Command |
|---|---|---|
| Restart | Stuck | `kubectl rollout restart deployment/worker -n production` |
"""


@pytest.fixture
def runbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    (tmp_path / "runbook.md").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "tocsin.toml").write_text('[people.me]\n[roles]\n"*" = "me"\n', encoding="utf-8")
    return tmp_path / "runbook.md"


def test_a_document_without_a_production_is_read_and_said_not_to_be_compared(
    runbook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = check([runbook], format="text", config=None)
    code = check([runbook], format="text", config=runbook.with_name("tocsin.toml"), live=True)
    said = capsys.readouterr()
    assert code == plain
    assert "not compared: namespaces: no cluster is set up" in said.err
    assert "L0" not in said.out.replace("L011", "")


def test_settings_that_cannot_be_used_are_refused_in_one_line(
    runbook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = runbook.with_name("tocsin.toml")
    settings.write_text("[nonsense]\n", encoding="utf-8")
    assert check([runbook], format="text", config=settings, live=True) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_live_codes_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("l005") == 0
    assert "rollout undo" in capsys.readouterr().out
