"""A database that is not there yet: a server waits for it, a command says so at once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Databases

from tocsin.cli import opening
from tocsin.config import Overrides, Settings


def settings(tmp_path: Path, url: str) -> Settings:
    (tmp_path / "tocsin.toml").write_text('[people.ana]\nname = "Ana"\n[roles]\n"*" = "ana"\n')
    return opening.settings(tmp_path / "tocsin.toml", Overrides(database=url))


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found.getsockname()[1]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "AGAIN_SECONDS", 0.01)


def test_a_command_does_not_wait(tmp_path: Path, closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(opening.Refused, match="start the server, or check host and port"):
        opening.store(settings(tmp_path, f"postgresql://tocsin@127.0.0.1:{closed_port}/tocsin"))
    assert capsys.readouterr().err == ""


def test_a_server_says_once_that_it_waits_and_gives_up_in_the_end(
    tmp_path: Path, closed_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(opening.Refused, match="Connection refused"):
        opening.store(settings(tmp_path, f"postgresql://tocsin@127.0.0.1:{closed_port}/tocsin"), serving=True)
    said = capsys.readouterr().err
    assert said.count("waiting for it") == said.count("\n") == 1


def test_a_server_does_not_wait_for_what_waiting_cannot_mend(databases: Databases, tmp_path: Path) -> None:
    with pytest.raises(opening.Refused, match="create it: createdb absent"):
        opening.store(settings(tmp_path, databases.server.url("absent")), serving=True)


def test_a_server_starts_once_its_database_is_there(databases: Databases, tmp_path: Path) -> None:
    url = databases.fresh()
    databases.server.stop()
    starting = threading.Timer(0.2, databases.server.start)
    starting.start()
    store = opening.store(settings(tmp_path, url), serving=True)
    starting.join()
    assert store.read(lambda tx: tx.next_number()) == 1
    store.close()
