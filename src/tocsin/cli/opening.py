"""Settings and database opened for a command, every refusal as lines to print."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.config import Overrides, Settings, SettingsError, load
from tocsin.store.database import Store
from tocsin.store.errors import StoreError


class Refused(Exception):
    """What cannot be opened and why, one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def settings(config: Path | None, overrides: Overrides = Overrides()) -> Settings:
    """The settings in force. Raises Refused."""
    try:
        return load(config, environ=os.environ, overrides=overrides)
    except SettingsError as exc:
        raise Refused(str(exc).splitlines()) from exc


def store(found: Settings, *, serving: bool = False) -> Store:
    """The configured database, open and migrated. Raises Refused."""
    try:
        return Store(found.database.get_secret_value(), serving=serving)
    except StoreError as exc:
        raise Refused([str(exc)]) from exc
