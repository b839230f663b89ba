"""`tocsin backup` and `tocsin restore`, as a person sees them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tocsin.cli.backups import backup, restore
from tocsin.store.database import Store


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "tocsin.toml").write_text('[people.me]\n[roles]\n"*" = "me"\n', encoding="utf-8")
    Store(f"sqlite:///{tmp_path / 'tocsin.db'}").close()
    return tmp_path / "tocsin.toml"


def test_a_copy_is_made_and_put_back(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.db"
    with closing(Store(f"sqlite:///{tmp_path / 'tocsin.db'}", serving=True)):
        assert backup(copy, force=False, config=config, database=None) == 0
        assert restore(copy, config=config, database=None) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{copy}: 0.")
    assert "MB, 0 incidents, checked" in said.out
    assert "serves it: stop that one" in said.err
    assert restore(copy, config=config, database=None) == 0
    assert "the database that it replaces is kept: " in capsys.readouterr().out


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "copy.db").write_text("dear to somebody")
    assert backup(tmp_path / "copy.db", force=False, config=config, database=None) == 1
    assert "overwrite it with --force" in capsys.readouterr().err
    assert backup(tmp_path / "copy.db", force=True, config=config, database=None) == 0


def test_postgresql_has_tools_of_its_own(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://ana:secret@db/tocsin"
    assert backup(Path("x.dump"), force=False, config=config, database=url) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pg_dump --format=custom --file x.dump 'postgresql://ana@db/tocsin'" in said
