"""`tocsin init`: a `tocsin.toml` and a `runbook.md` to begin with, from the answers of a short interview where somebody
can be asked. Writes both or neither, never over a file."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from tocsin.cli import starter
from tocsin.cli.complaints import complain
from tocsin.cli.interview import Answers, Ask, interview

NAMES = ("tocsin.toml", "runbook.md")


def init(directory: Path, *, ask: Ask | None = None) -> int:
    """0 once both files are there; 2 when one is there already, the directory cannot be written or the answers end.

    With `ask` the questions are put through it first; without it the defaults are written. An interrupt passes through
    and leaves neither file.
    """
    there = [directory / name for name in NAMES if os.path.lexists(directory / name)]
    if there:
        said = f"{there[0]} exists" if len(there) == 1 else f"{there[0]} and {there[1]} exist"
        return complain(f"{said} already: nothing was written; name another directory, or move what is there")
    try:
        answers = interview(ask, print) if ask else Answers()
    except EOFError:
        return complain("the answers ended before the last question: nothing was written; --yes takes the defaults")
    return _written(directory, answers, asked=ask is not None)


def _written(directory: Path, answers: Answers, *, asked: bool) -> int:
    texts = dict(zip(NAMES, (starter.settings(answers), starter.runbook(answers)), strict=True))
    written: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _place(directory / name, text.encode())
            written.append(directory / name)
    except (OSError, KeyboardInterrupt) as exc:
        for path in written:
            with suppress(OSError):
                path.unlink()
        if isinstance(exc, KeyboardInterrupt):
            raise
        return complain(f"{directory} cannot be written: {exc.strerror}: nothing was written; name another directory")
    print(f"Wrote {written[0]} and {written[1]}.")
    todo = "look both over" if asked else f"put your people into {NAMES[0]} and your commands into {NAMES[1]}"
    print(f"Next: {todo}, then")
    for command in _next(directory):
        print(f"  {command}")
    return 0


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
