from __future__ import annotations

import os
from pathlib import Path

import pytest

from tocsin.cli.check import reading_of
from tocsin.cli.init import NAMES, init
from tocsin.config import check_against, load, roster
from tocsin.runbook.model import Level


def test_the_starter_settings_load_and_fit_the_starter_runbook(tmp_path: Path) -> None:
    assert init(tmp_path) == 0
    settings = load(tmp_path / "tocsin.toml", environ={})
    book = reading_of(settings.runbook.read_text(), settings.runbook).runbook
    assert check_against(settings, book) == ()
    assert roster(settings, feeds={}, runbook=book).role_names


def test_the_starter_runbook_is_whole_and_clean(tmp_path: Path) -> None:
    init(tmp_path)
    reading = reading_of((tmp_path / "runbook.md").read_text(), tmp_path / "runbook.md")
    assert [f for f in reading.findings if f.level is not Level.INFO] == []
    book = reading.runbook
    assert all(
        (book.severities, book.indicators, book.escalation, book.update_cadence, book.templates, book.procedures)
    )
    assert all((book.mitigations, book.decision_tree, book.checklists, book.post_incident, book.postmortem))


def test_every_example_of_the_settings_loads_when_taken_up(tmp_path: Path) -> None:
    init(tmp_path)
    text = (tmp_path / "tocsin.toml").read_text()
    lines = [line.removeprefix("# ") if _example(line) else line for line in text.splitlines()]
    (tmp_path / "tocsin.toml").write_text("\n".join(lines))
    names = ("SMTP_PASSWORD", "TOCSIN_ALERT_TOKEN", "TOCSIN_SECRET_KEY", "TOCSIN_WEBHOOK_SECRET")
    environ = dict.fromkeys(names, "x" * 40) | {"SLACK_WEBHOOK_URL": "https://hooks.example.com/x"}
    settings = load(tmp_path / "tocsin.toml", environ=environ)
    assert settings.channels.names() == ("console", "email", "webhook", "slack")
    assert settings.sources.probes
    assert settings.schedules["primary"].overrides


def _example(line: str) -> bool:
    key = line.removeprefix("# ").partition(" = ")
    return line.startswith("# [") or (line.startswith("# ") and bool(key[1]) and key[0].replace("_", "").isalpha())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_there_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).write_text("mine")
    assert init(tmp_path) == 2
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    assert f"{name} exists already" in capsys.readouterr().err


def test_a_link_that_leads_nowhere_counts_as_there(tmp_path: Path) -> None:
    (tmp_path / "runbook.md").symlink_to(tmp_path / "gone")
    assert init(tmp_path) == 2
    assert not (tmp_path / "gone").exists()


def test_a_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert init(tmp_path / "a" / "b") == 0
    assert sorted(os.listdir(tmp_path / "a" / "b")) == sorted(NAMES)


def test_a_file_in_the_place_of_the_directory_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert init(tmp_path / "file") == 2
    assert capsys.readouterr().err.count("\n") == 1
