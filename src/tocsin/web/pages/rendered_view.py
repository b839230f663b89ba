"""The runbook as a document to read: rendered, each part marked with what it became, findings beside their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token
from markupsafe import Markup

from tocsin.runbook.model import Runbook
from tocsin.web.pages.markdown_view import as_tokens, markup
from tocsin.web.pages.rendering import render, verbatim
from tocsin.web.pages.source_view import Line

_ENDS = re.compile("[\u2028\u2029\x85]")  # line ends to some, but not to the reader, who counts the lines
_TO_NEXT_ROW = 2  # tokens from a row's last cell's end to what follows the row
_SCROLLS = Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">')


@dataclass(frozen=True)
class _Place:
    """Where marks can stand: before the token at `index`. It takes the lines up to `last`, counted from 1. The marks of
    a table's row of `cells` stand in a row of their own below it."""

    index: int
    last: int
    code: Token | None = None
    cells: int = 0


def rendered(text: str, runbook: Runbook, lines: Sequence[Line]) -> Markup:
    """The document as HTML with an anchor `L7` for each of its `lines`, whose marks and findings stand where the line
    does: after a heading, a paragraph, a point or a row, and between the lines of a fence."""
    tokens = as_tokens(_ENDS.sub(" ", text).expandtabs(4), runbook)
    inserted: dict[int, Markup] = {}
    told = 0
    for place in _places(tokens):
        mine = lines[told : max(place.last, told)]
        told = max(place.last, told)
        if place.code:
            inserted[place.index] = _fence(place.code, mine)
        elif place.cells:
            inserted[place.index] = _joined(map(_anchor, mine))
            inserted[place.index + _TO_NEXT_ROW] = _row(mine, place.cells)
        else:
            inserted[place.index] = _beside(mine)
    rest = _beside(lines[told:])
    return markup(list(_woven(tokens, inserted))) + rest


def _places(tokens: list[Token]) -> Iterator[_Place]:
    """The places in document order. A row has one, in its last cell; so has each paragraph of a point."""
    row_ends = cells = 0
    for index, token in enumerate(tokens):
        last = token.map[1] if token.map else 0
        if token.type in {"fence", "code_block"}:
            yield _Place(index, last, token)
        elif token.type == "tr_open":
            row_ends, cells = last, 0
        elif token.type in {"td_close", "th_close"}:
            cells += 1
        elif token.type == "tr_close" and cells:
            yield _Place(index - 1, row_ends, cells=cells)
        elif token.type in {"heading_open", "paragraph_open"}:
            yield _Place(index + 2, last)


def _woven(tokens: list[Token], inserted: dict[int, Markup]) -> Iterator[Token]:
    """The tokens with what is inserted; a fence gives way to it, a table gets a box that scrolls."""
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            yield _raw(_SCROLLS.format("Table"))
        if index in inserted:
            yield _raw(inserted[index])
        if index not in inserted or token.type not in {"fence", "code_block"}:
            yield token
        if token.type == "table_close":
            yield _raw(Markup("</div>"))


def _raw(html: Markup) -> Token:
    return Token("html_block", "", 0, content=str(html))


def _beside(lines: Sequence[Line]) -> Markup:
    return _joined([part for line in lines for part in (_anchor(line), _marks(line), _findings(line))])


def _joined(parts: Iterable[Markup]) -> Markup:
    """The pieces one behind the other; unlike `Markup.join` it does not look at each again."""
    return Markup("".join(parts))  # noqa: S704  every piece is markup already


def _row(lines: Sequence[Line], cells: int) -> Markup:
    told = Markup("").join(_marks(line) + _findings(line) for line in lines)
    return Markup('<tr class="told"><td colspan="{}">{}</td></tr>').format(cells, told) if told else Markup("")


def _fence(token: Token, lines: Sequence[Line]) -> Markup:
    """A fence line by line: what a line became stands above it, what is said of it below."""
    first, end = token.map or [0, 0]
    fenced = token.type == "fence"
    body = range(first + 1 + fenced, end + (not fenced))
    parts: list[Markup] = []
    open_ = False
    for line in lines:
        above, below = _marks(line), _findings(line)
        shown = line.number in body and not (fenced and line.number == end and _closes(line.text, token))
        if open_ and (above or not shown):
            parts.append(Markup("</code></pre>"))
            open_ = False
        parts.append(above)
        if shown and not open_:
            parts.append(Markup('<pre class="drawn" tabindex="0"><code>'))
            open_ = True
        parts.append(_anchor(line) + (verbatim(line.text) + Markup("\n") if shown else Markup("")))
        if below:
            parts.append(Markup("</code></pre>") if open_ else Markup(""))
            open_ = False
            parts.append(below)
    return _joined([*parts, Markup("</code></pre>") if open_ else Markup("")])


def _closes(text: str, token: Token) -> bool:
    bare = text.strip(" \t>")
    return len(bare) >= len(token.markup) and not bare.strip(token.markup[:1])


def _anchor(line: Line) -> Markup:
    return Markup(f'<span id="L{line.number}"></span>')  # noqa: S704  a number


def _marks(line: Line) -> Markup:
    return Markup(render("runbook_marks.html", line=line)) if line.marks else Markup("")  # noqa: S704  a template's


def _findings(line: Line) -> Markup:
    return Markup(render("runbook_findings.html", line=line)) if line.findings else Markup("")  # noqa: S704  likewise
