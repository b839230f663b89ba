"""The documents that the runbook links to, read from beside it at start. One level; no link leads out of its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import structlog

from tocsin.runbook.model import Runbook
from tocsin.runbook.reader import read

log = structlog.get_logger()
MOST = 32
LARGEST = 1024 * 1024
_MARKDOWN = (".md", ".markdown")


def linked_documents(runbook: Runbook, path: Path) -> list[tuple[Runbook, str]]:
    """Each linked document with its text, in the order of the links, those without a procedure left out.

    A document that is not there, not UTF-8 or larger than `LARGEST` bytes is logged and passed over: an incident runs
    without it.
    """
    found: list[tuple[Runbook, str]] = []
    folder = path.resolve().parent
    for file in list(_files(runbook, folder))[:MOST]:
        if file == path.resolve():
            continue
        try:
            if file.stat().st_size > LARGEST:
                raise OSError(f"larger than {LARGEST} bytes")
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            log.warning("linked_document_not_read", file=file.name, reason=str(exc))
            continue
        document = read(text, file=str(file.relative_to(folder))).runbook
        if document.procedures:
            found.append((document, text))
    return found


def _files(runbook: Runbook, folder: Path) -> Iterator[Path]:
    """The Markdown files below the folder that links lead to, each once."""
    seen: set[Path] = set()
    for link in runbook.links:
        target = unquote(link.target.partition("#")[0])
        if "://" in target or "\0" in target or target.startswith(("/", "mailto:")):
            continue
        file = (folder / target).resolve()
        below = file.is_relative_to(folder) and file.suffix.casefold() in _MARKDOWN
        if below and file not in seen and file.is_file():
            seen.add(file)
            yield file
