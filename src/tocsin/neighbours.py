"""The documents that a runbook names, read from beside it. What they name in turn is not followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from tocsin.runbook.model import Reading, Runbook
from tocsin.runbook.reader import read
from tocsin.runbook.siblings import targets

LARGEST = 1024 * 1024
FOLDERS = 6
"""A path is sought beside the runbook, then from each folder above it: `docs/runbooks/rollback.md`."""
Unread = Callable[[Path, str], None]
"""Told of a file that was not read, and why."""


def _passed_over(file: Path, reason: str) -> None:
    """A runbook is good for what it says itself."""


def linked_documents(
    reading: Reading, text: str, path: Path, *, unread: Unread = _passed_over
) -> list[tuple[Runbook, str]]:
    """Each named document with its text, in the order of the names; those without a procedure are left out.

    `text` is the runbook's, which lies at `path`. A document that is not UTF-8 or larger than `LARGEST` bytes is told
    to `unread` and passed over: an incident runs without it.
    """
    return [(document, said) for document, said in _documents(reading, text, path, unread) if document.procedures]


def read_beside(reading: Reading, text: str, path: Path) -> dict[str, Runbook]:
    """Each document that the runbook at `path` names and that can be read, by that name."""
    return {document.file: document for document, _ in _documents(reading, text, path, _passed_over)}


def named_files(reading: Reading, text: str, path: Path) -> dict[str, Path]:
    """The file of each document that the runbook at `path` names, by the name; a name without a file is left out."""
    here = path.resolve()
    sought = ((target, _sought(target, here)) for target in targets(reading, text))
    return {target: file for target, file in sought if file is not None}


def _documents(reading: Reading, text: str, path: Path, unread: Unread) -> list[tuple[Runbook, str]]:
    here = path.resolve()
    found: dict[Path, tuple[Runbook, str]] = {}
    for target, file in named_files(reading, text, path).items():
        said = _text(file, unread) if file != here and file not in found else None
        if said is not None:
            found[file] = (replace(read(said, file=target).runbook, links=()), said)
    return list(found.values())


def _sought(target: str, here: Path) -> Path | None:
    for folder in list(here.parents)[:FOLDERS]:
        file = (folder / target).resolve()
        try:
            if file.is_file():
                return file
        except (OSError, ValueError):  # a name that no file can have
            return None
    return None


def _text(file: Path, unread: Unread) -> str | None:
    try:
        if file.stat().st_size > LARGEST:
            raise OSError(f"larger than {LARGEST} bytes")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        unread(file, str(exc))
        return None
