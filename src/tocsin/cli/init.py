"""`tocsin init`: a `tocsin.toml` and a `runbook.md` to begin with. Writes both or neither, never over a file."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from tocsin.cli.complaints import complain

NAMES = ("tocsin.toml", "runbook.md")


def init(directory: Path) -> int:
    """0 once both files are there; 2 when one is there already or the directory cannot be written."""
    there = [directory / name for name in NAMES if os.path.lexists(directory / name)]
    if there:
        said = f"{there[0]} exists" if len(there) == 1 else f"{there[0]} and {there[1]} exist"
        return complain(f"{said} already: nothing was written; name another directory, or move what is there")
    written: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            _place(directory / name, starter(name))
            written.append(directory / name)
    except OSError as exc:
        for path in written:
            with suppress(OSError):
                path.unlink()
        return complain(f"{directory} cannot be written: {exc.strerror}: nothing was written; name another directory")
    print(f"Wrote {written[0]} and {written[1]}.")
    print(f"Next: put your people into {NAMES[0]} and your commands into {NAMES[1]}, then")
    for command in _next(directory):
        print(f"  {command}")
    return 0


def starter(name: str) -> bytes:
    """The text of a starter file."""
    return (files("tocsin") / "examples" / "starter" / name).read_bytes()


def _place(target: Path, text: bytes) -> None:
    """The whole file at once, refusing to replace one that came in between."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.link(name, target)
    finally:
        os.unlink(name)


def _next(directory: Path) -> tuple[str, ...]:
    here = "" if directory == Path() else f" --config {directory / NAMES[0]}"
    return f"tocsin check {directory / NAMES[1]}", f"tocsin doctor{here}", f"tocsin serve{here}"
