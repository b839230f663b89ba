"""`/runbook`: the document in force, rendered or line by line, as it was understood, and the documents that it links
to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.engine.errors import NotFound
from tocsin.runbook.model import Link, Runbook
from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.markdown_view import as_html
from tocsin.web.pages.rendered_view import rendered
from tocsin.web.pages.rendering import digest, page
from tocsin.web.pages.source_view import source
from tocsin.web.pages.tree_view import whole_tree

router = APIRouter(include_in_schema=False)
LARGEST = 1_000_000
"""Bytes of a linked document."""


@router.get("/runbook")
async def show(request: Request, house: Here, actor: Viewer, view: str = "") -> Response:
    """The document rendered; its source line by line when `view` is `source`."""
    runbook = house.reading.runbook
    lines = source(house.reading, house.runbook_text)
    whole = None if view == "source" else rendered(house.runbook_text, runbook, lines)
    readable = {k.target for k in runbook.links if _file(house, k) is not None}
    return page(
        request, "runbook.html", actor=actor, csrf=csrf_token(request, house), now=house.desk.now(), runbook=runbook,
        findings=house.reading.findings, readable=readable, file=Path(runbook.file).name, matrix=matrix(runbook),
        tree=whole_tree(runbook), source=lines, rendered=whole,
        trouble=house.troubles.get("runbook"), state=state(house), truth=house.truth,
    )  # fmt: skip


@router.get("/runbook/changed")
async def changed(house: Here, actor: Viewer, since: str) -> Response:
    """Nothing while the runbook is as it was; else what makes htmx load the page again."""
    return Response(status_code=204, headers={} if state(house) == since else {"HX-Refresh": "true"})


def state(house: House) -> str:
    """What the page shows, named: the edition in force, and what is wrong with one that is not."""
    compared = f"{house.truth.at:%s}" if house.truth else ""
    return digest(house.reading.runbook.digest + house.troubles.get("runbook", "") + compared)


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


def _file(house: House, link: Link) -> Path | None:
    """The link's file, None unless it is a Markdown document in the runbook's folder or below."""
    parts = urlsplit(link.target)
    if parts.scheme or parts.netloc or not parts.path.endswith((".md", ".markdown")):
        return None
    folder = house.settings.runbook.resolve().parent
    path = (folder / unquote(parts.path)).resolve()
    return path if path.is_relative_to(folder) and path.is_file() else None
