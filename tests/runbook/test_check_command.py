import json
from pathlib import Path

import pytest

from tocsin.cli.check import check, explain, reading_of
from tocsin.runbook.findings import CATALOGUE
from tocsin.runbook.shell.catalogue import CATALOGUE as SHELL_CATALOGUE

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


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("r012") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("error R012: an unescaped `|` cuts a command in a table\n")
    assert "--fix` mends it" in shown


def test_an_unknown_code_is_refused_with_those_near_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("R0123") == 2
    assert "or R012" in capsys.readouterr().err


@pytest.mark.parametrize("code", sorted(entry.code for entry in (*CATALOGUE, *SHELL_CATALOGUE)))
def test_every_code_has_its_explanation(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(code) == 0
    assert len(capsys.readouterr().out) > 80


BROKEN = """\
## Immediate actions\r
| Action | Command |\r
|---|\r
| Look | `kubectl get pods | grep x` |\r
\r
## Checks\r
```bash\r
$ kubectl exec -it web-0 -- ls\r
```\r
"""


def test_what_can_be_meant_one_way_is_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runbook.md"
    file.write_bytes(b"\xef\xbb\xbf" + BROKEN.encode())
    check([file], format="json", config=None, fix=True)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf## Immediate")
    text = file.read_bytes().decode("utf-8-sig")
    assert "|---|---|\r\n| Look | `kubectl get pods \\| grep x` |\r\n" in text
    assert "\r\nkubectl exec web-0 -- ls\r\n" in text
    told = [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()]
    assert told == ["mended R010", "mended R012", "mended S003", "mended S009"]


def test_a_document_without_faults_is_not_touched(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    before = file.stat().st_mtime_ns
    check([file], format="json", config=None, fix=True)
    assert (file.stat().st_mtime_ns, file.read_text()) == (before, GOOD)


def test_the_procedures_of_a_linked_document_can_be_run_from_here(tmp_path: Path) -> None:
    write(tmp_path, "# Rollback\n## Steps\n```bash\nkubectl rollout undo deploy/x\n```\n", name="rollback.md")
    (tmp_path / "docs").mkdir()
    write(tmp_path / "docs", "# DB\n## Restore\n```bash\npg_restore x\n```\n", name="db.md")
    text = GOOD + "\n[Rollback](./rollback.md#steps), then `docs/db.md`, never `/etc/x.md` or https://x.org/y.md\n"
    book = reading_of(text, write(tmp_path, text)).runbook
    assert [(d.target, d.title, d.line) for d in book.linked] == [
        ("./rollback.md", "Rollback", 8),
        ("docs/db.md", "DB", 8),
    ]
    found = book.procedure("rollback--steps")
    assert found is not None
    assert found.steps[0].command == "kubectl rollout undo deploy/x"
    assert [p.slug for p in book.procedures] == []


def test_a_caret_is_drawn_out_below_the_words_it_is_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD + "\n## Escalation\n1. Team Lead\n2. CTO\n"
    check([write(tmp_path, text)], format="text", config=None)
    assert "| 1. Team Lead\n        |    ^~~~~~~~~\n" in capsys.readouterr().out


def test_without_files_every_runbook_of_the_settings_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("SEV", "P"), "pay.md")
    config = write(tmp_path, 'runbook = "runbook.md"\n[runbooks.pay]\nfile = "pay.md"\n', "tocsin.toml")
    assert check([], format="json", config=config) == 0
    found = json.loads(capsys.readouterr().out)
    assert [Path(one["file"]).name for one in found] == ["runbook.md", "pay.md"]
    assert check([], format="text", config=write(tmp_path, "runbok = 1\n", "bad.toml")) == 2
    assert "runbok" in capsys.readouterr().err
