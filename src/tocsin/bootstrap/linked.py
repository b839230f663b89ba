"""The documents that the runbook names, read from beside it. What they name in turn is not followed."""

from __future__ import annotations

from pathlib import Path

import structlog
from msgspec.structs import replace

from tocsin.runbook.model import Reading, Runbook
from tocsin.runbook.reader import read
from tocsin.runbook.siblings import targets

log = structlog.get_logger()
LARGEST = 1024 * 1024
FOLDERS = 4
"""A path is sought beside the runbook, then from each folder above it: `docs/runbooks/rollback.md`."""


def linked_documents(reading: Reading, text: str, path: Path) -> list[tuple[Runbook, str]]:
    """Each named document with its text, in the order of the names; those without a procedure are left out.

    `text` is the runbook's, which lies at `path`. A document that is not UTF-8 or larger than `LARGEST` bytes is logged
    and passed over: an incident runs without it.
    """
    here = path.resolve()
    found: dict[Path, tuple[Runbook, str]] = {}
    for target, file in named_files(reading, text, path).items():
        said = _text(file) if file != here and file not in found else None
        if said is None:
            continue
        document = read(said, file=target).runbook
        if document.procedures:
            found[file] = (replace(document, links=()), said)
    return list(found.values())


def named_files(reading: Reading, text: str, path: Path) -> dict[str, Path]:
    """The file of each document that the runbook at `path` names, by the name; a name without a file is left out."""
    here = path.resolve()
    sought = ((target, _sought(target, here)) for target in targets(reading, text))
    return {target: file for target, file in sought if file is not None}


def _sought(target: str, here: Path) -> Path | None:
    for folder in list(here.parents)[:FOLDERS]:
        file = (folder / target).resolve()
        try:
            if file.is_file():
                return file
        except (OSError, ValueError):  # a name that no file can have
            return None
    return None


def _text(file: Path) -> str | None:
    try:
        if file.stat().st_size > LARGEST:
            raise OSError(f"larger than {LARGEST} bytes")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        log.warning("linked_document_not_read", file=file.name, reason=str(exc))
        return None
