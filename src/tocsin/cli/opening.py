"""Settings and database opened for a command, every refusal as lines to print."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tocsin.config import Overrides, Settings, SettingsError, load
from tocsin.store.database import Store
from tocsin.store.errors import StoreError, StoreUnavailable

PATIENCE_SECONDS, AGAIN_SECONDS = 60.0, 0.25
"""How long a server waits for its database when it starts: whatever starts both need not know their order."""


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
    """The configured database, open and migrated; a server waits for one that may come up yet. Raises Refused."""
    until = time.monotonic() + (PATIENCE_SECONDS if serving else 0.0)
    said = ""
    while True:
        try:
            return Store(found.database.get_secret_value(), serving=serving)
        except StoreError as exc:
            if not isinstance(exc, StoreUnavailable) or time.monotonic() >= until:
                raise Refused([str(exc)]) from exc
            if str(exc) != said:
                said = str(exc)
                print(f"tocsin: {said}: waiting for it", file=sys.stderr, flush=True)
        time.sleep(AGAIN_SECONDS)
