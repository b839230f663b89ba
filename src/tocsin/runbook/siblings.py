"""The documents a runbook sends people to, and what they give it: their procedures, which can be run from here.

Only one step is taken: what a linked document links to is not followed. Levels, rungs and clocks of two documents are
never merged; a linked one gives its procedures, and where it contradicts the runbook that is said. This module refuses
to look for files: the caller does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote

from msgspec import structs

from tocsin.runbook import durations, findings, levels
from tocsin.runbook.model import Finding, LinkedDocument, Procedure, Reading, Runbook
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


def with_linked(reading: Reading, text: str, documents: Mapping[str, Runbook]) -> Reading:
    """The reading with those of the `documents` (by the path the runbook names them with) that hold procedures, and a
    finding for each level that one of them defines otherwise. `text` is the runbook's own."""
    taken = {procedure.slug for procedure in reading.runbook.procedures}
    linked: list[LinkedDocument] = []
    said = list(reading.findings)
    for target, line in targets(reading, text).items():
        if target in documents:
            document = _document(target, line, documents[target], taken)
            linked += [document] if document.procedures else []
            said += _contradictions(reading.runbook, documents[target], line)
    ordered = tuple(sorted(said, key=lambda found: (found.line, found.column, found.code)))
    return structs.replace(reading, runbook=structs.replace(reading.runbook, linked=tuple(linked)), findings=ordered)


def _document(target: str, line: int, runbook: Runbook, taken: set[str]) -> LinkedDocument:
    name = slug(PurePosixPath(target).stem) or "linked"
    procedures = tuple(_named(procedure, f"{name}--{procedure.slug}", taken) for procedure in runbook.procedures)
    return LinkedDocument(target, runbook.title, procedures, line)


def _named(procedure: Procedure, name: str, taken: set[str]) -> Procedure:
    return structs.replace(procedure, slug=unique(name, taken))


def _contradictions(runbook: Runbook, other: Runbook, line: int) -> Iterator[Finding]:
    """A finding at the link for every level that both documents time, and time differently."""
    theirs = {levels.key(level.name): level for level in other.severities}
    for level in runbook.severities:
        there = theirs.get(levels.key(level.name))
        if there and level.response is not None and there.response not in {None, level.response}:
            here, elsewhere = durations.words(level.response), durations.words(there.response or level.response)
            yield findings.at(
                findings.CONTRADICTED,
                (line, 1),
                f"{level.name} is answered within {here} by line {level.line}, and within {elsewhere} by line "
                f"{there.line} of {other.file}",
                "Let one of the two documents hold the levels, and the other point to it.",
            )
