"""`tocsin backup` and `tocsin restore`: the embedded database copied, server running or not, and put back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tocsin.cli import opening
from tocsin.cli.complaints import FAILED, complain
from tocsin.config import Overrides
from tocsin.store.backup import Copied, back_up, embedded
from tocsin.store.backup import restore as put_back
from tocsin.store.errors import StoreError


def backup(file: Path, *, force: bool, config: Path | None, database: str | None) -> int:
    """Says what the copy holds; 1 when none was made."""
    try:
        path = _path(file, config, database)
        copied = back_up(path, file, overwrite=force)
    except opening.Refused as exc:
        return complain(*exc.lines)
    except StoreError as exc:
        return complain(str(exc), code=FAILED)
    print(f"{file}: {_told(copied)}")
    return 0


def restore(file: Path, *, config: Path | None, database: str | None) -> int:
    """Says what is in force now and where the database before it is; 1 when nothing was changed."""
    try:
        path = _path(file, config, database, restoring=True)
        copied, kept = put_back(file, path, now=datetime.now(UTC))
    except opening.Refused as exc:
        return complain(*exc.lines)
    except StoreError as exc:
        return complain(str(exc), code=FAILED)
    print(f"{path}: restored from {file}, {_told(copied)}")
    if kept is not None:
        print(f"the database that it replaces is kept: {kept}")
    return 0


def _path(file: Path, config: Path | None, database: str | None, *, restoring: bool = False) -> Path:
    settings = opening.settings(config, Overrides(database=database))
    return embedded(settings.database.get_secret_value(), file=file, restoring=restoring)


def _told(copied: Copied) -> str:
    incidents = f"{copied.incidents} incident{'' if copied.incidents == 1 else 's'}"
    return f"{copied.size / 1_000_000:.1f} MB, {incidents}, checked"
