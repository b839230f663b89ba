from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tocsin.cli.doctor import doctor
from tocsin.cli.init import init
from tocsin.runbook.programs import programs
from tocsin.runbook.reader import read
from tocsin.store.database import Store

Examine = Callable[..., tuple[int, str]]


@pytest.fixture
def examine(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Examines the starter settings with `more` added: the exit code and what was printed."""
    monkeypatch.delenv("TOCSIN_DATABASE", raising=False)
    init(tmp_path)
    config = tmp_path / "tocsin.toml"

    def run(more: str = "", *, database: str | None = None, without: str = "") -> tuple[int, str]:
        config.write_text(config.read_text().replace(without, "") + more)
        capsys.readouterr()
        code = doctor(config, database=database)
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_starter_is_well_but_for_a_channel_that_wakes_nobody(examine: Examine) -> None:
    code, said = examine()
    assert code == 0
    assert "ok    runbook" in said
    assert "ok    roles        Team Lead: Robin Example" in said
    assert "warn  channels     console" in said


def test_settings_that_do_not_load_are_all_that_is_said(examine: Examine) -> None:
    code, said = examine("\n[nonsense]\n")
    assert code == 1
    assert "FAIL  settings" in said
    assert "1 check: 1 failed" in said


def test_a_runbook_that_is_not_there_fails_and_the_rest_is_still_looked_at(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "runbook.md").unlink()
    code, said = examine()
    assert code == 1
    assert "FAIL  runbook" in said
    assert "ok    database" in said


def test_a_runbook_with_errors_fails_with_their_number(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "runbook.md").write_text("# Nothing\n")
    code, said = examine()
    assert code == 1
    assert "1 error, " in said


def test_a_role_nobody_holds_fails(examine: Examine) -> None:
    code, said = examine(without='"Team Lead" = "robin"\n')
    assert code == 1
    assert 'nobody holds "Team Lead"' in said


def test_a_database_that_is_not_there_yet_is_not_made(examine: Examine, tmp_path: Path) -> None:
    assert "is not there yet" in examine()[1]
    assert not (tmp_path / "tocsin.db").exists()


def test_a_database_in_use_is_well(examine: Examine, tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 'tocsin.db'}", serving=True)):
        code, said = examine()
    assert code == 0
    assert ", can be written; SQLite 3." in said


def test_a_database_that_is_none_fails(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "tocsin.db").write_bytes(b"not a database at all" * 100)
    code, said = examine()
    assert code == 1
    assert "restore it from a backup" in said


def test_a_locked_database_fails(examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.diagnoses.BUSY_SECONDS", 0.01)
    Store(f"sqlite:///{tmp_path / 'tocsin.db'}").close()
    with closing(sqlite3.connect(tmp_path / "tocsin.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, said = examine()
    assert code == 1
    assert "another process holds it" in said


def test_a_database_of_another_version_is_a_warning(examine: Examine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tocsin.db")) as other:
        other.execute("CREATE TABLE something (x)")
    code, said = examine()
    assert code == 0
    assert "tocsin db upgrade" in said


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/x", "start the server"),
        ("sqlite:////no/such/folder/x.db", "mkdir -p /no/such/folder"),
    ],
)
def test_a_database_that_cannot_be_used_fails_with_its_remedy(examine: Examine, url: str, remedy: str) -> None:
    code, said = examine(database=url)
    assert code == 1
    assert remedy in said
    assert "hunter2" not in said


def test_channels_that_answer_are_well(examine: Examine, open_port: int) -> None:
    code, said = examine(f'[channels.webhook]\nurl = "http://127.0.0.1:{open_port}/hook/hunter2"\n')
    assert code == 0
    assert f"ok    channels     webhook: 127.0.0.1:{open_port} answers" in said
    assert "hunter2" not in said


def test_a_mail_server_that_does_not_answer_fails(examine: Examine, closed_port: int) -> None:
    settings = f'[channels.email]\nsmtp = "smtp://u:hunter2@127.0.0.1:{closed_port}"\nfrom = "t@example.com"\n'
    code, said = examine(settings)
    assert code == 1
    assert "FAIL  channels     email" in said
    assert "hunter2" not in said


def test_prometheus_must_answer_and_a_probed_host_need_not(examine: Examine, closed_port: int) -> None:
    sources = f'[sources.prometheus]\nurl = "http://127.0.0.1:{closed_port}"\n'
    code, said = examine(f'[[sources.probes]]\nname = "front"\nurl = "http://127.0.0.1:{closed_port}"\n')
    assert code == 0
    assert "warn  probes       front" in said
    code, said = examine(sources)
    assert code == 1
    assert "FAIL  prometheus" in said


def test_a_calendar_that_cannot_be_read_fails(examine: Examine) -> None:
    code, said = examine('[schedules.nights]\nical = "gone.ics"\n')
    assert code == 1
    assert "FAIL  calendars" in said
    assert "gone.ics" in said


def test_listening_beyond_this_machine_without_a_token_is_a_warning(examine: Examine, tmp_path: Path) -> None:
    assert "only this machine may send them" in examine()[1]
    settings = (tmp_path / "tocsin.toml").read_text()
    (tmp_path / "tocsin.toml").write_text(settings.replace('host = "127.0.0.1"', 'host = "0.0.0.0"'))
    code, said = examine()
    assert code == 0
    assert "warn  alerts" in said


def test_the_status_pages_folder_must_be_writable(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    title = 'title = "Example status"\n'
    assert "status page" not in examine(without=title)[1]
    settings = (tmp_path / "tocsin.toml").read_text()
    for folder, expected in (("page", 0), ("file/page", 1)):
        (tmp_path / "tocsin.toml").write_text(
            settings.replace("[status_page]", f'[status_page]\npublish = "file:{tmp_path}/{folder}"')
        )
        assert examine()[0] == expected


@pytest.mark.parametrize(
    ("table", "what"), [('[ingest]\nspool = "{}"\n', "spool"), ('[backup]\nfolder = "{}"\n', "backup")]
)
def test_the_folders_of_spool_and_backups_must_be_writable(
    examine: Examine, tmp_path: Path, table: str, what: str
) -> None:
    (tmp_path / "file").write_text("")
    good = table.format(tmp_path / "folder")
    assert f"ok    {what}" in examine(good)[1]
    code, said = examine(table.format(tmp_path / "file" / "folder"), without=good)
    assert code == 1
    assert f"FAIL  {what}" in said


def test_a_tool_that_is_missing_is_named_with_its_line(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    code, said = examine()
    assert code == 0
    assert "curl is not on PATH" in said
    assert "runbook.md:" in said


def test_where_a_runner_does_the_steps_no_tool_is_looked_for_here(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    _, said = examine('[runner]\nwhere = "remote"\n')
    assert "steps run by `tocsin runner`" in said
    assert "not on PATH" not in said


def test_programs_are_those_that_start_here() -> None:
    text = """# R
## Investigation
### Things
```bash
cd /tmp && FOO=1 sudo systemctl status web | grep -i bad
kubectl exec db-0 -- psql -c 'select 1'
watch -n 5 'curl -s http://x; df -h'
for pod in $(kubectl get pods); do jq . "$pod"; done
```
"""
    found = programs(read(text, file="r.md").runbook)
    assert set(found) == {"sudo", "systemctl", "grep", "kubectl", "watch", "curl", "df", "jq"}
