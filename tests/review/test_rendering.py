"""Whatever people type, the postmortem's Markdown and HTML keep their shape and show the text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from tocsin.incident import events as e
from tocsin.incident.fold import fold
from tocsin.incident.wording import one_line
from tocsin.review.document import Bullets, Paragraphs, Postmortem, Section, Table
from tocsin.review.postmortem import as_html, as_markdown, postmortem
from tocsin.runbook.model import Runbook

T0 = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
NASTY = [
    "<script>alert(1)</script>", "a | b \\| c \\", "x\n\n# heading\n| a |\n|---|", "`code` ``` *b* _i_ ~~s~~",
    "]]>&amp;&lt;",
    "[link](javascript:alert(1)) ![i](http://x)", "- item\n1. one\n> quote\n---\n===", "C #", "1) x", '" onload="x',
    "<!-- x", "$a$ _under_ snake_case", "\u202eevil\x00\x1b[31m",
]  # fmt: skip
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Reader(HTMLParser):
    """The tags of a document, and the text of each element that holds text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.texts.append("")
        assert all(name == "class" for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


def rendered(text: str, how: Callable[[Postmortem], str]) -> str:
    """A document with `text` in every place a text can stand."""
    table = Table(("A", text), (("x", text), (text, "y")), title=text)
    blocks = (Paragraphs(text, title=text), Bullets((text, text)), table, Paragraphs("end", missing=True))
    timeline = (e.Entry(1, T0, "ana", e.Opened(text, "SEV1", "", "backend", "api", "digest")),)
    base = postmortem(fold("i", 1, timeline), timeline, Runbook(title="", file="", digest=""))
    return how(replace(base, sections=(Section(text, blocks), Section("Last", ()))))


SHAPE = ["h1", "h2", "h3", "ul", "li", "li", "h3", "table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td", "tr",
         "td", "td", "h2"]  # fmt: skip


def shape(html: str) -> list[str]:
    """The tags but for paragraphs and their line breaks, of which a text may have several."""
    return [tag for tag in Reader(html).tags if tag not in ("p", "br", "em", "article", "section")]


def cells(html: str) -> list[str]:
    found = Reader(html)
    return [
        " ".join(text.split()) for tag, text in zip(found.tags, found.texts, strict=True) if tag in ("th", "td", "li")
    ]


def shown(text: str) -> list[str]:
    said = one_line(text)
    return [said, said, "A", said, "x", said, said, "y"]


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_is_text_in_markdown(text: str) -> None:
    html = MARKDOWN.render(rendered(text, as_markdown))
    assert shape(html) == SHAPE
    assert cells(html) == shown(text)


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_is_text_in_html(text: str) -> None:
    html = rendered(text, as_html)
    assert shape(html) == SHAPE
    assert cells(html) == shown(text)


TEXTS = st.text(st.sampled_from("ab1 |\\`*_[]()<>!#+-=.~&;:$\n\t\r\"'/\u202e\x00\ud800é"), max_size=25)


@given(TEXTS.filter(lambda t: one_line(t) != ""))
@settings(max_examples=150, deadline=None)
def test_no_text_changes_the_shape_of_either(text: str) -> None:
    for html in (MARKDOWN.render(rendered(text, as_markdown)), rendered(text, as_html)):
        assert shape(html) == SHAPE
        assert cells(html) == shown(text)


def test_a_fact_keeps_its_paragraphs_and_lines() -> None:
    assert "first\\\nsecond\n\nthird" in rendered("first\nsecond\n\nthird", as_markdown)
    assert "<p>first<br>second</p>\n<p>third</p>" in rendered("first\nsecond\n\nthird", as_html)


def test_what_is_missing_stands_out() -> None:
    assert "*end*" in rendered("x", as_markdown)
    assert '<p class="missing">end</p>' in rendered("x", as_html)


def test_the_whole_story_renders_to_one_document(story: tuple[e.Entry, ...], runbook: Runbook) -> None:
    document = postmortem(fold("i", 1, story), story, runbook)
    text, html = as_markdown(document), as_html(document)
    assert "| MTTR | 1 h 5 min | first resolved - opened |" in text
    assert "<td>MTTR</td><td>1 h 5 min</td><td>first resolved - opened</td>" in html
    assert cells(MARKDOWN.render(text)) == cells(html)
