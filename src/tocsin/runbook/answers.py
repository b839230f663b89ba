"""How soon each level is answered, where its definition does not say: lists, tables and sentences about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.runbook import columns, durations, levels
from tocsin.runbook.document import Document, Items, Paragraph, Section, walk
from tocsin.runbook.wording import Wording, plain, unnumbered

RESPONSE = (
    r"respon|\back\b|acknowledg|pager|time to (?:respond|ack)|reaction|r[eé]ponse|respuesta|resposta|реакц|ответа|响应"
)
NOT_RESPONSE = r"resol|restor|\bfix|responsib|responder|responsable|respons[aá]ve"
_TIME = r"time|sla|target|tempo|tiempo|temps|d[eé]lai|время|时间"
TIMED = rf"(?:{RESPONSE}).*(?:{_TIME})|(?:{_TIME}).*(?:{RESPONSE})"

_TARGETS = Wording(
    r"^(?:target |initial |expected |required )?(?:response|acknowledge?ment|ack) (?:times?|targets?|slas?)\b|"
    r"^slas?$|\band slas?$",
    re.IGNORECASE,
)
_ELSEWHERE = Wording(r"vendor|metric|alert rule|training|contact|escalat|example", re.IGNORECASE)
_ANSWERED = re.compile(
    r"\b(?:(?:be )?(?:answered|acknowledged|responded to|picked up)|acknowledge[sd]?|respond(?:s|ed)?|"
    r"response(?: time)?(?: is| of)?)\b(?P<said>[^.;]*)",
    re.IGNORECASE,
)
_AT_ALL = ("within ", "in under ", "in less than ", "no later than ")  # what `_WITHIN` opens with
_SENTENCES = re.compile(r"(?<=[.;])\s+")
_NOT_ANSWERED = re.compile(rf"{NOT_RESPONSE}|mortem|review|report|custom|regulat|notif|updat", re.IGNORECASE)
_WITHIN = re.compile(
    r"\b(?:within|in under|in less than|no later than)\s+(?P<time>[^,;.()]+?)"
    r"(?=[,;.()]|$|\s(?:of|from|after|and|or|during|on)\b)",
    re.IGNORECASE,
)


def stated(document: Document, known: levels.Scale) -> dict[str, str]:
    """Level's key -> the time, as written, in which it is answered; the first that is a length of time holds."""
    found: dict[str, str] = {}
    for name, value, _ in sources(document, known):
        if durations.parse(value) is not None:
            found.setdefault(levels.key(known.spelled(name)), value)
    return found


def sources(document: Document, known: levels.Scale) -> Iterator[tuple[str, str, int]]:
    """(level, time, line) of each bullet under `Response Times` and each row of a table with such a column, then of
    each sentence such as `P1 incidents must be answered within 15 minutes`."""
    for section in document.sections:
        yield from _listed(section)
        yield from _tabled(section)
    for section in document.sections:
        if not _ELSEWHERE.search(section.title):
            yield from _said(section, known)


def _listed(section: Section) -> Iterator[tuple[str, str, int]]:
    for part in section.parts():
        if _TARGETS.search(unnumbered(part.label or section.title)):
            for item in (item for block in part.blocks if isinstance(block, Items) for item in block.items):
                name, value = levels.leading(item.text), plain(item.text).partition(":")[2].strip()
                if name and value:
                    yield name, value, item.line


def _tabled(section: Section) -> Iterator[tuple[str, str, int]]:
    for table in section.tables() if not _ELSEWHERE.search(section.title) else ():
        column = columns.find(table, TIMED, unlike=NOT_RESPONSE)
        if column is not None and re.search(columns.LEVEL, plain(table.header[0]).casefold()):
            for row in table.rows:
                if leading := levels.leading(row.cells[0]):
                    yield leading, columns.cell(row, column), row.line


def _said(section: Section, known: levels.Scale) -> Iterator[tuple[str, str, int]]:
    for text, line in _texts(section):
        lowered = plain(text).casefold()
        if not any(opening in lowered for opening in _AT_ALL):
            continue
        for sentence in _SENTENCES.split(plain(text)):
            told = _ANSWERED.search(sentence)
            within = _WITHIN.search(told["said"]) if told and len(_WITHIN.findall(sentence)) == 1 else None
            if within and not _NOT_ANSWERED.search(sentence):
                for name in levels.mentions(sentence, known):
                    yield name, within["time"].strip(), line


def _texts(section: Section) -> Iterator[tuple[str, int]]:
    for block in walk(section.blocks):
        if isinstance(block, Paragraph):
            yield block.text, block.line
        elif isinstance(block, Items):
            yield from ((item.text, item.line) for item in block.items)
