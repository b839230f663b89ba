"""What is owed after the incident: tasks with their deadlines, the review and the postmortem's outline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import zip_longest

from tocsin.runbook import columns, durations, findings
from tocsin.runbook.document import Document, Item, Items, Paragraph, Part, Section, Table, walk
from tocsin.runbook.model import Finding, PostIncident, PostmortemOutline
from tocsin.runbook.wording import Wording, is_nothing, plain, unnumbered, without_parentheses

_ABOUT = Wording(
    r"post[-\s]?(?:incident|mortem|resolution)|after (?:the |an )?incident|retrospective|"
    r"incident review|p[oó]s[-\s]?incident|"
    r"follow-?\s?up|aftermath|^after(?:wards)?$",
    re.IGNORECASE,
)
_FORM = re.compile(r"template|format|sections|includes?\b|contains?\b|outline", re.IGNORECASE)
_TASKS = Wording(r"action|task|activit|follow-?\s?up|steps$|to-?do", re.IGNORECASE)
_NO_TASKS = Wording(
    r"template|agenda|participants|attendees|contents|sections?\b|questions|principles|culture|metrics|example|format|"
    r"documentation|outline|items",
    re.IGNORECASE,
)
_MEETING = re.compile(r"post-?\s?mortem|review|retrospective|meeting|\brca\b|report|debrief", re.IGNORECASE)
_VERBS = (
    r"acknowledge|add|address|agree|analy[sz]e|announce|archive|arrange|ask|assess|assign|attach|book|"
    r"brief|calculate|capture|check|circulate|close|collect|communicate|compile|complete|conduct|confirm|"
    r"create|debrief|decide|define|deploy|determine|develop|discuss|distribute|document|draft|email|ensure|"
    r"establish|evaluate|facilitate|feed|file|fill|finali[sz]e|fix|follow[\s-]up|gather|generate|give|hold|"
    r"identify|implement|improve|include|inform|investigate|invite|keep|link|log|look|make|mark|measure|"
    r"monitor|notify|open|organi[sz]e|perform|plan|post|prepare|present|preserve|prioriti[sz]e|produce|"
    r"provide|publish|record|remove|report|resolve|restore|retain|review|rotate|run|save|schedule|send|set|"
    r"share|start|submit|summari[sz]e|tag|test|thank|track|train|update|upload|use|validate|verify|walk|"
    r"write|"
    r"abrir|actualizar|adicionar|agendar|a[ñn]adir|analizar|analisar|asignar|atribuir|atualizar|avisar|comparti(?:lha)?r|"
    r"completar|comunicar|crear|criar|definir|documentar|elaborar|escrever|escribir|identificar|notificar|programar|"
    r"publicar|realizar|registrar|revisar|verificar"
)
_TASK = re.compile(
    rf"(?:(?:if|si|se) [^:]{{3,40}}[:,]\s*)?(?:{_VERBS})(?:[\s-]up)?(?![\w-])(?!\s[–—-]\s)", re.IGNORECASE
)
_HOLDS = re.compile(
    r"\b(?:write|schedule|hold|conduct|complete|publish|create|draft|file|plan|prepare|run|crear|criar|escribir|"
    r"escrever|elaborar|realizar|agendar|programar|publicar|completar)\b.{0,40}"
    r"(?:post-?\s?mortem|post-?incident|retrospective|incident report|\brca\b)",
    re.IGNORECASE,
)
_WANTED = re.compile(
    r"(?:post-?\s?mortem|post-?incident (?:review|report)|retrospective|incident report|\brca\b).{0,40}"
    r"\b(?:required|mandatory|due|completed|scheduled|written|held|published|conducted|must|within|"
    r"(?:in|en|em) [0-9]+)",
    re.IGNORECASE,
)
_HELD = re.compile(r"mortem|incident|retro|rca", re.IGNORECASE)
_LEGAL = Wording(
    r"gdpr|rgpd|lgpd|ccpa|nis2|cert-in|regulat|authorit|legal|breach|supervisory|hipaa|law\b", re.IGNORECASE
)
_BARE = timedelta(hours=12)  # `Timeline review (15 minutes)` is how long a point takes, `Review (48 hours)` a deadline
_WITHIN = re.compile(
    r"\b(?:within|in the (?:first|next)|in under|no later than|em at[eé]|em|dentro de|dans les|(?:in|en)(?=\s+[<0-9])|"
    r"в течение)\s+(?P<time>[^,;.():]+)",
    re.IGNORECASE,
)
_WORKDAYS = re.compile(
    r"(?:post-?\s?mortem|post-?incident (?:review|report)|retrospective|incident report|\brca\b|write-?up|\breview)\b"
    r"[^.;:]{0,40}\b(?:within|in|no later than)\s+(?:[0-9]+|one|two|three|five|ten)\s(?:business|working)\sdays?\b",
    re.IGNORECASE,
)  # owed, and by no measured time
_WORKDAYS_FIRST = re.compile(r"within (?:[0-9]+|one|two|three|five|ten) (?:business|working) days?\b", re.IGNORECASE)
_ONLY_WHEN = re.compile(
    r"(?:immediate(?:ly)?\s*)?\(?(?:within|in the (?:first|next)) [\w -]{2,20}\)?\s*:?", re.IGNORECASE
)
_AGENDA = Wording(r"agenda", re.IGNORECASE)
_OUTLINE = Wording(
    r"^(?:document(?:ation)?|report|postmortem|post-mortem|write-?up|contents?)(?:\s+(?:sections?|template|outline))?$",
    re.I,
)
_ATTENDEES = Wording(r"attendees|participants|who attends", re.IGNORECASE)


def tasks(document: Document) -> tuple[tuple[PostIncident, ...], list[Finding]]:
    """What is owed, in document order: groups and tasks with a deadline, and tasks under a heading about the time after
    an incident that state none. A list whose points do not say what to do (an agenda, an outline) is none."""
    found: list[PostIncident] = []
    for section in document.sections:
        found += _section(section) if _about(section) else [*_labelled(section), *_elsewhere(section)]
    if not found:
        found = [entry for section in document.sections for entry in _undated(section)]
    once = {(entry.what.casefold(), entry.within, entry.items): entry for entry in reversed(found)}
    found = list(reversed(once.values()))
    return tuple(found), [] if found else [findings.absent(findings.NO_POST_INCIDENT)]


def outline(document: Document) -> PostmortemOutline | None:
    """The review's agenda, who attends, and the sections its document shall have; None when none is listed."""
    agenda: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    attendees = ""
    for part in (part for section in document.sections if _about(section) for part in section.parts()):
        if _AGENDA.search(part.label) and not agenda:
            agenda = _items(part)
        elif _OUTLINE.search(part.label) and not sections:
            sections = _items(part)
        elif _ATTENDEES.search(part.label) and not attendees:
            attendees = plain(part.value)
    return PostmortemOutline(sections, agenda, attendees) if agenda or sections or attendees else None


def _about(section: Section) -> bool:
    return section.under(_ABOUT)


def _section(section: Section) -> Iterator[PostIncident]:
    parts = section.parts()
    if re.search("template", section.title, re.IGNORECASE):
        yield from _prose(section)
        return
    within = _deadline(section.title)
    if within is not None:
        yield PostIncident(_name(section.title), within, _tasks(section.title, parts[0]), section.line)
        return
    for part in parts:
        within = _deadline(part.label)
        if within is not None:
            yield PostIncident(_name(part.label), within, _items(part), part.line)
        else:
            yield from _dated(section, part)


def _labelled(section: Section) -> Iterator[PostIncident]:
    """What stands with a deadline below a bold label about the time after, in a section about something else."""
    for part in section.parts():
        if part.label and _ABOUT.search(part.label) and not _NO_TASKS.search(part.label):
            within = _deadline(part.label)
            if within is not None:
                yield PostIncident(_name(part.label), within, _items(part), part.line)
            else:
                yield from (owed for owed in _dated(section, part) if owed.within is not None)


def _dated(section: Section, part: Part) -> Iterator[PostIncident]:
    """The tasks of a part without a deadline of its own: those of its tables and lists, each with its own; a sentence
    such as `Within 48 hours of resolution:` gives its deadline to the list below it."""
    lasting: timedelta | None = None
    above = ""
    for block, following in zip_longest(part.blocks, part.blocks[1:]):
        if isinstance(block, Paragraph):
            lasting = _deadline(block.text) if not _LEGAL.search(block.text) else None
            if lasting is not None and _MEETING.search(_WITHIN.sub("", block.text).partition(":")[0]):
                yield PostIncident(_sentence(block.text), lasting, (), block.line)
                return
            if lasting is not None and not isinstance(following, Items):
                yield PostIncident(_sentence(block.text), lasting, (), block.line)
            elif lasting is None and _in_workdays(_sentence(block.text)) and not _LEGAL.search(block.text):
                yield PostIncident(_sentence(block.text), None, (), block.line)
        elif isinstance(block, Table):
            yield from _table(block)
        elif isinstance(block, Items) and lasting is not None:
            yield PostIncident(_name(section.title), lasting, tuple(_text(item) for item in block.items), block.line)
            lasting = None
        elif isinstance(block, Items):
            boxed = not _NO_TASKS.search(part.label or section.title)
            yield from _list(block, undated=_lists_tasks(section, part) and not _FORM.search(above), boxed=boxed)
        above = block.text if isinstance(block, Paragraph) else ""


def _list(block: Items, *, undated: bool, boxed: bool) -> Iterator[PostIncident]:
    """What the points of a list owe: those with a deadline, and without one those of a list of tasks (`undated`) and,
    where `boxed`, the check boxes."""
    for item in block.items:
        own = None if _LEGAL.search(item.text) else _deadline(item.text)
        if own is not None and _ONLY_WHEN.fullmatch(plain(item.text)):
            yield PostIncident(_name(item.text), own, tuple(_text(inner) for inner in _below(item)), item.line)
        elif own is not None:
            yield PostIncident(_name(item.text), own, (), item.line)
        elif below := [
            (i, within) for i in _below(item) if (within := _deadline(i.text)) and not _LEGAL.search(i.text)
        ]:
            yield from (PostIncident(_name(i.text), within, (), i.line) for i, within in below)
        elif boxes := [i for i in _below(item) if boxed and i.checked is not None and not _LEGAL.search(i.text)]:
            yield from (PostIncident(_text(i), None, (), i.line) for i in boxes)
        elif (
            (undated or (boxed and item.checked is not None))
            and _TASK.match(plain(item.text))
            and not _LEGAL.search(item.text)
        ):
            yield PostIncident(_text(item), None, (), item.line)


def _in_workdays(sentence: str) -> bool:
    return bool(_WORKDAYS.search(sentence) or _WORKDAYS_FIRST.match(sentence))


def _below(item: Item) -> Iterator[Item]:
    return (inner for block in item.blocks if isinstance(block, Items) for inner in block.items)


def _lists_tasks(section: Section, part: Part) -> bool:
    """Whether a list without deadlines can be one of tasks: right below the heading, or under a label that says so."""
    titles = part.label or section.title
    if _NO_TASKS.search(titles):
        return False
    if part.label:
        return bool(_TASKS.search(titles))
    return bool(_ABOUT.search(section.title) or _TASKS.search(section.title)) or _says_what_to_do(part)


def _says_what_to_do(part: Part) -> bool:
    """Whether every point of a part's lists, and there are several, begins with what to do."""
    items = [item for block in part.blocks if isinstance(block, Items) for item in block.items]
    return len(items) > 1 and all(_TASK.match(plain(item.text)) for item in items)


def _prose(section: Section) -> Iterator[PostIncident]:
    """The deadline that a template's opening line gives: `Template (to be written within 24 h)`."""
    for block in section.blocks[:1]:
        within = _deadline(block.text) if isinstance(block, Paragraph) else None
        if isinstance(block, Paragraph) and within is not None and not _LEGAL.search(block.text):
            yield PostIncident(_sentence(block.text), within, (), block.line)


def _elsewhere(section: Section) -> Iterator[PostIncident]:
    """The points of any other list that call for a postmortem by a deadline; what is reported to an authority has the
    law's."""
    if _NO_TASKS.search(section.title) or any(_LEGAL.search(title) for title in section.trail):
        return
    for item in _points(section):
        bare = plain(item.text)
        called = (_HOLDS.search(bare) or _WANTED.search(bare)) and not _LEGAL.search(bare)
        within = _deadline(item.text) if called else None
        if within is not None:
            yield PostIncident(_name(item.text), within, (), item.line)
        elif _WORKDAYS.search(bare) and not _LEGAL.search(bare):
            yield PostIncident(_text(item), None, (), item.line)


def _undated(section: Section) -> Iterator[PostIncident]:
    """The points that call for a postmortem at no stated time."""
    legal = any(_LEGAL.search(title) for title in section.trail)
    for item in _points(section) if not legal and not _NO_TASKS.search(section.title) else ():
        if _HOLDS.search(plain(item.text)):
            yield PostIncident(_text(item), None, (), item.line)


def _points(section: Section) -> Iterator[Item]:
    """The points, nested ones too, that speak of what is held after an incident."""
    items = (item for block in walk(section.blocks) if isinstance(block, Items) for item in block.items)
    return (item for item in items if _HELD.search(item.text))


def _tasks(title: str, part: Part) -> tuple[str, ...]:
    """The list under a heading with a deadline. Where the heading itself names what is owed (`Postmortem (within 48
    hours)`), only points that say what to do are tasks of their own."""
    items = _items(part)
    if not _MEETING.search(title):
        return items
    named = [bool(_TASK.match(item.partition(" — ")[2] or item.partition(" - ")[2])) for item in items]
    if sum(named) * 2 >= len(items):  # `Timeline — Complete it`: each is named, and then said
        return items
    return tuple(item for item in items if _TASK.match(item))


def _sentence(text: str) -> str:
    return plain(text).split(". ")[0].rstrip(": ")


def _text(item: Item) -> str:
    return plain(item.text).rstrip(": ")


def _table(table: Table) -> Iterator[PostIncident]:
    """The rows of a table of tasks with a column for the deadline; `5 business days` is a task at no measured time."""
    due = columns.find(table, r"deadline|\bdue\b|time ?frame|timeline|within")
    task = columns.find(table, r"task|action|item|activity|what|step")
    for row in table.rows if due is not None and task is not None else ():
        stated = columns.cell(row, due)
        within = durations.parse(stated) or _deadline(stated)
        if not is_nothing(stated) and not is_nothing(columns.cell(row, task)):
            yield PostIncident(columns.cell(row, task), within, (), row.line)


def _name(title: str) -> str:
    return without_parentheses(unnumbered(title)).rstrip(": ")


def _deadline(text: str) -> timedelta | None:
    """The time that a heading, label or task gives: `Immediate (Within 24 hours)`, `Hold a review within 1 week`."""
    bare = plain(text)
    for inside in re.findall(r"\(([^()]*)\)", bare):
        measured = durations.parse(inside)
        if measured is not None and (measured >= _BARE or _WITHIN.search(inside)):
            return measured
    match = _WITHIN.search(bare)
    if not match:
        return None
    words = match["time"].split()
    lengths = (durations.parse(" ".join(words[:count])) for count in range(min(len(words), 4), 0, -1))
    calendar = durations.parse_range(match["time"]) is None
    return None if calendar else next((length for length in lengths if length is not None), None)


def _items(part: Part) -> tuple[str, ...]:
    blocks = (block for block in part.blocks if isinstance(block, Items))
    return tuple(plain(item.text) for block in blocks for item in block.items)
