"""How often people are told, and where: the cadence of updates and the channels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from tocsin.runbook import durations, findings, levels
from tocsin.runbook.document import Document, Items, Paragraph, Section, Table, label_of, walk
from tocsin.runbook.model import Audience, Cadence, Finding
from tocsin.runbook.wording import Wording, plain

_UPDATES = re.compile(
    r"^(?!.*(?:runbook|document|review|drill|backup|\bcheck|monitor))"
    r".*(?:\bupdates?\b|communicat|\binform|notif|atualiza[cç]|actualizaci|comunica[cç]|mises? à jour|обновлен)",
    re.IGNORECASE,
)
_CADENCE = Wording(
    r"update|communicat|cadence|frequency|status|comunica[cç]|atualiza[cç]|actualizaci|коммуникац", re.IGNORECASE
)
_EVERY = re.compile(
    r"\b(?:every|each|a cada|cada|toutes les|каждые)\s+(?P<time>[^:;,.(]{1,60}?)"
    r"(?=\s*(?:[:;,.()]|$|\s(?:during|for|in|while|until|to|via|on|or|and|at|from|thereafter|after|em|en|para|durante|e|y|"
    r"pendant|pour|для|при)\b))",
    re.IGNORECASE,
)
_OFTEN = re.compile(r"\W*(?:status |progress )?(?:updates?|cadence|frequency)\b", re.IGNORECASE)
_OFTEN_AT_ALL = re.compile(r"\b(?:every|each|hourly|daily|cada|toutes|каждые)\b|\(", re.IGNORECASE)
_UPDATING = re.compile(
    r"\b(?:updates?|updating|communicat\w*)\b[^.;:]{0,40}?\s(?=every|each|hourly)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;]\s*(?!(?:and |or )?(?:sev(?:erity)?|p|s|level|priority)[\s-]?[0-9])", re.IGNORECASE)
_CASE = re.compile(r"(?:if|for|in|on|during|when|while)\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“«][^\"“”«»]{20,}[\"”»]")  # a message's own words promise nothing
_PAIR = re.compile(r"([^,;:()]+)\(([^()]*)\)")
_ADVERB = re.compile(r"\b(?:hourly|daily)\b", re.IGNORECASE)
_CHANNEL = re.compile(r"^(?:primary |main |incident )?(?:channels?|where)$", re.IGNORECASE)
_AUDIENCE = re.compile(r"internal|external|public|customer|stakeholder|executive|team", re.IGNORECASE)


def cadence(document: Document, defined: levels.Scale) -> tuple[tuple[Cadence, ...], list[Finding]]:
    """How often an update is owed in each severity the document names one for; the first rule of a severity holds.

    A rule that names no severity is for all; it is read only where no other rule says more.
    """
    rules: dict[str, Cadence] = {}
    general: dict[timedelta, Cadence] = {}
    said: list[Finding] = []
    for section in document.sections:
        for name, every, line in _stated(section, defined):
            if name is None:
                general.setdefault(every, Cadence(None, every, line))
            elif defined.names and name not in defined.names:
                said.append(_undefined(document, name, line))
            else:
                earlier = rules.setdefault(name, Cadence(name, every, line))
                if earlier.every != every and not _in_table(document, line):
                    said.append(_contradicted(document, Cadence(name, every, line), earlier))
    if not rules and not general:
        for written, line in _points(document):
            text = _QUOTED.sub("", written)
            for name, every in _by_level(plain(text), defined):
                rules.setdefault(name, Cadence(name, every, line))
            stated = _interval(text) if _UPDATING.search(plain(text)) and not levels.mentions(text, defined) else None
            if stated:
                general.setdefault(stated, Cadence(None, stated, line))
    for rule in general.values() if rules and len(general) == 1 else ():
        other = next((own for own in rules.values() if own.every != rule.every), None)
        if other is not None and not _in_table(document, rule.line):
            said.append(_contradicted(document, rule, other))
    found = tuple(rules.values()) or (tuple(general.values()) if len(general) == 1 else ())
    return found, said if found else [*said, findings.absent(findings.NO_CADENCE)]


def _in_table(document: Document, line: int) -> bool:
    """Whether the line is a row: the rows of one table are for different people."""
    return document.source(line).lstrip().startswith("|")


def _contradicted(document: Document, rule: Cadence, used: Cadence) -> Finding:
    every, often = durations.words(rule.every), durations.words(used.every)
    whose = f"in {rule.severity}" if rule.severity else "in every severity"
    message = (
        f"updates every {every} {whose} here, and every {often} in {used.severity} by line {used.line}, which is used"
    )
    return findings.at(
        findings.CONTRADICTED, (rule.line, document.column(rule.line, "")), f"{message}, which is used", "Keep one."
    )


def channels(document: Document) -> tuple[Audience, ...]:
    """The channels named under a `**Channel:**` label; the audience is what the heading calls it."""
    return tuple(
        Audience(_audience(section), plain(part.value), part.line)
        for section in document.sections
        for part in section.parts()
        if part.value and _CHANNEL.match(part.label)
    )


def _stated(section: Section, defined: levels.Scale) -> Iterator[tuple[str | None, timedelta, int]]:
    """(severity, interval, line) of each rule the section states; a text with two intervals is not divided by guess,
    unless each follows its level in parentheses: `Updates: P0 (15 min), P1 (hourly)`."""
    for written, line in _rules(section):
        text = _QUOTED.sub("", written)
        if not _OFTEN_AT_ALL.search(text):
            continue
        for level, every in _divided(text, defined) or [(text, _interval(text))]:
            if every:
                named = levels.mentions(_meant(level), defined) or _above(section, defined)
                yield from ((name, every, line) for name in named)
                if not named and _UPDATES.search(plain(text)):
                    yield None, every, line


def _meant(text: str) -> str:
    """The part of a rule that names its levels: of `Hourly during P1, on close for P2` what stands with the interval,
    when levels stand there, before the colon or in a case that opens it (`If a SEV1, post every 15 minutes`)."""
    label, _, rest = plain(text).partition(": ")
    clauses = _CLAUSE.split(rest or label)
    timed = [clause for clause in clauses if _EVERY.search(clause) or _ADVERB.search(clause)]
    if len(clauses) < 2 or len(timed) != 1:
        return text
    if clauses[0] != timed[0] and _CASE.match(clauses[0]):
        return f"{clauses[0]}, {timed[0]}"
    return f"{label}: {timed[0]}" if rest else timed[0]


def _by_level(text: str, defined: levels.Scale) -> Iterator[tuple[str, timedelta]]:
    """(level, interval) of each clause such as `every 30 min for P1`, in a text that speaks of a cadence of updates."""
    if not _UPDATES.search(text) or not re.search("cadence|frequency", text, re.IGNORECASE):
        return
    for clause in re.split(r"[,;()]", text):
        every = _interval(clause)
        yield from ((name, every) for name in levels.mentions(clause, defined) if every)


def _points(document: Document) -> Iterator[tuple[str, int]]:
    """Every point of a list, for a rule that stands by itself in a section about something else."""
    for section in document.sections:
        for block in walk(section.blocks):
            yield from ((item.text, item.line) for item in block.items) if isinstance(block, Items) else ()


def _above(section: Section, defined: levels.Scale) -> tuple[str, ...]:
    return next((named for title in section.trail if (named := levels.mentions(title, defined))), ())


def _divided(text: str, defined: levels.Scale) -> list[tuple[str, timedelta | None]]:
    """(words naming levels, interval) of each rule of a text that states several: `P0 (15 min), P1 (hourly)`, or
    `P0 every 15 min, P1 every hour`. Empty when the text does not divide so that every interval has its levels."""
    pairs = _PAIR.findall(text) if _OFTEN.match(text) else []
    paired = [(level, durations.parse(time)) for level, time in pairs]
    if paired and all(every for _, every in paired):
        return paired
    label, _, rest = plain(text).partition(": ")
    pieces = re.split(r"[,;]|\band\b", rest or label)
    stated = [(piece, _interval(piece)) for piece in pieces]
    whole = len(stated) > 1 and all(every and levels.mentions(piece, defined) for piece, every in stated)
    return stated if whole else _divided_inside(plain(text), defined)


def _divided_inside(text: str, defined: levels.Scale) -> list[tuple[str, timedelta | None]]:
    """The same of the rules in one parenthesis: `Update (every 30 min for P0, every hour for P1): what is known`."""
    for inside in re.findall(r"\(([^()]*)\)", text):
        stated = [(piece, _interval(piece)) for piece in re.split(r"[,;]|\band\b", inside)]
        if len(stated) > 1 and all(every and levels.mentions(piece, defined) for piece, every in stated):
            return stated
    return []


def _rules(section: Section) -> list[tuple[str, int]]:
    """The section's bullets and label lines that may state a cadence, with their lines."""
    about = section.under(_CADENCE)
    level = levels.leading(section.title) is not None
    texts = [(section.title, section.line)] if _CADENCE.search(section.title) else []
    for part in section.parts():
        near = about or _CADENCE.search(part.label)
        if near and part.label:
            texts.append((f"{part.label}: {part.value}", part.line))
        for block in part.blocks:
            if near or isinstance(block, Table):
                texts += _sentences(block)
            elif level and isinstance(block, Items):
                texts += [entry for entry in _sentences(block) if _CADENCE.search(plain(entry[0]).partition(":")[0])]
    return texts


def _sentences(block: object) -> list[tuple[str, int]]:
    match block:
        case Items(items=items):
            nested = [inner for item in items for inside in item.blocks for inner in _sentences(inside)]
            return sorted([*((item.text, item.line) for item in items), *nested], key=lambda entry: entry[1])
        case Paragraph(text=text, line=line):
            return [(row, line + offset) for offset, row in enumerate(text.split("\n")) if not label_of(row)]
        case Table(header=header, rows=rows):
            return [(_row(header, row.cells), row.line) for row in rows]
        case _:
            return []


def _row(header: tuple[str, ...], cells: tuple[str, ...]) -> str:
    """A table row as one rule: its level and what its frequency column says, as `every ...`."""
    wanted = (
        cell
        for name, cell in zip(header, cells, strict=True)
        if re.search(r"frequen|cadence|update (?:every|interval)|updates?$", plain(name), re.IGNORECASE)
    )
    often = " ".join(cell if _EVERY.search(cell) or _ADVERB.search(cell) else f"every {cell}" for cell in wanted)
    return f"{cells[0]}: {often}" if often else ""


def _interval(text: str) -> timedelta | None:
    """The one interval that the text states; None when it states none, or several."""
    bare = plain(text)
    times = [match["time"] for match in _EVERY.finditer(bare)] + [match[0] for match in _ADVERB.finditer(bare)]
    if len(times) != 1:
        return None
    return durations.parse(times[0]) or durations.parse(f"1 {times[0]}")


def _undefined(document: Document, name: str, line: int) -> Finding:
    message = f"updates are promised for {name}, which is none of the severity levels"
    hint = f"Define {name} in the table of levels, or correct the name."
    return findings.at(findings.UNKNOWN_SEVERITY, (line, document.column(line, name)), message, hint)


def _audience(section: Section) -> str:
    for title in section.trail:
        if match := _AUDIENCE.search(title):
            return match[0].casefold()
    return ""
