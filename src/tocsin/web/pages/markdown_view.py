"""Somebody's Markdown as harmless HTML: raw HTML stays text, and only links that lead somewhere stay links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from tocsin.incident.wording import harmless
from tocsin.runbook.model import Runbook

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def as_html(text: str, runbook: Runbook) -> Markup:
    """The text as HTML; its links to documents that the runbook links to lead to those."""
    return markup(as_tokens(text, runbook))


def as_tokens(text: str, runbook: Runbook) -> list[Token]:
    """The parsed text, its links and pictures mended."""
    tokens = _MARKDOWN.parse(harmless(text))
    known = {_name(k.target): k.target for k in runbook.links}
    for token in tokens:
        for inner in token.children or ():
            _mend(inner, known)
    return tokens


def markup(tokens: Sequence[Token]) -> Markup:
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704  html is off: all is escaped


def _mend(token: Token, known: Mapping[str, str]) -> None:
    if token.type == "image":
        token.type, token.tag, token.content = "text", "", f"[picture: {token.content}]"
    if token.type != "link_open":
        return
    target = str(token.attrGet("href") or "")
    if target.startswith(("http://", "https://")):
        token.attrSet("rel", "noreferrer")
    elif _name(target) in known:
        token.attrSet("href", f"/runbook/linked?to={quote(known[_name(target)])}")
    elif not target.startswith("#"):
        token.attrSet("href", "#")


def _name(target: str) -> str:
    return Path(unquote(urlsplit(target).path)).name
