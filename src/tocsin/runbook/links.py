"""Links, dashboards and references by title: where the document sends people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from tocsin.runbook.document import Document, Items
from tocsin.runbook.model import Dashboard, Link
from tocsin.runbook.wording import plain

_LINK = re.compile(
    r"(?<!!)\[(?P<text>[^\[\]]+)\]\(\s*<?(?P<target>[^()\s<>]+(?:\([^()\s]*\)[^()\s<>]*)?)>?(?:\s+[\"'][^\"']*[\"'])?\s*\)"
)
_REFERENCE = re.compile(r"(?<![!\]])\[(?P<text>[^\[\]]+)\]\[(?P<name>[^\[\]]*)\]")
_SPAN = re.compile(r"(`+)[^`].*?\1")
_DASHBOARDS = re.compile(r"dashboards?\b|monitoring links|observability", re.IGNORECASE)
_SEE = re.compile(r"\b(?:see|follow|refer to|use)\s+(?:the\s+)?(?P<what>.+)", re.IGNORECASE)
_DRESS = re.compile(r"\b(?:runbook|document|documentation|guide|procedure|docs?|the)\b", re.IGNORECASE)

Titles: TypeAlias = Mapping[tuple[str, ...], str]
"""The words of a link's name -> its target."""


def read(document: Document) -> tuple[Link, ...]:
    """Every link outside code, in document order, with its target as written."""
    inside = _code_lines(document)
    targets = dict(document.references)
    found = []
    for number, source in enumerate(document.lines, start=1):
        if "[" in source and number not in inside:
            found += [Link(plain(text), target, number) for text, target in _of(source, targets)]
    return tuple(found)


def dashboards(document: Document) -> tuple[Dashboard, ...]:
    """The bullets under a heading about dashboards: `- Grafana: Application metrics`, `- [Grafana](https://...)`."""
    return tuple(
        _dashboard(item.text, item.line)
        for section in document.sections
        if _DASHBOARDS.search(section.title)
        for block in section.blocks
        if isinstance(block, Items)
        for item in block.items
    )


def titles(known: tuple[Link, ...]) -> Titles:
    """The links by the words of their names, the first of each."""
    return {_words(link.text): link.target for link in reversed(known)}


def reference(text: str, known: Titles) -> tuple[str, bool] | None:
    """(target, True) of the document that `text` points to ("See Disaster Recovery"), when a link bears that name;
    (the name, False) when none does; None when the text points nowhere."""
    inline = _LINK.search(text)
    if inline:
        return inline["target"], True
    match = _SEE.match(plain(text))
    if not match:
        return None
    wanted = match["what"].strip(" .")
    target = known.get(_words(wanted))
    return (target, True) if target else (wanted, False)


def _words(title: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", _DRESS.sub(" ", title).casefold()))


def _of(source: str, targets: dict[str, str]) -> Iterator[tuple[str, str]]:
    bare = _SPAN.sub(lambda span: " " * len(span[0]) if "](" in span[0] or "][" in span[0] else span[0], source)
    for match in _LINK.finditer(bare):
        yield match["text"], match["target"]
    for match in _REFERENCE.finditer(bare):
        target = targets.get((match["name"] or match["text"]).strip().upper())
        if target:
            yield match["text"], target


def _code_lines(document: Document) -> set[int]:
    return {
        line
        for section in document.sections
        for code in section.codes()
        for line in range(code.line, code.body_line + code.text.count("\n") + 1)
    }


def _dashboard(text: str, line: int) -> Dashboard:
    link = _LINK.search(text)
    if link:
        described = plain(text.replace(link[0], "")).strip(" -–—:")
        return Dashboard(plain(link["text"]), line, described, link["target"])
    name, _, rest = plain(text).partition(": ")
    address = re.search(r"https?://[^\s)>]+", rest)
    return Dashboard(name.rstrip(":").strip(), line, rest.strip(), address[0] if address else None)
