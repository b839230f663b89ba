"""Check boxes, grouped by the label or heading they stand under."""

from __future__ import annotations

import re

from tocsin.runbook import findings
from tocsin.runbook.document import Document, Items, Part, Section, walk
from tocsin.runbook.model import Checklist, Finding
from tocsin.runbook.wording import plain

_PURPOSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("follow_up", re.compile(r"action items?|follow-?\s?ups?|tickets?|post-?\s?(?:incident|mortem)", re.IGNORECASE)),
    ("verification", re.compile(r"verif|validat|resol|recover|before clos|closing|sign.?off", re.IGNORECASE)),
)


def read(document: Document) -> tuple[tuple[Checklist, ...], list[Finding]]:
    """Every group of check boxes, in order; boxes inside fences are part of a form and do not count."""
    found = tuple(
        Checklist(
            part.label or section.title, items, part.line if part.label else section.line, _purpose(part, section)
        )
        for section in document.sections
        for part in section.parts()
        if (items := _boxes(part))
    )
    verifies = any(checklist.purpose == "verification" for checklist in found)
    return found, [] if verifies else [findings.absent(findings.NO_CHECKLIST)]


def _boxes(part: Part) -> tuple[str, ...]:
    return tuple(
        plain(item.text)
        for block in walk(part.blocks)
        if isinstance(block, Items)
        for item in block.items
        if item.checked is not None
    )


def _purpose(part: Part, section: Section) -> str:
    """By the nearest words that tell: a label, then the heading, then those above it."""
    for title in (part.label, *section.trail):
        for purpose, wording in _PURPOSES:
            if title and wording.search(title):
                return purpose
    return "other"
