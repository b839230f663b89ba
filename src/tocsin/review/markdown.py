"""A postmortem as Markdown (CommonMark with pipe tables) in which no text can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.incident.wording import harmless, one_line
from tocsin.review.document import Block, Bullets, Paragraphs, Postmortem, Table

# `_` inside a word is no emphasis in CommonMark: left alone, so that names of pods stay readable
# a `#` at the end would close a heading
_MARKUP = re.compile(r"[\\`*\[\]<>|~$&]|(?<!\w)_|_(?!\w)|#$")
_OPENING = re.compile(r"^(\d{0,9})([#+=.)-])")


def as_markdown(postmortem: Postmortem) -> str:
    """The whole document, ended by one line end."""
    parts = [f"# Postmortem of incident {postmortem.number}: {escaped(postmortem.title)}"]
    for section in postmortem.sections:
        parts.append(f"## {escaped(section.title)}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """The text as one line that reads the same and is nothing but text, also in a table's cell."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def _block(block: Block) -> str:
    if isinstance(block, Paragraphs):
        return _titled(block.title, _paragraphs(block))
    if isinstance(block, Bullets):
        return _titled(block.title, "\n".join(f"- {_line(item)}" for item in block.items))
    return _titled(block.title, _table(block))


def _titled(title: str, body: str) -> str:
    return f"### {escaped(title)}\n\n{body}" if title else body


def _paragraphs(block: Paragraphs) -> str:
    paragraphs = re.split(r"\n\s*\n", harmless(block.text).strip())
    text = "\n\n".join("\\\n".join(filter(None, map(_line, p.split("\n")))) for p in paragraphs)
    return f"*{text}*" if block.missing and text else text


def _line(text: str) -> str:
    """An escaped line that cannot open a heading, list, quote or rule."""
    return _OPENING.sub(r"\1\\\2", escaped(text))


def _table(table: Table) -> str:
    rule = "|".join(["", *(" --- " for _ in table.columns), ""])
    return "\n".join([_row(table.columns), rule, *(_row(row) for row in table.rows)])


def _row(cells: Iterable[str]) -> str:
    return "|".join(["", *(f" {escaped(cell)} " for cell in cells), ""])
