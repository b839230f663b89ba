"""Markdown text as a tree of sections, each with its blocks and their lines; what the recognisers work on.

Reads structure only and understands nothing. Every line number is the document's, counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import Struct

from tocsin.runbook.pieces import cuts
from tocsin.runbook.wording import plain

_PIECE = 400  # lines; most runbooks are one piece
_MARKDOWN = MarkdownIt("commonmark").enable("table").disable("inline")
_ITEM = re.compile(r"\s*(?:>\s*)*(?:[-*+]|[0-9]{1,9}[.)])(?:\s+|$)")
_BOX = re.compile(r"\[(?P<mark>[ xX])\](?:\s+|$)")
_LABEL = re.compile(r"\s*(?:\*\*|__)(?P<label>[^*_].*?)(?:\*\*|__)\s*(?P<colon>:?)\s*(?P<value>.*)", re.DOTALL)
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
_Headed: TypeAlias = tuple[tuple[str, int, int], tuple[Block, ...]]


class Part(Struct, frozen=True, gc=False):
    """The blocks of a section under one bold label; `label` is empty before the first. `value` stands on its line."""

    label: str
    value: str
    line: int
    blocks: tuple[Block, ...]


class Section(Struct, frozen=True, gc=False):
    """A heading and what stands under it up to the next heading. `path` holds the titles above it, outermost first,
    without the document's own title (its only heading of the first level, when it opens the document)."""

    title: str
    level: int
    line: int
    path: tuple[str, ...]
    blocks: tuple[Block, ...]
    labelled: tuple[Part, ...]

    @property
    def trail(self) -> tuple[str, ...]:
        """The titles that tell what the section is about, innermost first."""
        return (self.title, *reversed(self.path))

    def under(self, wording: re.Pattern[str]) -> bool:
        """Whether one of those titles has that wording."""
        return _found(wording, self.trail)

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


def parse(text: str, *, piece: int = _PIECE) -> Document:
    """The document that `text` is; any text is one. It is parsed in pieces of at least `piece` lines."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = tuple(unified.split("\n"))
    references: dict[str, dict[str, dict[str, str]]] = {}
    headed = [entry for start, end in cuts(lines, least=piece) for entry in _headed(lines, start, end, references)]
    sections = tuple(_sections(headed))
    title = next((s.title for s in sections if s.level), "")
    links = references.get("references", {})
    return Document(title, lines, sections, tuple((name, str(link["href"])) for name, link in links.items()))


@lru_cache(maxsize=16384)  # the same titles stand above many sections
def _found(wording: re.Pattern[str], titles: tuple[str, ...]) -> bool:
    return any(wording.search(title) for title in titles)


def walk(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Every block, those nested in list items after their list."""
    for block in blocks:
        yield block
        if isinstance(block, Items):
            for item in block.items:
                yield from walk(item.blocks)


def label_of(text: str) -> tuple[str, str] | None:
    """(label, value) of a line that opens with a bold label: `**Updates:**`, `**Channel:** Slack`, `**Scale up**`."""
    match = _LABEL.fullmatch(text)
    if not match:
        return None
    label, value = match["label"].strip(), match["value"].strip()
    if value and not (match["colon"] or label.endswith(":") or re.fullmatch(r"\([^()]*\)", value)):
        return None
    return plain(label).rstrip(": "), value


def split_cells(line: str) -> tuple[str, ...]:
    """The cells of a table line as GitHub splits them: at every `|` that is not escaped, code span or not."""
    bare = line.strip().removeprefix("|")
    cells = re.split(r"(?<!\\)\|", bare) if "\\" in bare else bare.split("|")
    if cells and not cells[-1].strip() and bare.endswith("|") and not bare.endswith("\\|"):
        cells.pop()
    return tuple(cell.strip().replace("\\|", "|") for cell in cells)


def is_delimiter(line: str) -> bool:
    return "-" in line and "|" in line and bool(_DELIMITER.fullmatch(line))


def _headed(
    lines: tuple[str, ...], start: int, end: int, references: dict[str, dict[str, dict[str, str]]]
) -> Iterator[_Headed]:
    """Each heading of a piece with the blocks below it; what precedes the first stands under a heading of level 0."""
    tokens = _MARKDOWN.parse("\n".join([*lines[start:end], ""] if end < len(lines) else lines[start:end]), references)
    _shift(tokens, start)
    if not tokens and end < len(lines):
        return
    heading, at = ("", 0, start + 1), 0
    for index, token in enumerate(tokens):
        if token.type != "heading_open" or token.level:
            continue
        if index:
            yield heading, _blocks(tokens[at:index], lines)
        heading = (plain(tokens[index + 1].content), int(token.tag[1:]), _start(token) + 1)
        at = index + 3
    yield heading, _blocks(tokens[at:], lines)


def _shift(tokens: list[Token], by: int) -> None:
    """Counts the tokens' lines from the document's start; a token may share its pair of lines with another."""
    if by:
        for pair in {id(token.map): token.map for token in tokens if token.map}.values():
            pair[0] += by
            pair[1] += by


def _sections(headed: list[_Headed]) -> Iterator[Section]:
    above: list[tuple[int, str]] = []
    named = _has_title([heading[1] for heading, _ in headed if heading[1]])
    for (title, level, line), blocks in headed:
        if level:
            above = [entry for entry in above if entry[0] < level] + [(level, title)]
        path = tuple(name for outer, name in above[:-1] if not (named and outer == 1))
        yield Section(title, level, line, path, blocks, tuple(_parts(line, blocks)))


def _has_title(levels: list[int]) -> bool:
    """Whether the first heading is the document's title: the only one of the first level."""
    return levels[:1] == [1] and levels.count(1) == 1


def _blocks(tokens: list[Token], lines: tuple[str, ...]) -> tuple[Block, ...]:
    found: list[Block] = []
    index = 0
    while index < len(tokens):
        end = _close(tokens, index)
        block = _block(tokens[index : end + 1], lines)
        if block is not None:
            found.append(block)
        index = end + 1
    return tuple(found)


def _close(tokens: list[Token], index: int) -> int:
    """The index of the token that closes the one at `index` (itself when it stands alone)."""
    depth = 0
    for position in range(index, len(tokens)):
        depth += tokens[position].nesting
        if depth <= 0:
            return position
    return len(tokens) - 1


def _block(tokens: list[Token], lines: tuple[str, ...]) -> Block | None:
    first = tokens[0]
    line = _start(first) + 1
    match first.type:
        case "paragraph_open" | "heading_open":
            return Paragraph("\n".join(lines[_start(first) : _end(first)]), line)
        case "fence" | "code_block":
            return _code(first, lines)
        case "bullet_list_open" | "ordered_list_open":
            return Items(tuple(_items(tokens, lines)), line)
        case "table_open":
            return _table(tokens, lines)
        case "blockquote_open":
            quoted = (re.sub(r"^\s*>\s?", "", text) for text in lines[_start(first) : _end(first)])
            return Quote("\n".join(quoted).strip("\n"), line)
        case _:
            return None


def _code(token: Token, lines: tuple[str, ...]) -> Code:
    if token.type == "code_block":
        return Code("", token.content, _start(token) + 1, _start(token) + 1, fenced=False)
    last = lines[_end(token) - 1] if _end(token) - 1 > _start(token) else ""
    closing = re.sub(r"^[\s>]*", "", last).strip()
    closed = len(closing) >= len(token.markup) and not closing.strip(token.markup[0])
    language = token.info.strip().split(" ")[0].casefold() if token.info.strip() else ""
    return Code(language, token.content, _start(token) + 1, _start(token) + 2, closed)


def _items(tokens: list[Token], lines: tuple[str, ...]) -> Iterator[Item]:
    index = 1
    while index < len(tokens) - 1:
        end = _close(tokens, index)
        yield _item(tokens[index : end + 1], lines, ordered=tokens[0].type == "ordered_list_open")
        index = end + 1


def _item(tokens: list[Token], lines: tuple[str, ...], *, ordered: bool) -> Item:
    """The item, its text cut from the source: CommonMark takes `- >50%` for a quotation and would lose the `>`."""
    opening, inner = tokens[0], tokens[1:-1]
    start = _start(opening)
    head = inner[0] if inner and inner[0].map and _start(inner[0]) == start else None
    text = ""
    if head is not None and head.type in {"paragraph_open", "blockquote_open", "heading_open", "code_block"}:
        own = [_ITEM.sub("", lines[start], count=1), *lines[start + 1 : max(_end(head), start + 1)]]
        text = "\n".join(line.strip() for line in own).strip()
        inner = inner[_close(inner, 0) + 1 :]
    box = _BOX.match(text)
    checked = None if box is None else box["mark"] != " "
    return Item(text[box.end() :] if box else text, start + 1, ordered, checked, _blocks(inner, lines))


def _table(tokens: list[Token], lines: tuple[str, ...]) -> Table:
    starts = [_start(token) for token in tokens if token.type == "tr_open"]
    header = split_cells(_unquoted(lines[starts[0]]))
    rows = tuple(_row(_unquoted(lines[at]), at + 1, len(header)) for at in starts[1:])
    return Table(header, rows, starts[0] + 1)


def _row(source: str, line: int, width: int) -> Row:
    cells = split_cells(source)
    padded = (cells + ("",) * width)[:width]
    return Row(padded, line, max(0, len(cells) - width))


def _unquoted(line: str) -> str:
    """A table line inside a list item may begin with the item's marker."""
    return _ITEM.sub("", line, count=1) if not line.lstrip().startswith("|") else line


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


def _start(token: Token) -> int:
    return token.map[0] if token.map else 0


def _end(token: Token) -> int:
    return token.map[1] if token.map else 0
