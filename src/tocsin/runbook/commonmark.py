"""Markdown lines as blocks, by CommonMark's own rules and GitHub's tables: what the parser understands of any text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tocsin.runbook.blocks import (
    Block,
    Code,
    Headed,
    Item,
    Items,
    Paragraph,
    item_of,
    item_words,
    language_of,
    quote_of,
    table_of,
)
from tocsin.runbook.wording import plain

References: TypeAlias = dict[str, dict[str, dict[str, str]]]
_MARKDOWN = MarkdownIt("commonmark").enable("table").disable("inline")


def headed(lines: tuple[str, ...], start: int, end: int, references: References) -> Iterator[Headed]:
    """Each heading of a piece with the blocks below it; what precedes the first stands under a heading of level 0.
    The definitions of links join `references`."""
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
            return table_of(lines, [_start(token) for token in tokens if token.type == "tr_open"])
        case "blockquote_open":
            return quote_of(lines[_start(first) : _end(first)], line)
        case _:
            return None


def _code(token: Token, lines: tuple[str, ...]) -> Code:
    if token.type == "code_block":
        return Code("", token.content, _start(token) + 1, _start(token) + 1, fenced=False)
    last = lines[_end(token) - 1] if _end(token) - 1 > _start(token) else ""
    closing = re.sub(r"^[\s>]*", "", last).strip()
    closed = len(closing) >= len(token.markup) and not closing.strip(token.markup[0])
    return Code(language_of(token.info), token.content, _start(token) + 1, _start(token) + 2, closed)


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
        text = item_words(lines, start, max(_end(head), start + 1))
        inner = inner[_close(inner, 0) + 1 :]
    return item_of(text, start + 1, _blocks(inner, lines), ordered=ordered)


def _start(token: Token) -> int:
    return token.map[0] if token.map else 0


def _end(token: Token) -> int:
    return token.map[1] if token.map else 0
