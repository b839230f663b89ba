"""The documents a runbook sends people to, read for the procedures that can be run from here.

Only one step is taken: what a linked document links to is not followed. Levels, rungs and clocks of two documents are
never merged; a linked one gives its procedures and nothing else. This module refuses to look for files: the caller
does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote

from msgspec import structs

from tocsin.runbook.model import LinkedDocument, Procedure, Reading
from tocsin.runbook.reader import read
from tocsin.runbook.wording import slug, unique

_MARKDOWN = re.compile(r"(?![a-z][a-z0-9+.-]*:|/)[^\s?#`]+\.(?:md|markdown)", re.IGNORECASE)
_SPAN = re.compile(r"`(?P<path>[^`\n]+)`")
MOST = 40
"""How many linked documents are read; an index of hundreds is no runbook's neighbourhood."""


def targets(reading: Reading, text: str) -> dict[str, int]:
    """The relative paths of Markdown documents that the text names, each with the first line that does: links, and
    paths between backticks (`docs/runbooks/rollback.md`). In order of those lines, at most `MOST`."""
    named = [(link.line, link.target) for link in reading.runbook.links]
    for number, line in enumerate(text.splitlines(), start=1):
        if "`" in line and "." in line:
            named += [(number, match["path"]) for match in _SPAN.finditer(line)]
    found: dict[str, int] = {}
    for number, target in sorted(named, key=lambda entry: entry[0]):
        path = unquote(target.partition("#")[0])
        if _MARKDOWN.fullmatch(path):
            found.setdefault(path, number)
    return dict(list(found.items())[:MOST])


def with_linked(reading: Reading, text: str, texts: Mapping[str, str]) -> Reading:
    """The reading with the documents among `texts` (path as named -> text) that the runbook names and that hold
    procedures. `text` is the runbook's own."""
    taken = {procedure.slug for procedure in reading.runbook.procedures}
    linked = []
    for target, line in targets(reading, text).items():
        if target in texts:
            document = _document(target, line, texts[target], taken)
            if document.procedures:
                linked.append(document)
    return structs.replace(reading, runbook=structs.replace(reading.runbook, linked=tuple(linked)))


def _document(target: str, line: int, text: str, taken: set[str]) -> LinkedDocument:
    runbook = read(text, file=target).runbook
    name = slug(PurePosixPath(target).stem) or "linked"
    procedures = tuple(_named(procedure, f"{name}--{procedure.slug}", taken) for procedure in runbook.procedures)
    return LinkedDocument(target, runbook.title, procedures, line)


def _named(procedure: Procedure, name: str, taken: set[str]) -> Procedure:
    return structs.replace(procedure, slug=unique(name, taken))
