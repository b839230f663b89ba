"""`/runbook`: the document in force, line by line and as it was understood, and the documents that it links to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from fastapi import APIRouter
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.incident.wording import harmless
from tocsin.runbook.model import Link, Runbook
from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.rendering import digest, page
from tocsin.web.pages.source_view import source
from tocsin.web.pages.tree_view import whole_tree

router = APIRouter(include_in_schema=False)
LARGEST = 1_000_000
"""Bytes of a linked document."""
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@router.get("/runbook")
async def show(request: Request, house: Here, actor: Viewer) -> Response:
    runbook = house.reading.runbook
    readable = {k.target for k in runbook.links if _file(house, k) is not None}
    return page(
        request, "runbook.html", actor=actor, csrf=csrf_token(request, house), now=house.desk.now(), runbook=runbook,
        findings=house.reading.findings, readable=readable, file=Path(runbook.file).name, matrix=matrix(runbook),
        tree=whole_tree(runbook), source=source(house.reading, house.runbook_text),
        trouble=house.troubles.get("runbook"), state=state(house),
    )  # fmt: skip


@router.get("/runbook/changed")
async def changed(house: Here, actor: Viewer, since: str) -> Response:
    """Nothing while the runbook is as it was; else what makes htmx load the page again."""
    return Response(status_code=204, headers={} if state(house) == since else {"HX-Refresh": "true"})


def state(house: House) -> str:
    """What the page shows, named: the edition in force, and what is wrong with one that is not."""
    return digest(house.reading.runbook.digest + house.troubles.get("runbook", ""))


@router.get("/runbook/linked")
async def linked(request: Request, house: Here, actor: Viewer, to: str) -> Response:
    """A document that the runbook links to, when it is a Markdown file beside it. Raises NotFound for any other."""
    link = next((k for k in house.reading.runbook.links if k.target == to), None)
    path = _file(house, link) if link else None
    if link is None or path is None:
        raise NotFound("the runbook has no such document, or it is not a Markdown file beside it")
    try:
        text = path.read_bytes()[:LARGEST].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise NotFound(f"{path.name} cannot be read on the server") from None
    return page(
        request, "linked.html", actor=actor, csrf=csrf_token(request, house), now=house.desk.now(), link=link,
        body=as_html(text, house.reading.runbook),
    )  # fmt: skip


Matrix: TypeAlias = tuple[tuple[timedelta, ...], Mapping[tuple[str, timedelta], str]]


def matrix(runbook: Runbook) -> Matrix:
    """The escalation matrix: the times of its columns, and the role by (severity, time)."""
    timed = [(r, r.after) for r in runbook.escalation if r.after is not None]
    levels = [s.name for s in runbook.severities]
    cells = {(level, after): r.to for r, after in timed for level in ([r.severity] if r.severity else levels)}
    return tuple(sorted({after for _, after in timed})), cells


def as_html(text: str, runbook: Runbook) -> Markup:
    """Markdown as HTML: raw HTML in it is shown as text, and only links that lead somewhere stay links."""
    tokens = _MARKDOWN.parse(harmless(text))
    known = {_name(k.target): k.target for k in runbook.links}
    for token in tokens:
        for inner in token.children or ():
            _mend(inner, known)
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


def _file(house: House, link: Link) -> Path | None:
    """The link's file, None unless it is a Markdown document in the runbook's folder or below."""
    parts = urlsplit(link.target)
    if parts.scheme or parts.netloc or not parts.path.endswith((".md", ".markdown")):
        return None
    folder = house.settings.runbook.resolve().parent
    path = (folder / unquote(parts.path)).resolve()
    return path if path.is_relative_to(folder) and path.is_file() else None
