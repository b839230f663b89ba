"""Message templates: what people are told, in the team's own words with blanks to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.runbook import findings
from tocsin.runbook.commands import looks_like_one
from tocsin.runbook.document import Code, Document, Items, Paragraph, Part, Quote, Section
from tocsin.runbook.model import Finding, Template
from tocsin.runbook.wording import Wording, plain, unnumbered, without_parentheses

_TEMPLATE = Wording(
    r"communicat|template|notification|status page|announce|message|comunica[cç]|notifica[cç]|plantilla|mensa[gj]e|"
    r"modèle|шаблон|сообщени|коммуникац|уведомлени|模板|通知",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"\s*(?:\*\*)?subject:", re.IGNORECASE)
_PROMISED = Wording("template", re.IGNORECASE)
_NAMED = Wording(r"template|message|notification|announcement", re.IGNORECASE)
_SENDS = re.compile(r"(?:post|send|announce|publish|share|notify|email)\b.{4,80}:$", re.IGNORECASE)
_TELLS = re.compile(r"communicat|notif|announc|assemble|declare|\bpost\b|status|inform|\btell\b", re.IGNORECASE)
_GENERIC = re.compile(
    r"(?:message |email )?(?:body|text|content|message)|channels?|to|where|when|who|audience|recipients?|timing|"
    r"subject",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"“«](?P<said>[^\"“”«»]{20,})[\"”»]")
_FORM = Wording(r"post-?\s?mortem|postmortem|incident report|review|\brca\b|root cause analysis", re.IGNORECASE)
_PROSE = {"", "text", "txt", "markdown", "md", "plain", "plaintext"}
_FIELD = re.compile(
    r"(?<!!)\[(?P<square>[^\[\]\n]{1,80})\](?!\()|(?<![{$])\{(?P<curly>[^{}\n]{1,80})\}(?!\})|"
    r"<(?P<angle>[A-Za-z][\w -]{0,40})>"
)
_CONTACTS = Wording(r"contact|on-?call|directory|roster|rotation|hand-?(?:off|over)|schedule", re.IGNORECASE)
_BLANK = re.compile(r"(?<!!)\[[^\[\]\n]{2,80}\](?![(\[:])|(?<![{$])\{\{?[^{}\n]{1,80}\}|<[A-Za-z][\w -]{0,40}>")
_RULE = re.compile(r"^[ \t]*(?:-{3,}|={3,}|\*{3,})[ \t]*$", re.MULTILINE)
_OPENS = re.compile(
    r"\s*(?:\*\*(?P<bold>[^*\n]+)\*\*:?|#+ (?P<headed>[^\n]+)|(?P<bare>[A-Z][\w /-]{2,40}):)[ \t]*(?:\n|$)"
)
_KEYED = re.compile(r"\s*\W{0,3}[A-Za-z][\w /-]{1,30}: ")
_DRAWING = re.compile(r"[─│┌┐└┘├┤▼▲▶]")


def read(document: Document) -> tuple[tuple[Template, ...], list[Finding]]:
    """The messages to fill in, named by their bold label, else by their heading; report forms are none."""
    collected = bool(_PROMISED.search(document.title))
    found = tuple(
        template
        for section in document.sections
        if not _FORM.search(section.title)
        for template in _section(section, collected=collected)
    )
    return found, [] if found else [findings.absent(findings.NO_TEMPLATES)]


def _section(section: Section, *, collected: bool) -> Iterator[Template]:
    """The section's messages; where a heading (or the document's title: `collected`) promises templates, paragraphs
    with blanks in them are one that nobody fenced."""
    fenced = [t for part in section.parts() if not _FORM.search(part.label) for t in _messages(section, part)]
    promised = collected or section.under(_PROMISED)
    paragraphs = [block for block in section.blocks if isinstance(block, Paragraph)]
    if not fenced and section.level and promised and len(paragraphs) == len(section.blocks):
        body = "\n\n".join(block.text for block in paragraphs)
        if len(paragraphs) > 1 and _BLANK.search(body):
            yield Template(without_parentheses(unnumbered(section.title)), fields(body), body, section.line)
    yield from fenced


def _messages(section: Section, part: Part) -> Iterator[Template]:
    """The messages of a part: those of a section or label about templates, and what a step says to post."""
    about = next((title for title in section.trail if _TEMPLATE.search(title)), "")
    near = (bool(about) and not _CONTACTS.search(about)) or bool(_NAMED.search(part.label))
    for block in part.blocks:
        if near and _is_message(block):
            yield from _several(block) or [_template(part, section, block)]
        elif isinstance(block, Items):
            for item in block.items:
                named = plain(item.text)
                for inner in item.blocks:
                    if _is_message(inner) and (_SENDS.fullmatch(named) or (_TELLS.search(named) and _is_worded(inner))):
                        yield _filled(unnumbered(named).rstrip(": "), inner, item.line)


def _several(block: object) -> list[Template]:
    """The messages of a fence that holds more than one: cut at its rules (`---`), each opening with a line that names
    it (`**Update:**`, `# Update`, `Update:`). Empty when a piece has no name: it may be the rule of one message."""
    if not isinstance(block, Code):
        return []
    pieces, at = [], block.body_line
    for piece in _RULE.split(block.text):
        pieces.append((at + len(piece) - len(piece.lstrip("\n")), piece.strip("\n")))
        at += piece.count("\n")
    named = [(_OPENS.match(piece), piece, line) for line, piece in pieces if piece.strip()]
    if len(named) < 2 or not all(opening for opening, _, _ in named):
        return []
    found = []
    for opening, piece, line in named:
        body = piece[opening.end() :].strip("\n") if opening else piece
        name = next(told for told in opening.groups() if told) if opening else ""
        found.append(Template(without_parentheses(plain(name)).rstrip(": "), fields(body), body, line))
    return found if all(template.body.strip() for template in found) else []


def fields(body: str) -> tuple[str, ...]:
    """The blanks of a message in order, without their brackets, each once."""
    found = ((match["square"] or match["curly"] or match["angle"]).strip() for match in _FIELD.finditer(body))
    return tuple(dict.fromkeys(name for name in found if name and name.casefold() != "x"))


def _is_message(block: object) -> bool:
    match block:
        case Quote(text=text):
            return bool(fields(text) or _SUBJECT.match(text))
        case Paragraph(text=text):
            return bool(_QUOTED.fullmatch(text.strip()))
        case Code(fenced=True, language=language, text=text) if language in _PROSE:
            return bool(text.strip()) and not _DRAWING.search(text) and not looks_like_one(text.strip().split("\n")[0])
        case _:
            return False


def _template(part: Part, section: Section, block: object) -> Template:
    label = "" if _GENERIC.fullmatch(part.label) and section.title else part.label
    return _filled(without_parentheses(unnumbered(label or section.title)), block, part.line if label else section.line)


def _is_worded(block: object) -> bool:
    """Whether what a step holds can be nothing but a message: it has two blanks, or one among several lines of `Key:
    value`, or opens with its subject."""
    if not isinstance(block, Code | Quote):
        return False
    rows = [row for row in block.text.split("\n") if row.strip()]
    keyed = len(rows) > 1 and all(_KEYED.match(row) for row in rows)
    return len(fields(block.text)) > (0 if keyed else 1) or bool(_SUBJECT.match(block.text))


def _filled(name: str, block: object, line: int) -> Template:
    body = block.text if isinstance(block, Code | Quote) else ""
    if isinstance(block, Paragraph) and (quoted := _QUOTED.fullmatch(block.text.strip())):
        body = quoted["said"]
    return Template(name, fields(body), body.rstrip("\n"), line)
