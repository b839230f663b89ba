"""What the settings say of operating, carried out: the spool's place, copies on time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sites import Site

from tocsin.bootstrap.operating import Backups, spooled, upkeep
from tocsin.config import SettingsError, load
from tocsin.config.model import Settings
from tocsin.engine.ingest_log import Direct

HEAD = '[people.me]\n[roles]\n"*" = "me"\n'


@pytest.fixture
def told() -> dict[str, str | None]:
    return {}


def settings(folder: Path, more: str) -> Settings:
    (folder / "operating.toml").write_text(HEAD + more, encoding="utf-8")
    return load(folder / "operating.toml", environ={})


def test_without_a_spool_alerts_go_straight_in(site: Site, tmp_path: Path) -> None:
    assert spooled(settings(tmp_path, ""), site.house.desk, lambda name, said: None) is None
    assert isinstance(site.house.ingest, Direct)


def test_a_spool_that_cannot_be_opened_is_refused_with_its_line(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    asked = settings(tmp_path, '[ingest]\nspool = "file/spool"\n')
    with pytest.raises(SettingsError, match=r"operating.toml:5: \[ingest\] spool .*: let Tocsin's user write there"):
        spooled(asked, site.house.desk, lambda name, said: None)


def test_the_spool_lies_beside_the_settings(site: Site, tmp_path: Path) -> None:
    log = spooled(settings(tmp_path, '[ingest]\nspool = "spool"\n'), site.house.desk, lambda name, said: None)
    assert log is not None
    assert (tmp_path / "spool" / "00000001.spool").is_file()
    log.close()


async def test_a_copy_is_made_when_one_is_due(site: Site, tmp_path: Path, told: dict[str, str | None]) -> None:
    folder = tmp_path / "copies"
    kept = settings(tmp_path, "[backup]\nkeep = 1\n").backup
    site.house.settings = site.house.settings.model_copy(update={"backup": kept})
    backups = Backups(site.house, folder, told.__setitem__)
    assert await backups.look()
    assert not await backups.look()
    site.clock.move(days=1, seconds=1)
    (copy,) = folder.iterdir()
    os.utime(copy, (site.clock.now().timestamp() - 86_401,) * 2)
    assert await backups.look()
    assert len(list(folder.iterdir())) == 1
    assert told == {"backup": None}
    assert site.house.core.meters.levels["backup"] == site.clock.now().timestamp()


async def test_a_copy_that_cannot_be_made_is_said(site: Site, tmp_path: Path, told: dict[str, str | None]) -> None:
    (tmp_path / "file").write_text("")
    assert not await Backups(site.house, tmp_path / "file" / "copies", told.__setitem__).look()
    assert "let Tocsin's user write there" in str(told["backup"])


def test_jobs_are_there_when_they_are_asked_for(site: Site, tmp_path: Path) -> None:
    few = len(upkeep(site.house, lambda name, said: None))
    asked = '[engine]\nheartbeat_url = "http://127.0.0.1:9/ping"\n[backup]\nfolder = "copies"\n'
    site.house.settings = settings(tmp_path, asked)
    assert len(upkeep(site.house, lambda name, said: None)) == few + 2
