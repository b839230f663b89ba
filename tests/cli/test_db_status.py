"""`tocsin db status`: how a database stands, of either kind, without a change to it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from databases import Databases, elsewhere

from tocsin.cli.administer import status, upgrade
from tocsin.cli.diagnoses import Verdict, database_check
from tocsin.store.database import Store
from tocsin.store.migrate import HEAD

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, capsys: Capture) -> None:
    assert status(None, database=f"sqlite:///{tmp_path}/tocsin.db") == 1
    assert "is not there yet: `tocsin serve` makes it" in capsys.readouterr().err
    assert not (tmp_path / "tocsin.db").exists()


def test_a_database_of_this_version_is_shown_with_the_program_that_keeps_it(tmp_path: Path, capsys: Capture) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    Store(url).close()
    assert status(None, database=url) == 0
    said = capsys.readouterr().out
    assert "server    SQLite 3." in said
    assert said.endswith(f"schema    {HEAD}\n")


def test_the_replicas_that_share_it_are_named(postgres_url: str, capsys: Capture) -> None:
    with closing(Store(postgres_url, serving=True)) as one:
        assert status(None, database=postgres_url) == 0
        said = capsys.readouterr().out
    assert f"database  {postgres_url}\nserver    PostgreSQL 1" in said
    assert f"replica   {one.replica}  tocsin " in said


def test_an_empty_database_is_left_empty_until_it_is_upgraded(databases: Databases, capsys: Capture) -> None:
    url = databases.fresh()
    assert status(None, database=url) == 0
    assert (
        f"schema    none yet (this version's is {HEAD}: tocsin db upgrade brings it there)" in capsys.readouterr().out
    )
    assert elsewhere(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert upgrade(None, database=url) == 0
    assert elsewhere(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_the_doctor_looks_at_a_server_and_says_what_to_do(databases: Databases) -> None:
    url = databases.fresh()
    before = database_check(url)
    Store(url).close()
    after = database_check(url)
    absent = database_check(databases.server.url("absent", password="hunter2"))
    assert [before.verdict, after.verdict, absent.verdict] == [Verdict.WARN, Verdict.OK, Verdict.FAIL]
    assert "`tocsin db upgrade`" in before.said
    assert absent.said.endswith("create it: createdb absent")
    assert "hunter2" not in absent.said
