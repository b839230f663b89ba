"""Levels in shorthand: all of them on one line, or as what the cases of a list lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.runbook import levels
from tocsin.runbook.document import Document, Items, Paragraph, Section
from tocsin.runbook.model import Severity
from tocsin.runbook.wording import plain

_ABOUT = re.compile(
    r"(?:(?:incident |alert )?severit(?:y|ies)|severidad(?:e|es)?|gravit[eé]|priorit(?:y|ies))(?: levels?| scale)?",
    re.IGNORECASE,
)
_ONE = re.compile(
    r"(?P<name>(?:SEV|Sev|P|S)[\s-]?[0-9])\s*(?:\((?P<inside>[^()]{2,60})\)|[=:–—-]\s*(?P<word>[^\W\d_][\w ]{2,40}))"
)
_CUT = re.compile(r"\s*(?:[/·|•;]|,(?![^(]*\)))\s*")
_ARROW = re.compile(r"\s+(?:→|⇒|-+>|=+>)\s+")


def in_one_line(document: Document) -> list[Severity]:
    """The levels of a line such as `Severity levels: P1 (critical) / P2 (major)`: only names, each with words."""
    for section in document.sections:
        for text, line in _lines(section):
            label, _, rest = plain(text).partition(":")
            pieces = (
                [_ONE.fullmatch(piece) for piece in _CUT.split(rest.strip(" ."))] if _ABOUT.fullmatch(label) else []
            )
            named = [piece for piece in pieces if piece]
            if len(named) > 1 and len(named) == len(pieces):
                return [
                    Severity(piece["name"], (piece["inside"] or piece["word"]).strip(), None, "", "", line)
                    for piece in named
                ]
    return []


def _lines(section: Section) -> Iterator[tuple[str, int]]:
    for block in section.blocks:
        if isinstance(block, Paragraph):
            yield from ((row, block.line + at) for at, row in enumerate(block.text.split("\n")))
        elif isinstance(block, Items):
            yield from ((item.text, item.line) for item in block.items)


def led_to(block: Items) -> list[Severity]:
    """The levels of a list whose every point is a case, an arrow and the level it has; empty for any other list."""
    found = []
    for item in block.items:
        case, *told = _ARROW.split(plain(item.text), maxsplit=1)
        name = levels.leading(told[0]) if told else None
        if name is None or not re.search("[0-9]", name) or case.endswith("?"):
            return []
        found.append(Severity(name, case, None, "", "", item.line))
    return found if len({levels.key(level.name) for level in found}) == len(found) else []
