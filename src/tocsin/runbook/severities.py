"""Severity levels with their response times, and the indicators that tell which level an incident has."""

from __future__ import annotations

import re
from datetime import timedelta

from msgspec import structs

from tocsin.runbook import answers, columns, durations, findings, levels, shorthand
from tocsin.runbook.document import Document, Items, Paragraph, Section, Table
from tocsin.runbook.model import Finding, Indicator, Severity
from tocsin.runbook.wording import plain, without_parentheses

_ELSEWHERE = re.compile(r"vendor|metric|alert rule|training|contact|escalat|example", re.IGNORECASE)
_ABOUT = re.compile(
    r"severit|classif|классиф|\blevels?\b|priorit|\bsevs?\b|severidad|gravidad|gravedad|n[ií]ve(?:l|is)|gravit[eé]|уровн|级别|等级",
    re.IGNORECASE,
)
_ESCALATION = re.compile(r"escalat|escalon|escalada|escala[cç]|эскалац|升级", re.IGNORECASE)
_ASIDE = re.compile(r"\s*\([^()0-9]*\)\s*$")  # how one is told, in `15 min (page)`
_ASIDE_TIME = re.compile(r"\((?P<time>[^()]*)\)\s*:?\s*$")
_CAPTION = 6  # words of a line that stands for a heading
_INDICATORS = re.compile(r"\bindicators?\b|\bcriteria\b|\bsigns?\b", re.IGNORECASE)


def read(document: Document) -> tuple[tuple[Severity, ...], list[Finding]]:
    """Every level the document defines, in its order, each once; the first kind of writing that is found wins."""
    for form in _FORMS:
        found = form(document)
        if len({levels.key(level.name) for level in found}) >= 2:
            return _checked(document, _timed(document, found))
    return (), [findings.absent(findings.NO_SEVERITIES)]


def _timed(document: Document, found: list[Severity]) -> list[Severity]:
    """The levels, those without a response time given the one that is stated elsewhere, if there is one."""
    if all(level.response_text for level in found):
        return found
    stated = answers.stated(document, scale(document, tuple(found)))
    return [
        structs.replace(level, response=durations.parse(text), response_text=text)
        if not level.response_text and (text := stated.get(levels.key(level.name), ""))
        else level
        for level in found
    ]


def scale(document: Document, found: tuple[Severity, ...]) -> levels.Scale:
    """The names of the levels with the words their definitions give them (`Critical (P1)`, `P1 - Critical`)."""
    return levels.scale(tuple((level.name, _label(document.source(level.line), level.name)) for level in found))


def _label(source: str, name: str) -> str:
    """What the defining line calls the level: a table's first cells, else the words before the first colon."""
    bare = plain(source.strip().strip("|"))
    cells = [cell for cell in bare.split("|") if name in cell] if source.lstrip().startswith("|") else []
    return cells[0] if cells else bare.split(":")[0]


def indicators(document: Document, defined: levels.Scale) -> tuple[Indicator, ...]:
    """The bullets under `**SEV1 Indicators:**` or a heading of that wording."""
    found: list[Indicator] = []
    for section in document.sections:
        for part in section.parts():
            name = part.label or section.title
            named = levels.mentions(name, defined) if _INDICATORS.search(name) else ()
            if len(named) != 1 or named[0] not in defined.names:
                continue
            lists = [block for block in part.blocks if isinstance(block, Items)]
            found += [Indicator(named[0], plain(item.text), item.line) for block in lists for item in block.items]
    return tuple(found)


def _checked(document: Document, found: list[Severity]) -> tuple[tuple[Severity, ...], list[Finding]]:
    kept: dict[str, Severity] = {}
    said: list[Finding] = []
    for level in found:
        place = (level.line, document.column(level.line, level.response_text or level.name))
        earlier = kept.setdefault(levels.key(level.name), level)
        if earlier is not level:
            if (earlier.response, earlier.description) != (level.response, level.description):
                message = f"{level.name} is defined again; line {earlier.line} defines it already and is used"
                said.append(findings.at(findings.SEVERITY_TWICE, place, message, "Keep one definition."))
        elif level.response and _is_range(level.response_text):
            message = f'{level.name}: of "{level.response_text}" the upper end is kept'
            said.append(findings.at(findings.RANGE, place, message, "Write one time when another is meant."))
        elif level.response is None:
            said.append(findings.at(findings.NO_RESPONSE_TIME, place, _untimed(level), _TIME_HINT))
    return tuple(kept.values()), said


def _is_range(text: str) -> bool:
    bounds = durations.parse_range(text)
    return (
        bounds is not None and bounds[0] != bounds[1] and bool(re.search(r"[0-9]\s*\w*\s*(?:-|–|—|to)\s*[0-9]", text))
    )


_TIME_HINT = "Write a length of time, e.g. `15 minutes`, `< 4 hours` or `Immediate`."


def _untimed(level: Severity) -> str:
    if level.response_text:
        return f'{level.name}: "{level.response_text}" is no length of time; its acknowledgement has no deadline'
    return f"{level.name} has no response time; its acknowledgement has no deadline"


def _in_tables(document: Document) -> list[Severity]:
    return [
        level
        for section in document.sections
        if not _ELSEWHERE.search(without_parentheses(section.title))
        for table in section.tables()
        for level in _table(table)
    ]


def _table(table: Table) -> list[Severity]:
    first = _level_column(table)
    if first is None:
        return []
    response = columns.find(table, answers.TIMED, unlike=answers.NOT_RESPONSE)
    if response is None:
        response = columns.find(table, answers.RESPONSE, unlike=answers.NOT_RESPONSE)
    description, examples = columns.find(table, columns.DESCRIPTION), columns.find(table, columns.EXAMPLES)
    named = [(levels.leading(row.cells[first]), row) for row in table.rows]
    if (response is None and description is None) or sum(name is not None for name, _ in named) < 2:
        return []
    if response is not None:
        named = [(name or _word(row.cells[first]), row) for name, row in named]
    return [
        Severity(
            name=name,
            description=columns.cell(row, description) or levels.after(row.cells[first]),
            response=_response(columns.cell(row, response)),
            response_text=columns.cell(row, response),
            examples=columns.cell(row, examples),
            line=row.line,
        )
        for name, row in named
        if name is not None
    ]


def _word(cell: str) -> str | None:
    """The name of a level that is none of the usual words, in a table whose other rows are: `Warning`."""
    bare = plain(cell)
    return bare if re.fullmatch(r"[^\W\d_]{3,}(?: [^\W\d_]+)?", bare) else None


def _level_column(table: Table) -> int | None:
    """The column of the levels by its header: the first (which may have none over levels with
    digits), or the second beside a column of numbers or pictures."""
    if len(table.header) < 2:
        return None
    bare = all(len(plain(row.cells[0])) <= 2 for row in table.rows) and not any(
        levels.leading(row.cells[0]) for row in table.rows
    )
    if not bare:
        unnamed = not plain(table.header[0]) and all(
            re.match(r"\D{1,10}[0-9]", plain(row.cells[0])) for row in table.rows
        )
        return 0 if unnamed or re.search(columns.LEVEL, plain(table.header[0]).casefold()) else None
    named = rf"{columns.LEVEL}|^(?:name|label|title)$"
    return 1 if re.search(named, plain(table.header[1]).casefold()) else None


def _response(text: str) -> timedelta | None:
    """The time to respond that a cell or value states; of `15 min ack, 4 h resolution` the part about responding."""
    whole = durations.parse(text)
    aside = _ASIDE.search(text)
    if whole is None and aside and not durations.is_calendar(aside[0]):
        whole = durations.parse(text[: aside.start()])
    if whole is not None:
        return whole
    pieces = [piece for piece in re.split(r"[,;/]| and ", text) if re.search(answers.RESPONSE, piece.casefold())]
    mine = [piece for piece in pieces if not re.search(answers.NOT_RESPONSE, piece.casefold())]
    return durations.parse(mine[0]) if len(mine) == 1 else None


def in_headings(document: Document) -> list[Severity]:
    """One heading for each level under a heading about severities, its facts in labels or bullets below."""
    found = []
    for section in document.sections:
        name = levels.leading(section.title)
        if name and _ABOUT.search(section.path[-1] if section.path else document.title):
            found.append(_described(name, section.title, section.line, _lines(section)))
    return _bounded(document, found)


def _lines(section: Section) -> list[str]:
    """The section's labelled lines and bullets, each as `label: value` text."""
    texts = []
    for block in section.blocks:
        if isinstance(block, Paragraph):
            texts += block.text.split("\n")
        elif isinstance(block, Items):
            texts += [item.text for item in block.items]
        elif isinstance(block, Table) and len(block.header) == 2:
            texts += [f"{plain(row.cells[0])}: {plain(row.cells[1])}" for row in block.rows]
    for part in section.parts():
        first = part.blocks[0] if part.label and not part.value and part.blocks else None
        if isinstance(first, Items):
            texts.append(f"{part.label}: {first.items[0].text}")
    return texts


def _described(name: str, title: str, line: int, texts: list[str]) -> Severity:
    response, examples = "", ""
    description = re.sub(r"\(.*\)", "", levels.after(title)).strip(" -–—:")
    for text in texts:
        label, _, value = plain(text).partition(":")
        if not response and (stated := _answer(label, value)):
            response = stated
        elif re.search(columns.EXAMPLES, label.casefold()):
            examples = value.strip()
        elif re.search(columns.DESCRIPTION, label.casefold()) and value:
            description = value.strip()
    if _response(response) is None:
        response = _in_title(title) or response
    description = " ".join(description.split())
    return Severity(name, description, _response(response), response, examples, line)


def _answer(label: str, value: str) -> str:
    """The response that a line states: after such a label, as a whole sentence (`Immediate response required`), or as
    the time before `Acknowledge`."""
    about = re.search(answers.RESPONSE, label.casefold()) and not re.search(answers.NOT_RESPONSE, label.casefold())
    if about and (value or durations.parse(label) is not None):
        return (value or label).strip(" .")
    acknowledges = re.match(r"ack(?:nowledge)?\b", value.strip().casefold())
    return label.strip() if acknowledges and durations.parse(label) is not None else ""


def _in_title(title: str) -> str:
    """The response time a heading states: `P0 - Critical (Response: 15 minutes)`, `... - 15min response, 1hr fix`."""
    pieces = re.split(r"[(),]|\s[-–—]\s", plain(title))
    for piece in pieces:
        label, _, value = piece.rpartition(":")
        if (
            re.search(rf"{answers.RESPONSE}|^page\b", piece.casefold())
            and durations.parse(value if label else piece) is not None
        ):
            return (value if label else piece).strip()
    return ""


def _in_bullets(document: Document) -> list[Severity]:
    """Bullets that open with a level under a heading about severities: `- **P0 (Critical)**: everything is down`; a
    line of its own above the list stands for a heading."""
    found = []
    for section in document.sections:
        about = bool(_ABOUT.search(section.title)) and not _ELSEWHERE.search(without_parentheses(section.title))
        for above, block in zip(("", *section.blocks), section.blocks, strict=False):
            if isinstance(block, Items) and (about or (isinstance(above, Paragraph) and _is_caption(above.text))):
                found += _points(block)
            elif isinstance(block, Items):
                inside = [inner for item in block.items if _is_caption(item.text) for inner in item.blocks]
                found += [level for inner in inside if isinstance(inner, Items) for level in _points(inner)]
    return found


def _points(block: Items) -> list[Severity]:
    """The levels that the points of a list open with, or that all of them lead to: `Everything is down -> **SEV1**`."""
    if led := shorthand.led_to(block):
        return led
    return [
        _bullet(
            name,
            item.text,
            item.line,
            [i.text for inner in item.blocks if isinstance(inner, Items) for i in inner.items],
        )
        for item in block.items
        if (name := levels.leading(item.text))
    ]


def _is_caption(text: str) -> bool:
    bare = plain(text)
    return len(bare.split()) <= _CAPTION and bool(_ABOUT.search(bare)) and not _ELSEWHERE.search(bare)


def _in_escalation(document: Document) -> list[Severity]:
    """The levels of an escalation table that says how soon each is answered, and of an escalation list whose points
    say when to acknowledge; read only where no part of the document is about levels themselves."""
    found = []
    for section in document.sections:
        if not _ESCALATION.search(section.title):
            continue
        for block in section.blocks:
            if isinstance(block, Table) and columns.find(block, answers.TIMED, unlike=answers.NOT_RESPONSE) is not None:
                found += _table(block)
            elif isinstance(block, Items):
                named = _points(block)
                found += named if any(level.response is not None for level in named) else []
    return found if any(level.response is not None for level in found) else []


def _in_any_list(document: Document) -> list[Severity]:
    """The levels of a list under any heading whose points all open with one, most saying how soon it is answered."""
    for section in document.sections:
        for block in section.blocks if not _ELSEWHERE.search(without_parentheses(section.title)) else ():
            named = _points(block) if isinstance(block, Items) else []
            timed = sum(level.response is not None for level in named)
            if (
                len(named) > 1
                and isinstance(block, Items)
                and len(named) == len(block.items)
                and timed * 2 >= len(named)
            ):
                return named
    return []


def _by_response(document: Document) -> list[Severity]:
    """The levels that a document states nothing of but how soon each is answered: in a list, a table, or sentences."""
    found = [
        Severity(name, "", durations.parse(value), value, "", line)
        for name, value, line in answers.sources(document, levels.Scale())
    ]
    return found if sum(level.response is not None for level in found) >= 2 else []


def _in_bare_headings(document: Document) -> list[Severity]:
    """One heading for each level under one that is not about severities, each with what the level means below it."""
    found = []
    for section, following in zip(document.sections, [*document.sections[1:], None], strict=True):
        name = levels.leading(section.title)
        inner = following.title if following is not None and following.level > section.level else ""
        told = [part.label for part in section.parts()] + [inner]
        if name and re.search(r"\d", name) and any(re.search(columns.DESCRIPTION, text.casefold()) for text in told):
            found.append(_described(name, section.title, section.line, _lines(section)))
    once = len({levels.key(level.name) for level in found}) == len(found)
    return found if once else []


def _in_labels(document: Document) -> list[Severity]:
    """A bold paragraph for each level under a heading about severities, its facts in the bullets below."""
    found = []
    for section in document.sections:
        for part in section.parts() if _ABOUT.search(section.title) else ():
            name = levels.leading(part.label) if part.label else None
            if name and not _INDICATORS.search(part.label):
                texts = [item.text for block in part.blocks if isinstance(block, Items) for item in block.items]
                found.append(_described(name, part.label, part.line, [part.value, *texts]))
    return _bounded(document, found)


def _bounded(document: Document, found: list[Severity]) -> list[Severity]:
    """The levels with the time in their titles' parentheses (`P0 - Critical (< 15 min)`) as the time to respond, where
    each of them states one there and none states another."""
    inside = [_ASIDE_TIME.search(plain(document.source(level.line))) for level in found]
    if any(level.response_text for level in found) or len(found) < 2:
        return found
    stated = [match["time"].strip() if match else "" for match in inside]
    if not all(durations.parse(text) is not None for text in stated):
        return found
    return [
        structs.replace(level, response=durations.parse(text), response_text=text)
        for level, text in zip(found, stated, strict=True)
    ]


def _bullet(name: str, text: str, line: int, nested: list[str]) -> Severity:
    head, _, rest = plain(text).partition(":")
    sentences = re.split(r"(?<=[.;])\s+", rest.strip())
    level = _described(name, head, line, [*nested, *sentences])
    description = rest.strip() or level.description
    stated = level.response_text or _in_title(text)
    return Severity(name, description, _response(stated), stated, level.examples, line)


_FORMS = (
    _in_tables,
    in_headings,
    _in_bullets,
    _in_labels,
    _in_escalation,
    _in_any_list,
    _by_response,
    _in_bare_headings,
    shorthand.in_one_line,
)
