"""A postmortem as an HTML fragment of a few plain elements; every text in it is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from tocsin.incident.wording import harmless, one_line
from tocsin.review.document import Block, Bullets, Paragraphs, Postmortem, Section


def as_html(postmortem: Postmortem) -> str:
    """One `<article class="postmortem">`, without style or script, to stand inside a page."""
    title = _text(f"Postmortem of incident {postmortem.number}: {postmortem.title}")
    sections = "\n".join(_section(section) for section in postmortem.sections)
    return f'<article class="postmortem">\n<h1>{title}</h1>\n{sections}\n</article>\n'


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f"<section>\n<h2>{_text(section.title)}</h2>\n{blocks}\n</section>"


def _block(block: Block) -> str:
    heading = f"<h3>{_text(block.title)}</h3>\n" if block.title else ""
    if isinstance(block, Paragraphs):
        return heading + _paragraphs(block)
    if isinstance(block, Bullets):
        items = "".join(f"<li>{_text(item)}</li>" for item in block.items)
        return f"{heading}<ul>{items}</ul>"
    head = _row("th", block.columns)
    body = "\n".join(_row("td", row) for row in block.rows)
    return f"{heading}<table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _row(cell: str, texts: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{_text(text)}</{cell}>" for text in texts) + "</tr>"


def _paragraphs(block: Paragraphs) -> str:
    opening = '<p class="missing">' if block.missing else "<p>"
    paragraphs = re.split(r"\n\s*\n", harmless(block.text).strip())
    return "\n".join(f"{opening}{'<br>'.join(_text(line) for line in p.split(chr(10)))}</p>" for p in paragraphs)


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)
