"""What a document's sections are made of: blocks with their text as written, and the lines they stand on.

Every line number is the document's, counted from 1. Nothing here parses Markdown; `commonmark` and `scanning` do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

_ITEM = re.compile(r"\s*(?:>\s*)*(?:[-*+]|[0-9]{1,9}[.)])(?:\s+|$)")
_MARK = re.compile(r"^\s*>\s?")
_BOX = re.compile(r"\[(?P<mark>[ xX])\](?:\s+|$)")
_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")


class Paragraph(Struct, frozen=True, gc=False):
    text: str
    line: int


class Code(Struct, frozen=True, gc=False):
    """A code block; `line` is the opening fence's, `body_line` the first line of `text`. `closed` is False for a fence
    that runs to the end of what holds it."""

    language: str
    text: str
    line: int
    body_line: int
    closed: bool = True
    fenced: bool = True


class Item(Struct, frozen=True, gc=False):
    """A list item: `text` is its own words as written (`>50% users` keeps its `>`), `blocks` what is nested in it.
    `checked` is None where the item is no check box."""

    text: str
    line: int
    ordered: bool
    checked: bool | None = None
    blocks: tuple[Block, ...] = ()


class Items(Struct, frozen=True, gc=False):
    items: tuple[Item, ...]
    line: int


class Row(Struct, frozen=True, gc=False):
    """A table row; `cells` has one entry for each header cell, `surplus` counts the cells written beyond the header."""

    cells: tuple[str, ...]
    line: int
    surplus: int = 0


class Table(Struct, frozen=True, gc=False):
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    line: int


class Quote(Struct, frozen=True, gc=False):
    text: str
    line: int


Block: TypeAlias = Paragraph | Code | Items | Table | Quote
Headed: TypeAlias = tuple[tuple[str, int, int], tuple[Block, ...]]
"""(title, level, line) of a heading, level 0 where there is none, and the blocks below it."""


def walk(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Every block, those nested in list items after their list."""
    for block in blocks:
        yield block
        if isinstance(block, Items):
            for item in block.items:
                if item.blocks:
                    yield from walk(item.blocks)


def split_cells(line: str) -> tuple[str, ...]:
    """The cells of a table line as GitHub splits them: at every `|` that is not escaped, code span or not."""
    bare = line.strip().removeprefix("|")
    cells = re.split(r"(?<!\\)\|", bare) if "\\" in bare else bare.split("|")
    if cells and not cells[-1].strip() and bare.endswith("|") and not bare.endswith("\\|"):
        cells.pop()
    return tuple(cell.strip().replace("\\|", "|") for cell in cells)


def is_delimiter(line: str) -> bool:
    return "-" in line and "|" in line and bool(_DELIMITER.fullmatch(line))


def language_of(info: str) -> str:
    """The language that stands behind a fence's marks, in lower case."""
    return info.strip().split(" ")[0].casefold()


def item_words(lines: Sequence[str], start: int, end: int) -> str:
    """The words of a list item from its own line on, without its marker; `start` and `end` are indices of lines."""
    own = [_ITEM.sub("", lines[start], count=1), *lines[start + 1 : end]]
    return "\n".join(line.strip() for line in own).strip()


def item_of(text: str, line: int, blocks: tuple[Block, ...], *, ordered: bool) -> Item:
    """The item of those words, a box before them read as one."""
    box = _BOX.match(text) if text.startswith("[") else None
    checked = None if box is None else box["mark"] != " "
    return Item(text[box.end() :] if box else text, line, ordered, checked, blocks)


def quote_of(lines: Iterable[str], line: int) -> Quote:
    """The quotation of those lines, without their marks."""
    return Quote("\n".join(_MARK.sub("", text) for text in lines).strip("\n"), line)


def table_of(lines: Sequence[str], at: Sequence[int]) -> Table:
    """The table whose header and rows are the lines at those indices."""
    header = split_cells(_unquoted(lines[at[0]]))
    rows = tuple(_row(_unquoted(lines[row]), row + 1, len(header)) for row in at[1:])
    return Table(header, rows, at[0] + 1)


def _row(source: str, line: int, width: int) -> Row:
    cells = split_cells(source)
    padded = (cells + ("",) * width)[:width]
    return Row(padded, line, max(0, len(cells) - width))


def _unquoted(line: str) -> str:
    """A table line inside a list item may begin with the item's marker."""
    return _ITEM.sub("", line, count=1) if not line.lstrip().startswith("|") else line
