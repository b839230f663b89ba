"""How often people are told, where, and in which words: cadence, channels and message templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from tocsin.runbook import durations, findings, levels
from tocsin.runbook.commands import looks_like_one
from tocsin.runbook.document import Code, Document, Items, Paragraph, Part, Quote, Section, Table, label_of
from tocsin.runbook.model import Audience, Cadence, Finding, Template
from tocsin.runbook.wording import plain, unnumbered, without_parentheses

_UPDATES = re.compile(
    r"^(?!.*(?:runbook|document|review|drill|backup|\bcheck|monitor)).*(?:\bupdates?\b|communicat|\binform|notif)",
    re.IGNORECASE,
)
_CADENCE = re.compile(r"update|communicat|cadence|frequency|status", re.IGNORECASE)
_EVERY = re.compile(
    r"\b(?:every|each)\s+(?P<time>[^:;,.(]+?)(?=\s*(?:[:;,.()]|$|\s(?:during|for|in|while|until|to|via|on)\b))", re.I
)
_OFTEN = re.compile(r"\W*(?:status |progress )?(?:updates?|cadence|frequency)\b", re.IGNORECASE)
_OFTEN_AT_ALL = re.compile(r"\b(?:every|each|hourly|daily)\b|\(", re.IGNORECASE)
_PAIR = re.compile(r"([^,;:()]+)\(([^()]*)\)")
_ADVERB = re.compile(r"\b(?:hourly|daily)\b", re.IGNORECASE)
_CHANNEL = re.compile(r"^(?:primary |main |incident )?(?:channels?|where)$", re.IGNORECASE)
_AUDIENCE = re.compile(r"internal|external|public|customer|stakeholder|executive|team", re.IGNORECASE)
_TEMPLATE = re.compile(r"communicat|template|notification|status page|announce|message", re.IGNORECASE)
_NAMED = re.compile(r"template|message|notification|announcement", re.IGNORECASE)
_SENDS = re.compile(r"(?:post|send|announce|publish|share|notify|email)\b.{4,80}:$", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“«](?P<said>[^\"“”«»]{20,})[\"”»]")
_FORM = re.compile(r"post-?\s?mortem|postmortem|incident report|review|\brca\b|root cause analysis", re.IGNORECASE)
_PROSE = {"", "text", "txt", "markdown", "md", "plain", "plaintext"}
_FIELD = re.compile(
    r"(?<!!)\[(?P<square>[^\[\]\n]{1,80})\](?!\()|(?<![{$])\{(?P<curly>[^{}\n]{1,80})\}(?!\})|"
    r"<(?P<angle>[A-Za-z][\w -]{0,40})>"
)
_DRAWING = re.compile(r"[─│┌┐└┘├┤▼▲▶]")


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
                rules.setdefault(name, Cadence(name, every, line))
    found = tuple(rules.values()) or (tuple(general.values()) if len(general) == 1 else ())
    return found, said if found else [*said, findings.absent(findings.NO_CADENCE)]


def channels(document: Document) -> tuple[Audience, ...]:
    """The channels named under a `**Channel:**` label; the audience is what the heading calls it."""
    return tuple(
        Audience(_audience(section), plain(part.value), part.line)
        for section in document.sections
        for part in section.parts()
        if part.value and _CHANNEL.match(part.label)
    )


def templates(document: Document) -> tuple[tuple[Template, ...], list[Finding]]:
    """The messages to fill in, named by their bold label, else by their heading; report forms are none."""
    found = tuple(
        template
        for section in document.sections
        if not _FORM.search(section.title)
        for part in section.parts()
        if not _FORM.search(part.label)
        for template in _messages(section, part)
    )
    return found, [] if found else [findings.absent(findings.NO_TEMPLATES)]


def _messages(section: Section, part: Part) -> Iterator[Template]:
    """The messages of a part: those of a section or label about templates, and what a step says to post."""
    near = any(_TEMPLATE.search(title) for title in section.trail) or bool(_NAMED.search(part.label))
    for block in part.blocks:
        if near and _is_message(block):
            yield _template(part, section, block)
        elif isinstance(block, Items):
            for item in block.items:
                named = plain(item.text)
                for inner in item.blocks if _SENDS.fullmatch(named) else ():
                    if _is_message(inner):
                        yield _filled(unnumbered(named).rstrip(": "), inner, item.line)


def fields(body: str) -> tuple[str, ...]:
    """The blanks of a message in order, without their brackets, each once."""
    found = ((match["square"] or match["curly"] or match["angle"]).strip() for match in _FIELD.finditer(body))
    return tuple(dict.fromkeys(name for name in found if name and name.casefold() != "x"))


def _stated(section: Section, defined: levels.Scale) -> Iterator[tuple[str | None, timedelta, int]]:
    """(severity, interval, line) of each rule the section states; a text with two intervals is not divided by guess,
    unless each follows its level in parentheses: `Updates: P0 (15 min), P1 (hourly)`."""
    for text, line in _rules(section):
        if not _OFTEN_AT_ALL.search(text):
            continue
        for level, every in _divided(text, defined) or [(text, _interval(text))]:
            if every:
                named = levels.mentions(level, defined) or _above(section, defined)
                yield from ((name, every, line) for name in named)
                if not named and _UPDATES.search(plain(text)):
                    yield None, every, line


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
    return stated if whole else []


def _rules(section: Section) -> list[tuple[str, int]]:
    """The section's bullets and label lines that may state a cadence, with their lines."""
    about = any(_CADENCE.search(title) for title in section.trail)
    texts = [(section.title, section.line)] if _CADENCE.search(section.title) else []
    for part in section.parts():
        near = about or _CADENCE.search(part.label)
        if near and part.label:
            texts.append((f"{part.label}: {part.value}", part.line))
        for block in part.blocks:
            if near or isinstance(block, Table):
                texts += _sentences(block)
    return texts


def _sentences(block: object) -> list[tuple[str, int]]:
    match block:
        case Items(items=items):
            return [(item.text, item.line) for item in items]
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


def _is_message(block: object) -> bool:
    match block:
        case Quote(text=text):
            return bool(fields(text))
        case Paragraph(text=text):
            return bool(_QUOTED.fullmatch(text.strip()))
        case Code(fenced=True, language=language, text=text) if language in _PROSE:
            return bool(text.strip()) and not _DRAWING.search(text) and not looks_like_one(text.strip().split("\n")[0])
        case _:
            return False


def _template(part: Part, section: Section, block: object) -> Template:
    name = without_parentheses(unnumbered(part.label or section.title))
    return _filled(name, block, part.line if part.label else section.line)


def _filled(name: str, block: object, line: int) -> Template:
    body = block.text if isinstance(block, Code | Quote) else ""
    if isinstance(block, Paragraph) and (quoted := _QUOTED.fullmatch(block.text.strip())):
        body = quoted["said"]
    return Template(name, fields(body), body.rstrip("\n"), line)
