from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin.config import Settings, load

ENVIRON = {
    "TOCSIN_ALERT_TOKEN": "alert-token-value",
    "SMTP_PASSWORD": "p@ss/word",
    "HOOK_SECRET": "hook-secret-value",
    "LINK_KEY": "link-key-value",
    "SLACK_URL": "https://hooks.example.com/services/slack-secret-value",
    "DB_PASSWORD": "db:pass",
}


@pytest.fixture
def whole() -> str:
    """A settings file with every table in it."""
    return (Path(__file__).parent / "whole.toml").read_text(encoding="utf-8")


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    """Reads settings of that text as the file `tocsin.toml` of the working directory."""
    monkeypatch.chdir(tmp_path)

    def read_text(text: str) -> Settings:
        Path("tocsin.toml").write_text(text, encoding="utf-8")
        return load(Path("tocsin.toml"), environ=ENVIRON)

    return read_text
