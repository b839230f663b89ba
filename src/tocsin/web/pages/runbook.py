"""`/runbook`: the document in force, rendered or line by line, as it was understood, and the documents that it links
to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tocsin.bootstrap.house import House
from tocsin.bootstrap.reloading import trouble_with
from tocsin.engine.errors import NotFound
from tocsin.runbook.model import Link, Reading, Runbook
from tocsin.web.auth import Here, Viewer, csrf_token
from tocsin.web.pages.markdown_view import as_html
from tocsin.web.pages.rendered_view import rendered
from tocsin.web.pages.rendering import digest, page
from tocsin.web.pages.source_view import Line, source
from tocsin.web.pages.tree_view import whole_tree

router = APIRouter(include_in_schema=False)
LARGEST = 1_000_000
"""Bytes of a linked document."""


@router.get("/runbook")
async def show(request: Request, house: Here, actor: Viewer, view: str = "", name: str = "") -> Response:
    """The document rendered; its source line by line when `view` is `source`. `name` is of one beside the main one."""
    if name not in house.runbooks():
        raise NotFound(f"no runbook is named {name!r}: see [runbooks] in tocsin.toml")
    reading, text = house.runbooks()[name]
    runbook = reading.runbook
    shown = partial(
        page, request, "runbook.html", actor=actor, csrf=csrf_token(request, house), now=house.desk.now(),
        runbook=runbook, findings=reading.findings, file=Path(runbook.file).name, matrix=matrix(runbook),
        trouble=house.troubles.get(trouble_with(name)), state=state(house, name), truth=house.truth_of(name), name=name,
        names=list(house.runbooks()), routes=[r for r in house.settings.routes if (r.runbook or "") == name],
    )  # fmt: skip

    def drawn() -> Response:
        readable = {k.target for k in runbook.links if _file(house, k, name) is not None}
        read = _as_read(_Read(reading, text))
        whole = None if view == "source" else read.html
        return shown(readable=readable, tree=whole_tree(runbook), source=read.lines, rendered=whole)

    return await asyncio.to_thread(drawn)  # a long document takes seconds, in which somebody may have to be paged


@dataclass(frozen=True)
class _Shown:
    lines: tuple[Line, ...]
    html: Markup


class _Read:
    """A reading and its text, the same as another when it is that very reading."""

    def __init__(self, reading: Reading, text: str) -> None:
        self.reading = reading
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Read) and other.reading is self.reading and other.text == self.text

    def __hash__(self) -> int:
        return id(self.reading)


@lru_cache(maxsize=4)  # it is looked at far more often than it is edited
def _as_read(read: _Read) -> _Shown:
    lines = source(read.reading, read.text)
    return _Shown(lines, rendered(read.text, read.reading.runbook, lines))


@router.get("/runbook/changed")
async def changed(house: Here, actor: Viewer, since: str, name: str = "") -> Response:
    """Nothing while the runbook is as it was; else what makes htmx load the page again."""
    same = name not in house.runbooks() or state(house, name) == since
    return Response(status_code=204, headers={} if same else {"HX-Refresh": "true"})


def state(house: House, name: str = "") -> str:
    """What the page shows, named: the edition in force, and what is wrong with one that is not."""
    truth, (reading, _) = house.truth_of(name), house.runbooks()[name]
    compared = f"{truth.at:%s}" if truth else ""
    return digest(reading.runbook.digest + house.troubles.get(trouble_with(name), "") + compared)


@router.get("/runbook/linked")
async def linked(request: Request, house: Here, actor: Viewer, to: str, name: str = "") -> Response:
    """A document that the runbook links to, when it is a Markdown file beside it: the one of that name, or the first
    that links so. Raises NotFound for any other."""
    asked = sorted(house.runbooks().items(), key=lambda item: item[0] != name)
    every = ((n, reading, k) for n, (reading, _) in asked for k in reading.runbook.links if k.target == to)
    found = ((reading, k, _file(house, k, n)) for n, reading, k in every)
    reading, link, path = next((one for one in found if one[2] is not None), (house.reading, None, None))
    if link is None or path is None:
        raise NotFound("the runbook has no such document, or it is not a Markdown file beside it")
    try:
        text = path.read_bytes()[:LARGEST].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise NotFound(f"{path.name} cannot be read on the server") from None
    return page(
        request, "linked.html", actor=actor, csrf=csrf_token(request, house), now=house.desk.now(), link=link,
        body=as_html(text, reading.runbook),
    )  # fmt: skip


Matrix: TypeAlias = tuple[tuple[timedelta, ...], Mapping[tuple[str, timedelta], str]]


def matrix(runbook: Runbook) -> Matrix:
    """The escalation matrix: the times of its columns, and the role by (severity, time)."""
    timed = [(r, r.after) for r in runbook.escalation if r.after is not None]
    levels = [s.name for s in runbook.severities]
    cells = {(level, after): r.to for r, after in timed for level in ([r.severity] if r.severity else levels)}
    return tuple(sorted({after for _, after in timed})), cells


def _file(house: House, link: Link, name: str) -> Path | None:
    """The link's file, None unless it is a Markdown document in the runbook's folder or below."""
    parts = urlsplit(link.target)
    if parts.scheme or parts.netloc or not parts.path.endswith((".md", ".markdown")):
        return None
    folder = house.settings.runbook_file(name).resolve().parent
    path = (folder / unquote(parts.path)).resolve()
    return path if path.is_relative_to(folder) and path.is_file() else None
