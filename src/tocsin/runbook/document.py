"""Markdown text as a tree of sections, each with its blocks and their lines; what the recognisers work on.

Reads structure only and understands nothing. Every line number is the document's, counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from tocsin.runbook import commonmark
from tocsin.runbook.blocks import (
    Block,
    Code,
    Headed,
    Item,
    Items,
    Paragraph,
    Quote,
    Row,
    Table,
    is_delimiter,
    split_cells,
    walk,
)
from tocsin.runbook.pieces import cuts
from tocsin.runbook.scanning import Doubtful, scan
from tocsin.runbook.wording import Wording, plain

__all__ = [
    "Block",
    "Code",
    "Document",
    "Item",
    "Items",
    "Paragraph",
    "Part",
    "Quote",
    "Row",
    "Section",
    "Table",
    "headed",
    "is_delimiter",
    "label_of",
    "parse",
    "split_cells",
    "walk",
]

_LABEL = re.compile(r"\s*(?:\*\*|__)(?P<label>[^*_].*?)(?:\*\*|__)\s*(?P<colon>:?)\s*(?P<value>.*)", re.DOTALL)


class Part(Struct, frozen=True, gc=False):
    """The blocks of a section under one bold label; `label` is empty before the first. `value` stands on its line."""

    label: str
    value: str
    line: int
    blocks: tuple[Block, ...]


class Section(Struct, frozen=True, gc=False):
    """A heading and what stands under it up to the next heading. `path` holds the titles above it, outermost first,
    without the document's own title (its only heading of the first level, when it opens the document); `trail` are the
    titles that tell what the section is about, innermost first."""

    title: str
    level: int
    line: int
    path: tuple[str, ...]
    trail: tuple[str, ...]
    blocks: tuple[Block, ...]
    labelled: tuple[Part, ...]

    def under(self, wording: Wording) -> bool:
        """Whether one of the titles of the `trail` has that wording."""
        return any(map(wording.search, self.trail))

    def parts(self) -> tuple[Part, ...]:
        """The blocks by the bold label they stand under; the first part has none."""
        return self.labelled

    def tables(self) -> Iterator[Table]:
        return (block for block in walk(self.blocks) if isinstance(block, Table))

    def codes(self) -> Iterator[Code]:
        return (block for block in walk(self.blocks) if isinstance(block, Code))


class Document(Struct, frozen=True):
    """`lines` are the text's, without ends; `sections` come in document order from what precedes a heading."""

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    references: tuple[tuple[str, str], ...] = ()

    def source(self, line: int) -> str:
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""

    def column(self, line: int, needle: str) -> int:
        """The 1-based column where `needle` stands in that line, else that of the line's first character."""
        source = self.source(line)
        at = source.find(needle) if needle else -1
        return (at if at >= 0 else len(source) - len(source.lstrip())) + 1


def parse(text: str) -> Document:
    """The document that `text` is; any text is one."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = tuple(unified.split("\n"))
    references: commonmark.References = {}
    sections = tuple(_sections(list(headed(lines, references))))
    title = next((s.title for s in sections if s.level), "")
    links = references.get("references", {})
    return Document(title, lines, sections, tuple((name, str(link["href"])) for name, link in links.items()))


def headed(lines: tuple[str, ...], references: commonmark.References) -> Iterator[Headed]:
    """Each heading with the blocks below it, in order; the definitions of links join `references`. What is written as
    nearly everybody writes it is scanned, and a piece with anything else in it parsed."""
    for start, end in cuts(lines, least=1):
        try:
            yield from scan(lines, start, end)
        except Doubtful:
            yield from commonmark.headed(lines, start, end, references)


def label_of(text: str) -> tuple[str, str] | None:
    """(label, value) of a line that opens with a bold label: `**Updates:**`, `**Channel:** Slack`, `**Scale up**`."""
    match = _LABEL.fullmatch(text)
    if not match:
        return None
    label, value = match["label"].strip(), match["value"].strip()
    if value and not (match["colon"] or label.endswith(":") or re.fullmatch(r"\([^()]*\)", value)):
        return None
    return plain(label).rstrip(": "), value


def _sections(headed: list[Headed]) -> Iterator[Section]:
    above: list[tuple[int, str]] = []
    named = _has_title([heading[1] for heading, _ in headed if heading[1]])
    for (title, level, line), blocks in headed:
        if level:
            above = [entry for entry in above if entry[0] < level] + [(level, title)]
        path = tuple(name for outer, name in above[:-1] if not (named and outer == 1))
        yield Section(title, level, line, path, (title, *path[::-1]), blocks, tuple(_parts(line, blocks)))


def _has_title(levels: list[int]) -> bool:
    """Whether the first heading is the document's title: the only one of the first level."""
    return levels[:1] == [1] and levels.count(1) == 1


def _parts(heading: int, held: tuple[Block, ...]) -> Iterator[Part]:
    label, value, line = "", "", heading
    blocks: list[Block] = []
    for block in held:
        rows = block.text.split("\n") if isinstance(block, Paragraph) else []
        labels = [label_of(row) for row in rows]
        if not rows or not labels[0]:
            blocks.append(block)
            continue
        for offset, (row, found) in enumerate(zip(rows, labels, strict=True)):
            if found:
                yield Part(label, value, line, tuple(blocks))
                (label, value), line, blocks = found, block.line + offset, []
            else:
                value = f"{value}\n{row}".strip()
    yield Part(label, value, line, tuple(blocks))
