"""Check boxes, grouped by the label or heading they stand under."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.runbook import findings
from tocsin.runbook.document import Block, Document, Item, Items, Paragraph, Part, Section, label_of
from tocsin.runbook.model import Checklist, Finding
from tocsin.runbook.wording import plain, without_parentheses

_PURPOSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("follow_up", re.compile(r"action items?|follow-?\s?ups?|tickets?|post-?\s?(?:incident|mortem)", re.IGNORECASE)),
    ("verification", re.compile(r"verif|validat|resol|recover|before clos|closing|sign.?off", re.IGNORECASE)),
)


def read(document: Document) -> tuple[tuple[Checklist, ...], list[Finding]]:
    """Every group of check boxes, in order; boxes inside fences are part of a form and do not count."""
    found = tuple(
        Checklist(title, items, line, _purpose((title, part.label, *section.trail)))
        for section in document.sections
        for part in section.parts()
        for title, line, items in _groups(part, section)
    )
    verifies = any(checklist.purpose == "verification" for checklist in found)
    return found, [] if verifies else [findings.absent(findings.NO_CHECKLIST)]


def _groups(part: Part, section: Section) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """(title, line, boxes) of each group in the part. A point that is no box itself names the boxes below it, and a
    bold label inside a point those below the label."""
    found: dict[tuple[str, int], list[str]] = {}
    title = (part.label, part.line) if part.label else (section.title, section.line)
    for named, box in _boxes(part.blocks, title):
        found.setdefault(named, []).append(box)
    yield from ((name, line, tuple(boxes)) for (name, line), boxes in found.items())


def _boxes(blocks: tuple[Block, ...], title: tuple[str, int]) -> Iterator[tuple[tuple[str, int], str]]:
    """(what names it, words) of each box, in order."""
    for block in blocks:
        if isinstance(block, Paragraph) and (label := label_of(block.text)):
            title = (label[0], block.line)
        for item in block.items if isinstance(block, Items) else ():
            if item.checked is not None:
                yield title, plain(item.text)
            if item.blocks:
                named = title if item.checked is not None else (_name(item), item.line)
                yield from _boxes(item.blocks, named)


def _name(item: Item) -> str:
    return without_parentheses(plain(item.text)).rstrip(": ")


def _purpose(titles: tuple[str, ...]) -> str:
    """By the nearest words that tell, innermost first: a point or label, then the heading, then those above it."""
    for title in titles:
        for purpose, wording in _PURPOSES:
            if title and wording.search(title):
                return purpose
    return "other"
