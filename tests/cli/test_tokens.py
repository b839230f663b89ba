"""Credentials made, listed and ended on the database itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.cli.administer import create_token, list_tokens, revoke_tokens
from tocsin.engine.credentials import digest
from tocsin.store.database import Store

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path}/tocsin.db"


def test_a_token_is_printed_alone_and_only_its_hash_is_kept(database: str, capsys: Capture) -> None:
    assert create_token("Ana", role="responder", config=None, database=database) == 0
    secret = capsys.readouterr().out.strip()
    store = Store(database)
    kept = store.read(lambda tx: tx.all_tokens())
    store.close()
    assert [(t.name, t.role, t.hash) for t in kept] == [("Ana", "responder", digest(secret))]


def test_the_list_names_whose_and_shows_no_secret(database: str, capsys: Capture) -> None:
    create_token("Ana", role="admin", config=None, database=database)
    secret = capsys.readouterr().out.strip()
    assert list_tokens(config=None, database=database) == 0
    said = capsys.readouterr().out
    assert said.startswith("Ana  admin")
    assert secret not in said
    assert digest(secret) not in said


def test_revoking_ends_all_of_somebody_and_nothing_of_others(database: str, capsys: Capture) -> None:
    for name in ("Ana", "Ana", "Ben"):
        create_token(name, role="responder", config=None, database=database)
    assert revoke_tokens("Ana", config=None, database=database) == 0
    capsys.readouterr()
    list_tokens(config=None, database=database)
    assert capsys.readouterr().out.startswith("Ben")
    assert revoke_tokens("Ana", config=None, database=database) == 1
    assert "no credential of 'Ana'" in capsys.readouterr().err


def test_an_unknown_role_is_refused_in_one_line(database: str, capsys: Capture) -> None:
    assert create_token("Ana", role="boss", config=None, database=database) == 2
    assert capsys.readouterr().err.count("\n") == 1
