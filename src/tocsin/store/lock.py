"""One server a file: an embedded database belongs to the process that serves it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from tocsin.store.errors import StoreError


class Lock:
    """Held until `release` or the end of the process, however it ends."""

    def __init__(self, database: Path) -> None:
        """Raises StoreError, naming who holds it, when another process serves this database."""
        path = database.with_name(database.name + ".lock")
        try:
            self._file: IO[str] = path.open("a+", encoding="ascii")
        except OSError as exc:
            raise StoreError(
                f"database {database}: {exc.strerror}: make its directory writable: {path.parent}"
            ) from exc
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read(20).strip() or "unknown"
            self._file.close()
            raise StoreError(
                f"database {database}: another tocsin (process {holder}) serves it: stop that one, "
                "or name another file with --database"
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        self._file.close()
