"""The everyday shapes of Markdown, read line by line: what runbooks are written in, at a fraction of the parser's cost.

Headings, paragraphs, fences, lists, tables, quotations and comments as nearly everybody writes them give the blocks
that CommonMark's rules give. Whatever else a line could mean (raw HTML, code by indentation, link definitions,
underlined headings, tabs ...) is `Doubtful`, and the caller asks the parser. Nothing may be read here that the parser
reads otherwise; the tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it.rules_block.html_block import HTML_SEQUENCES

from tocsin.runbook.blocks import (
    Block,
    Code,
    Headed,
    Items,
    Paragraph,
    Quote,
    Table,
    item_of,
    item_words,
    language_of,
    quote_of,
    table_of,
)
from tocsin.runbook.wording import plain

_DEEPEST = 8  # lists within lists; the parser gives up below the tenth
_MOST_CELLS = 0x10000  # the parser ends a table for which it would have to make up more
_CODE = 4  # blanks before a line that make it code
_LINE = re.compile(
    r" *(?:"
    r"(?P<words>(?=[^ \t#`~=\-*_+0-9><|:\[]))"
    r"|(?P<blank>$)"
    r"|(?P<heading>#{1,6}(?= |$))"
    r"|(?P<fence>`{3,}(?=[^`]*$)|~{3,})"
    r"|(?P<underline>(?:=+|-+) *$)"
    r"|(?P<rule>(?:\*(?: *\*){2,}|_(?: *_){2,}|-(?: *-){2,}) *$)"
    r"|(?P<bare>(?:[-*+]|[0-9]{1,9}[.)]) *$)"
    r"|(?P<item>(?:[-*+]|[0-9]{1,9}[.)]) +)"
    r"|(?P<quote>>)"
    r"|(?P<comment><!--)"
    r"|(?P<html><[A-Za-z/!?])"
    r"|(?P<delimiter>[|:-][|: -]*$)"
    r"|(?P<row>\|)"
    r"|(?P<reference>\[(?![^\[\]\\]*(?:\](?!:)|\[)))"
    r"|(?P<tab>\t)"
    r"|(?P<others>)"
    r")"
)
_DASHES = re.compile(r" *\|(?: *:?-+:? *\|)+ *")
_WORDS = frozenset({"words", "others"})
_OPENS_ITEM = frozenset({"words", "others", "quote", "html"})
_GOES_ON = frozenset({"words", "others", "row", "reference"})  # what never ends a paragraph
_DASHED = frozenset({"delimiter", "underline"})  # a line below another that may make it a header
_WORD = re.compile(r"\w")


class Doubtful(Exception):
    """A line whose meaning only the parser can tell."""


def scan(lines: Sequence[str], start: int, end: int) -> list[Headed]:
    """Each heading of those lines with the blocks below it, what precedes the first under one of level 0; none for
    blank lines before more. Raises Doubtful."""
    return _Scanner(lines, end).headed(start)


class _Scanner:
    """Everywhere `at` is the index of a line, `indent` the column where the content of the item that holds it begins,
    and `outer` the column where the content of what holds that item's list begins."""

    def __init__(self, lines: Sequence[str], end: int) -> None:
        self._lines = lines
        self._end = end

    def headed(self, start: int) -> list[Headed]:
        found: list[Headed] = []
        heading, at = ("", 0, start + 1), start
        while True:
            begun = at
            blocks, at = self._blocks(at, 0, 0)
            if heading[1] or any(line.strip(" ") for line in self._lines[begun:at]):
                found.append((heading, blocks))
            if at >= self._end:
                break
            heading = self._heading(at)
            at += 1
        return found or ([(heading, ())] if self._end == len(self._lines) else [])

    def _blocks(self, at: int, indent: int, outer: int, depth: int = 0) -> tuple[tuple[Block, ...], int]:
        """The blocks from there on, and the line after them: a heading of the document, or one further left."""
        found: list[Block] = []
        while at < self._end:
            match = self._line(at)
            kind = match.lastgroup or ""
            if kind == "blank":
                at += 1
                continue
            inset = match.start(kind) - indent
            if inset < 0 or (kind == "heading" and not depth and inset < _CODE):
                break
            if inset >= _CODE or (depth and kind in {"heading", "quote", "comment"}):
                raise Doubtful
            block, at = self._block(at, match, indent, outer, depth)
            if block is not None:
                found.append(block)
        return tuple(found), at

    def _block(self, at: int, match: re.Match[str], indent: int, outer: int, depth: int) -> tuple[Block | None, int]:
        kind = match.lastgroup
        if kind in _WORDS or (kind == "row" and not self._dashes_follow(at)) or (kind == "html" and not _html(match)):
            after = self._paragraph(at, indent, outer)
            return Paragraph("\n".join(self._lines[at:after]), at + 1), after
        if kind == "item":
            return self._items(at, match, indent, depth)
        if kind == "row":
            return self._table(at, indent)
        if self._dashes_follow(at):
            raise Doubtful  # before anything else a line may be a table's header
        if kind == "fence":
            return self._fence(at, match, indent)
        if kind == "quote":
            return self._quote(at, match)
        if kind == "comment":
            return None, self._comment(at)
        if kind == "html":
            return None, self._html(at, depth)
        if kind == "rule" or (kind == "underline" and self._lines[at].lstrip(" ").startswith("---")):
            return None, at + 1
        raise Doubtful

    def _line(self, at: int) -> re.Match[str]:
        line = self._lines[at]
        match = _LINE.match(line)
        if match is None or "\t" in line:
            raise Doubtful
        return match

    def _dashes_follow(self, at: int) -> bool:
        return at + 1 < self._end and "|" in self._lines[at] and self._line(at + 1).lastgroup in _DASHED

    def _heading(self, at: int) -> tuple[str, int, int]:
        match = self._line(at)
        if self._dashes_follow(at):
            raise Doubtful
        words = self._lines[at][match.end() :].rstrip(" ")
        bare = words.rstrip("#")
        return plain(bare if bare.endswith(" ") else words), len(match["heading"]), at + 1

    def _paragraph(self, at: int, indent: int, outer: int) -> int:
        """The line after the paragraph that begins there."""
        at += 1
        while at < self._end:
            match = self._line(at)
            kind = match.lastgroup or ""
            if kind in _GOES_ON:
                at += 1
                continue
            if kind == "blank":
                break
            column = match.start(kind)
            if column - indent < _CODE and self._ends_paragraph(match, column, indent, outer):
                break
            at += 1
        return at

    def _ends_paragraph(self, match: re.Match[str], column: int, indent: int, outer: int) -> bool:
        kind = match.lastgroup
        if kind in {"underline", "bare", "delimiter"}:
            raise Doubtful
        if kind == "html":
            opened = _html(match)
            return opened is not None and opened[2]
        if kind != "item":
            return True
        if column >= indent:
            marker = match["item"].rstrip(" ")
            return len(marker) == 1 or int(marker[:-1]) == 1
        if column - outer >= _CODE:
            raise Doubtful
        return True

    def _items(self, at: int, match: re.Match[str], indent: int, depth: int) -> tuple[Items, int]:
        first, mark = at, match["item"].rstrip(" ")[-1]
        if depth >= _DEEPEST:
            raise Doubtful
        found = []
        while True:
            content = match.end()
            blanks = len(match["item"]) - len(match["item"].rstrip(" "))
            inner = _LINE.match(self._lines[at], content)
            if blanks > _CODE or inner is None or inner.lastgroup not in _OPENS_ITEM or _html(inner):
                raise Doubtful
            quoted = inner.lastgroup == "quote"
            after = self._quoted(at, content, indent) if quoted else self._paragraph(at, content, indent)
            text = item_words(self._lines, at, after)
            blocks, after = self._blocks(after, content, indent, depth + 1)
            found.append(item_of(text, at + 1, blocks, ordered=mark in ".)"))
            at = after
            if at >= self._end:
                break
            match = self._line(at)
            column = match.start(match.lastgroup or 0)
            if column - indent >= _CODE or match.lastgroup == "bare":
                raise Doubtful
            if column < indent or match.lastgroup != "item" or match["item"].rstrip(" ")[-1] != mark:
                break
        return Items(tuple(found), first + 1), at

    def _quoted(self, at: int, content: int, indent: int) -> int:
        """The line after a point such as `- >50% of users`, to CommonMark a quotation; here it has no second line."""
        inner = _LINE.match(self._lines[at], content + 1)
        if inner is None or inner.lastgroup not in _WORDS or inner.start(inner.lastgroup or 0) - content >= _CODE:
            raise Doubtful
        if at + 1 < self._end:
            match = self._line(at + 1)
            column = match.start(match.lastgroup or 0)
            follows = match.lastgroup == "item" and column < content and column - indent < _CODE
            if match.lastgroup != "blank" and not follows:
                raise Doubtful
        return at + 1

    def _fence(self, at: int, match: re.Match[str], indent: int) -> tuple[Code, int]:
        marks, column = match["fence"], match.start("fence")
        margin = " " * column
        body: list[str] = []
        for after in range(at + 1, self._end):
            line = self._lines[after]
            if marks in line and _closes(line, marks, indent):
                language, text = language_of(self._lines[at][match.end() :]), "".join([f"{row}\n" for row in body])
                return Code(language, text, at + 1, at + 2), after + 1
            if column and not line.startswith(margin):
                bare = line.lstrip(" ")
                if bare and (len(line) - len(bare) < indent or bare[0] == "\t"):
                    raise Doubtful
                body.append(bare)
            else:
                body.append(line[column:])
        raise Doubtful  # it runs to the end of what holds it, wherever that is

    def _quote(self, at: int, match: re.Match[str]) -> tuple[Quote, int]:
        after = at
        while after < self._end and self._lines[after].startswith(">"):
            if "]:" in self._lines[after]:
                raise Doubtful
            after += 1
        if match.start("quote") or not _WORD.search(self._lines[after - 1]):
            raise Doubtful
        if after < self._end and self._line(after).lastgroup != "blank":
            raise Doubtful
        return quote_of(self._lines[at:after], at + 1), after

    def _comment(self, at: int) -> int:
        while "-->" not in self._lines[at]:
            at += 1
            if at >= self._end:
                raise Doubtful
        return at + 1

    def _html(self, at: int, depth: int) -> int:
        """The line after HTML that ends with a blank line; some goes on beyond, and in a list there is more to it."""
        opened = _html(self._line(at))
        if opened is None or depth or not opened[1].search(""):
            raise Doubtful
        while at < self._end and self._line(at).lastgroup != "blank":
            at += 1
        return at

    def _table(self, at: int, indent: int) -> tuple[Table, int]:
        header, dashes = self._lines[at].strip(" "), self._line(at + 1)
        if "\\" in header or not header.endswith("|") or not _DASHES.fullmatch(self._lines[at + 1]):
            raise Doubtful
        if header.count("|") != dashes.string.count("|") or not 0 <= dashes.start("delimiter") - indent < _CODE:
            raise Doubtful
        rows, after = [at], at + 2
        while after < self._end:
            match = self._line(after)
            if match.lastgroup == "blank":
                break
            column = match.start(match.lastgroup or 0)
            if not self._lines[after].startswith("|", column) or not 0 <= column - indent < _CODE:
                raise Doubtful
            rows.append(after)
            after += 1
        if len(rows) * header.count("|") > _MOST_CELLS:
            raise Doubtful
        return table_of(self._lines, rows), after


def _html(match: re.Match[str]) -> tuple[re.Pattern[str], re.Pattern[str], bool] | None:
    """How the parser takes that line for HTML: its opening, its end, and whether it ends a paragraph; None for text."""
    if match.lastgroup != "html":
        return None
    text = match.string[match.start("html") :]
    return next((sequence for sequence in HTML_SEQUENCES if sequence[0].search(text)), None)


def _closes(line: str, marks: str, indent: int) -> bool:
    bare = line.strip(" \t")
    if bare.strip(marks[0]):
        return False
    column = len(line) - len(line.lstrip(" "))
    if line[column] == "\t":
        raise Doubtful
    return 0 <= column - indent < _CODE
