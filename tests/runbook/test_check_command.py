import json
from pathlib import Path

import pytest

from tocsin.cli.check import check

GOOD = """\
| Severity | Description | Response Time |
|---|---|---|
| SEV1 | down | Immediate |
| SEV2 | slow | 1 hour |

See [the other](./other.md#part), [away](./away.md), [site](https://example.com/x) and [below](#below).
"""


def write(folder: Path, text: str, name: str = "runbook.md") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_document_without_errors_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check([write(tmp_path, GOOD)], format="text", config=None) == 0
    shown = capsys.readouterr().out
    assert "SEV1   acknowledge at once: down" in shown
    assert shown.rstrip().endswith("notes")


def test_a_document_with_an_error_exits_1_and_points_at_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, GOOD + "\n| Action | Command |\n|---|\n| a | b |\n")
    assert check([file], format="text", config=None) == 1
    shown = capsys.readouterr().out
    assert f"{file}:8:1: error R010:" in shown
    assert "      8 | | Action | Command |\n        | ^\n  hint:" in shown


def test_one_file_is_one_object_and_several_are_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, GOOD)
    check([file], format="json", config=None)
    one = json.loads(capsys.readouterr().out)
    check([file, file], format="json", config=None)
    assert json.loads(capsys.readouterr().out) == [one, one]
    assert [s["response_seconds"] for s in one["severities"]] == [0, 3600]


def test_sarif_names_rule_file_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "nothing")
    assert check([file], format="sarif", config=None) == 1
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert "R001" in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 1}


def test_a_link_to_a_file_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "", name="other.md")
    check([write(tmp_path, GOOD)], format="json", config=None)
    findings = json.loads(capsys.readouterr().out)["findings"]
    dead = [(f["line"], f["message"]) for f in findings if f["code"] == "R403"]
    assert dead == [(6, '"away" links to ./away.md, which does not exist')]


@pytest.mark.parametrize("bad", ["missing.md", ".", "latin1.md"])
def test_a_file_that_cannot_be_read_is_one_line_and_exit_2(
    bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin1.md").write_bytes(b"caf\xe9")
    assert check([tmp_path / bad], format="json", config=None) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("tocsin: ")
    assert shown.err.count("\n") == 1


def test_unusable_arguments_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, GOOD)
    assert check([file], format="yaml", config=None) == 2
    assert check([], format="text", config=None) == 2
    assert check([file], format="text", config=tmp_path / "none.toml") == 2
    assert capsys.readouterr().err.count("tocsin: ") == 3
