"""Escalation written as a ladder: numbered or bulleted rungs, a drawing in a fence, a label below a level."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import pairwise

from msgspec import structs

from tocsin.runbook import durations, levels, phrases, roles
from tocsin.runbook.document import Code, Document, Item, Items, Paragraph, Part, Section, walk
from tocsin.runbook.model import Rung
from tocsin.runbook.phrases import Line
from tocsin.runbook.wording import Wording, plain

_ABOUT = Wording(r"escalat|escalon|escalada|escala[cç]|эскалац|升级", re.IGNORECASE)
_ORDER = Wording(
    r"on-?\s?call (?:rotation|schedule|order|chain)|(?:call|phone|paging|contact) (?:tree|chain|order)|"
    r"chain of command",
    re.IGNORECASE,
)
_INNER = Wording(r"level|path|chain|ladder|matrix|order|rotation|internal|timeline|on-?call|contacts?$", re.IGNORECASE)
_NOT = Wording(
    r"trigger|criteria|when to|\bnot\b|external|responsib|template|checklist|how to|guideline|example|"
    r"communicat|procedure steps",
    re.IGNORECASE,
)
_UNREAL = Wording(r"template|example|checklist|training|external|vendor", re.IGNORECASE)
_STATED = re.compile(r"escalat|unresolved|not resolved|no (?:response|ack)|after", re.IGNORECASE)
_NAME = 5  # words of a name in a chain, its time in parentheses among them
_PASSED = re.compile(r"(?:if|when|after)\b[^:]{3,100}", re.IGNORECASE)
_LABEL = re.compile(
    r"(?:auto(?:matic)?[\s-]?)?(?:escalat\w*|escalon\w*|escalada|escala[cç]\w*|эскалац\w*|升级)", re.IGNORECASE
)
_ARROW = re.compile(r"\s*(?:→|⇒|➔|-+>|=+>)\s*")
_STEM = re.compile(r"^[\s│|├└┌┐┘┤─▼▽↓⬇v^]+(?=[\s(\[]|$)|^[\s│|├└─>+-]+")
_MARKER = re.compile(r"^(?:[0-9]+[.)]|[-*•])\s+")


def read(document: Document, known: levels.Scale) -> Iterator[Rung]:
    """The rungs of every ladder, in document order."""
    ranked = [line for section in document.sections if (line := _ranked_heading(section, known))]
    yield from rungs(ranked if len(ranked) > 1 else [])
    for section in document.sections:
        about = _is_about(section)
        named = levels.mentions(section.title, known) if about or _levelled(section) else ()
        for part in section.parts():
            labelled = bool(part.label) and _speaks(part.label) and not _NOT.search(part.label)
            if labelled and not about and levels.leading(section.title):
                yield from _below_level(section, part, known)
            elif about or labelled:
                yield from _part(section, part, known, named or levels.mentions(part.label, known))
        if not about and levels.leading(section.title):
            yield from _bullets_below_level(section, known)


def told(document: Document, known: levels.Scale) -> Iterator[Rung]:
    """The rungs that points of other lists state, e.g. `SEV1: Escalate to management within 15 minutes`; for a document
    with no ladder and no table of escalation."""
    for section in document.sections:
        for block in walk(section.blocks):
            for item in block.items if isinstance(block, Items) and not _UNREAL.search(section.title) else ():
                text = plain(item.text)
                label, _, rest = text.partition(": ")
                found = phrases.line_of(rest if _LABEL.fullmatch(label) else text, item.line, known)
                if found and found.after is not None and _ABOUT.search(text):
                    named = found.severities or levels.mentions(section.title, known)
                    yield from rungs([structs.replace(found, severities=named, conditional=True)])


def rungs(lines: Iterable[Line]) -> Iterator[Rung]:
    """The rungs of the lines: one for each severity, or one for all. The first of a timed ladder comes at once."""
    found = list(lines)
    if found and any(line.after for line in found[1:]) and found[0].after is None and not found[0].conditional:
        found[0] = structs.replace(found[0], after=timedelta(0))
    for line in found:
        for severity in line.severities or (None,):
            yield Rung(severity, line.after, line.to, line.line)


def _is_about(section: Section) -> bool:
    """Whether the section is a ladder by its own title, or by a title such as `Levels` below one about escalation."""
    if _NOT.search(section.title):
        return False
    if _speaks(section.title):
        return True
    return (
        bool(section.path)
        and bool(_ABOUT.search(section.path[-1]))
        and bool(_INNER.search(section.title) or levels.leading(section.title))
    )


def _speaks(title: str) -> bool:
    return bool(_ABOUT.search(title) or _ORDER.search(title))


def _levelled(section: Section) -> bool:
    return bool(section.path) and bool(_ABOUT.search(section.path[-1]))


def _part(section: Section, part: Part, known: levels.Scale, named: tuple[str, ...]) -> Iterator[Rung]:
    escalates = any(_ABOUT.search(title) for title in (part.label, section.title, *section.path[-1:]))
    own = levels.mentions(part.label, known)
    for block in part.blocks:
        if isinstance(block, Items):
            lines = [line for item in block.items for line in _lines(item, known, own or named)]
            lines = _in_turn(block, lines)
            if _is_ladder(block, lines, escalates=escalates and not re.search("contact", section.title, re.IGNORECASE)):
                yield from rungs(lines)
        elif isinstance(block, Paragraph):
            yield from rungs(_arrows(block, known, named))
        elif isinstance(block, Code) and block.fenced and block.language in {"", "text", "txt", "plain"}:
            yield from rungs(_drawn(block, known, named))


def _is_ladder(block: Items, lines: list[Line], *, escalates: bool) -> bool:
    if len(lines) < (1 if any(line.severities or line.after for line in lines) else 2):
        return False
    least = 2 if escalates and any(line.after for line in lines) else 3
    if len(lines) * least < len(block.items) * (least - 1) and not _nested(block, lines):
        return False
    timed = any(line.after is not None for line in lines)
    placed = sum(line.ranked for line in lines) * 2 >= len(lines)
    return timed or (escalates and (placed or block.items[0].ordered))


def _in_turn(block: Items, lines: list[Line]) -> list[Line]:
    """The lines as they are; where each states a span that begins as the one before ends (`0-15 min`, `15-30 min`), the
    rung comes when its span begins."""
    spans = {item.line: durations.parse_range(plain(item.text)) for item in block.items}
    found = [(line, spans.get(line.line)) for line in lines]
    spanned = [span for _, span in found if span and span[0] != span[1]]
    joined = len(spanned) > 1 and all(a[1] == b[0] for a, b in pairwise(spanned))
    if not joined:
        return lines
    return [structs.replace(line, after=span[0]) if span else line for line, span in found]


def _nested(block: Items, lines: list[Line]) -> bool:
    """Whether the rungs stand below the list's points rather than in them."""
    own = {item.line for item in block.items}
    return sum(line.line not in own for line in lines) > 1


def _lines(item: Item, known: levels.Scale, named: tuple[str, ...]) -> list[Line]:
    """The rungs of an item: its own, else those listed below it when it states their severities (`P1 (Critical): 24x7`)
    or their condition (`If nobody acknowledges after 15 minutes:`)."""
    if several := phrases.by_level(plain(item.text), item.line, known):
        return several
    if chain := _chain(plain(item.text), item.line, known):
        return chain
    own = _item(item, known, named)
    inner = [i for block in item.blocks if isinstance(block, Items) for i in block.items]
    if own is not None or not inner:
        return [own] if own else []
    text = plain(item.text)
    label = text.partition(":")[0]
    if phrases.only_levels(label, known):
        found = [_item(i, known, levels.mentions(label, known)) for i in inner]
        return [line for line in found if line is not None and line.after is not None]
    if _PASSED.fullmatch(text.rstrip(": ")):
        severities, after = phrases.when(text, known)
        told = [
            phrases.rung_of(i.text, i.line, severities or named, after=after, ranked=True, conditional=True)
            for i in inner
        ]
        return [line for line in told if line is not None] if after is not None else []
    return []


def _chain(text: str, line: int, known: levels.Scale) -> list[Line]:
    """The rungs of a point that is roles joined by arrows, `Primary → Secondary → EM → Director`; at most one of them
    may be a name that is no known role."""
    pieces = [piece for piece in _ARROW.split(text) if piece]
    named = [roles.names_one(roles.named_in(piece)) for piece in pieces]
    if len(pieces) < 3 or sum(named) < len(pieces) - 1 or any(len(piece.split()) > _NAME for piece in pieces):
        return []
    found = [(phrases.line_of(piece, line, known), piece) for piece in pieces]
    return [own or Line((), None, piece.strip(), line, ranked=True) for own, piece in found]


def _item(item: Item, known: levels.Scale, named: tuple[str, ...]) -> Line | None:
    nested = [inner.text for block in item.blocks if isinstance(block, Items) for inner in block.items]
    text = plain(item.text)
    if not roles.names_one(roles.named_in(text)) and text.endswith(":") and nested:
        return None
    found = phrases.line_of(text, item.line, known)
    if found is None:
        return None
    if found.after is None and not found.conditional:
        details = [phrases.when(inner, known) for inner in nested]
        timed = [detail for detail in details if detail[1] is not None]
        if len(timed) == 1:
            found = structs.replace(found, after=timed[0][1], severities=found.severities or timed[0][0])
    return structs.replace(found, severities=found.severities or named)


def _below_level(section: Section, part: Part, known: levels.Scale) -> Iterator[Rung]:
    """The rungs of `**Escalation:** Engineering Manager (after 15 min)` under a level's heading."""
    severities = levels.mentions(section.title, known)
    texts = [(part.value, part.line)] if part.value else []
    texts += [
        (i.text, i.line) for block in part.blocks if not part.value and isinstance(block, Items) for i in block.items
    ]
    for text, line in texts if severities else ():
        yield from _valued(plain(text), line, severities, known)


def _bullets_below_level(section: Section, known: levels.Scale) -> Iterator[Rung]:
    severities = levels.mentions(section.title, known)
    for block in section.blocks if severities else ():
        for item in block.items if isinstance(block, Items) else ():
            label, _, value = plain(item.text).partition(":")
            if _LABEL.match(label) and value.strip():
                yield from _valued(value.strip(), item.line, severities, known)


def _valued(value: str, line: int, severities: tuple[str, ...], known: levels.Scale) -> Iterator[Rung]:
    found = phrases.line_of(value, line, known)
    if found is not None:
        yield from rungs([structs.replace(found, severities=severities)])


def _drawn(code: Code, known: levels.Scale, named: tuple[str, ...]) -> list[Line]:
    """The rungs of a drawing: a line each, or joined by arrows; what stands beside an arrow down is the condition of
    the next one, and a line such as `SEV1/SEV2:` names the severities of those below it."""
    lines: list[Line] = []
    current, waiting = named, ""
    for row, raw in enumerate(code.text.split("\n")):
        stem = _STEM.match(raw)
        text = _MARKER.sub("", raw[stem.end() if stem else 0 :].strip())
        if not text:
            continue
        if re.fullmatch(r"[(\[].*[)\]]|(?:if|after|when)\b.*", text, re.IGNORECASE) or (
            stem and re.search("[v▼▽↓⬇]", stem[0])
        ):
            waiting = text.strip("()[]")
            continue
        if text.endswith(":") and phrases.only_levels(text, known):
            current, waiting = levels.mentions(text, known), ""
            continue
        for piece in _ARROW.split(text):
            found = phrases.line_of(plain(piece), code.body_line + row, known)
            if found is None:
                return []
            lines.append(_conditioned(found, waiting, current, known))
            waiting = ""
    return lines if len(lines) > 1 else []


def _arrows(paragraph: Paragraph, known: levels.Scale, named: tuple[str, ...]) -> list[Line]:
    """The rungs of a sentence that is nothing but roles joined by arrows: `On-call -> Team lead (15 min) -> CTO`."""
    pieces = [
        piece for piece in _ARROW.split(plain(paragraph.text).partition(": ")[2] or plain(paragraph.text)) if piece
    ]
    found = [line for piece in pieces if (line := phrases.line_of(piece, paragraph.line, known))]
    if len(found) < 2 or len(found) < len(pieces):
        return []
    return [structs.replace(line, severities=line.severities or named) for line in found]


def _ranked_heading(section: Section, known: levels.Scale) -> Line | None:
    """The rung of a heading such as `Level 2: Team lead (30 min)` below one about escalation, its time in the heading
    or in the one point that says when to escalate."""
    label, rest = phrases.labelled(section.title)
    if not _levelled(section) or not phrases.RANK.fullmatch(label) or not roles.names_one(roles.named_in(rest)):
        return None
    found = phrases.line_of(section.title, section.line, known)
    if found is None or found.after is not None:
        return found
    told = [plain(item.text) for block in section.blocks if isinstance(block, Items) for item in block.items]
    timed = [phrases.when(text, known) for text in told if _STATED.search(text)]
    measured = [(severities, after) for severities, after in timed if after is not None]
    return structs.replace(found, severities=measured[0][0], after=measured[0][1]) if len(measured) == 1 else found


def _conditioned(found: Line, waiting: str, current: tuple[str, ...], known: levels.Scale) -> Line:
    if not waiting:
        return structs.replace(found, severities=found.severities or current)
    severities, after = phrases.when(waiting, known)
    chosen = found.after if after is None else after
    return structs.replace(found, severities=severities or found.severities or current, after=chosen, conditional=True)
