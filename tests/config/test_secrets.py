from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tocsin.config import Settings, SettingsError

Read = Callable[[str], Settings]
VALUES = (
    "alert-token-value",
    "p@ss",
    "p%40ss",
    "hook-secret-value",
    "link-key-value",
    "slack-secret-value",
    "db:pass",
    "db%3Apass",
)


def test_secrets_come_from_the_environment_also_inside_a_url(read: Read, whole: str) -> None:
    given = read(whole)
    assert given.sources.alerts.token is not None
    assert given.sources.alerts.token.get_secret_value() == "alert-token-value"
    assert given.channels.email is not None
    smtp = urlsplit(given.channels.email.smtp.get_secret_value())
    assert (smtp.username, unquote(smtp.password or ""), smtp.hostname, smtp.port) == ("user", "p@ss/word", "mail", 587)
    assert given.database.get_secret_value() == "postgresql://tocsin:db%3Apass@db/tocsin"
    assert given.procedures.environment["KUBECONFIG"].get_secret_value() == "/etc/kube.conf"


def test_secrets_come_from_files_beside_the_settings_without_the_last_line_end(read: Read, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    given = read('secret_key = "file:token"\n[channels.email]\nsmtp = "smtps://u:file:token@mail"\nfrom = "a@b"\n')
    assert given.secret_key is not None
    assert given.secret_key.get_secret_value() == "abc"
    assert given.channels.email is not None
    assert given.channels.email.smtp.get_secret_value() == "smtps://u:abc@mail"


def test_no_secret_shows_in_repr_str_or_dump(read: Read, whole: str) -> None:
    given = read(whole)
    for shown in (repr(given), str(given), str(given.model_dump()), given.model_dump_json()):
        assert not [value for value in VALUES if value in shown]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("env:NOT_SET", "environment variable NOT_SET is not set or empty"),
        ("file:none", "none cannot be read (No such file or directory)"),
        ("file:empty", "is empty"),
        ("hunter2", 'must be "env:NAME" or "file:PATH"'),
    ],
)
def test_a_secret_that_is_not_there_names_the_key(read: Read, tmp_path: Path, value: str, reason: str) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsError) as refused:
        read(f'[sources.alerts]\ntoken = "{value}"\n')
    (problem,) = refused.value.problems
    assert problem.startswith("tocsin.toml:2: [sources.alerts] token: ")
    assert reason in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "text",
    [
        '[channels.email]\nsmtp = "ftp://user:env:SMTP_PASSWORD@mail"\nfrom = "x"\n',
        '[channels.slack]\nwebhook_url = "env:HOOK_SECRET"\n',
        'database = "mysql://u:env:DB_PASSWORD@h/d"\n',
        '[sources.alerts]\ntoken = "env:TOCSIN_ALERT_TOKEN"\nother = "env:LINK_KEY"\n',
        '[channels.slack]\nbot_token = "env:LINK_KEY"\n',
        '[people.a]\nemail = "env:LINK_KEY"\n[procedures.environment]\n"A B" = "env:LINK_KEY"',
    ],
)
def test_no_refusal_shows_a_secret(read: Read, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(text)
    assert not [value for value in VALUES if value in str(refused.value)]
