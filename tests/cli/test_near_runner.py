"""`tocsin runner`: what it says when it cannot begin, and while its server is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from engines import DOCUMENT, until
from serving import free_port

from tocsin.bootstrap.near import Copies
from tocsin.cli.runner import runner
from tocsin.config import SettingsError
from tocsin.engine.ports import NoCluster
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.remote.holdings import Holdings
from tocsin.procedures.remote.link import Link
from tocsin.procedures.remote.near import NearRunner
from tocsin.procedures.runner import Runner

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_TOKEN", "a-token")
    monkeypatch.delenv("TOCSIN_URL", raising=False)


def refused(capsys: Capture, **how: object) -> str:
    given = {"servers": [], "runbooks": [DOCUMENT], "config": None, "token_file": None} | how
    assert runner(given.pop("servers"), **given) == 2  # type: ignore[arg-type]
    said = capsys.readouterr().err.strip()
    assert said.startswith("tocsin: ")
    assert "\n" not in said
    return said


def test_without_a_token_it_says_how_to_make_one(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_TOKEN", "")
    assert "tocsin token create NAME --role runner" in refused(capsys)


def test_a_token_file_that_is_not_there_is_named(capsys: Capture, tmp_path: Path) -> None:
    assert "none.txt: No such file" in refused(capsys, token_file=tmp_path / "none.txt")


@pytest.mark.parametrize("url", ["tocsin.example.com", "ftp://x", "http://", "http://x:0"])
def test_an_address_that_is_none_is_refused(capsys: Capture, url: str) -> None:
    assert "write it like https://tocsin.example.com" in refused(capsys, servers=[url])


def test_a_password_in_an_address_is_refused_and_not_repeated(capsys: Capture) -> None:
    assert "hunter2" not in refused(capsys, servers=["http://me:hunter2@tocsin.test"])


def test_its_own_copy_of_the_runbook_must_be_named(capsys: Capture) -> None:
    assert "--runbook FILE" in refused(capsys, runbooks=[])


def test_a_copy_that_cannot_be_read_is_refused(capsys: Capture, tmp_path: Path) -> None:
    assert "no such file" in refused(capsys, runbooks=[tmp_path / "none.md"])


async def test_a_server_that_is_away_is_said_once_and_asked_again() -> None:
    told: list[str] = []
    link = Link(f"http://127.0.0.1:{free_port()}", "a-token")
    near = NearRunner(link, Holdings(), StepRunner(Runner()), NoCluster(), say=told.append)
    working = asyncio.ensure_future(near.run())
    await asyncio.sleep(1.2)
    assert not working.done()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert len(told) == 1
    assert told[0].startswith(f"no server at {link.url} (")


async def test_an_edit_of_its_copy_is_taken_in_and_a_broken_one_is_not(tmp_path: Path) -> None:
    told: list[str] = []
    copy = tmp_path / "runbook.md"
    copy.write_bytes(DOCUMENT.read_bytes())
    copies = Copies([copy], told.append)
    before = copies.holdings.documents
    following = asyncio.ensure_future(copies.follow())
    copy.write_bytes(b"\xff\xfe")

    async def said() -> bool:
        return len(told) == 2

    await until(said)
    assert "what it said before holds" in told[1]
    copy.write_text(DOCUMENT.read_text(encoding="utf-8") + "\nMore.\n", encoding="utf-8")

    async def taken() -> bool:
        return len(copies.holdings.documents) == 2

    await until(taken)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert copies.holdings.documents[0] == before[0]  # an open incident goes on with it


def test_a_copy_with_errors_is_refused_with_its_lines(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        Copies([tmp_path / "bad.md"], print)
