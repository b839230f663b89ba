"""The runbook's message templates, filled from the incident; what nobody knows is asked for, never a bracket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from tocsin.incident.state import Incident, Status
from tocsin.runbook.model import Runbook, Template

# not a ticked or empty box, not a Markdown link; other brackets only where the document's reader saw a blank
_BLANK = re.compile(r"(@?)(?:\[(?![xX ]\])([^\[\]\n]+)\](?!\()|\{([^{}\n]+)\}|<([A-Za-z][\w -]*)>)")
_LABELLED = re.compile(r"^\s*([^:\[\]{}<>]{1,40}):\s*")
UNKNOWN = "not known yet"

# What a blank asks for, by the words of its label or of itself; the first match wins. Ordered: narrow before wide.
_ASKS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("root_cause", r"root cause|brief cause|^cause"),
        ("follow_up", r"follow.?up|ticket"),
        ("eta", r"\beta\b|if known|estimated"),
        ("next", r"^next\b|doing next|next step"),
        ("progress", r"progress|done/found|what we.ve|actions? taken"),
        ("impact", r"impact|affected|scope"),
        ("commander", r"^ic\b|commander|incident lead|^@?name$|owner"),
        ("severity", r"^severity|^sev\b|^\d\s*[-–]\s*\d$"),
        ("status", r"^status\b"),
        ("start", r"^start|started"),
        ("end", r"^end\b|ended|resolved at"),
        ("duration", r"duration"),
        ("service", r"service|component|system"),
        ("link", r"\blink\b|\burl\b|thread|channel"),
        ("number", r"incident (number|id)|^id$|^#$"),
        ("time", r"\btime\b|\bdate\b"),
        ("title", r"brief description|description|summary|title|issue"),
    )
)
OPTIONAL = frozenset({"eta"})

_OWN = (
    Template(
        "Initial Alert",
        ("title", "severity", "impact", "link"),
        "INCIDENT: [title]\nSeverity: [severity]\nImpact: [impact]\nPage: [link]",
        0,
    ),
    Template(
        "Resolution",
        ("title", "duration", "impact", "cause"),
        "RESOLVED: [title]\nDuration: [duration]\nImpact: [impact]\nRoot cause: [cause]",
        0,
    ),
)
"""What is posted where the runbook has no template of that name, in the shape of those most runbooks have."""


_WORD_BEFORE = re.compile(r"([A-Za-z]+)[-\s]?$")
_LEVEL_BEFORE = re.compile(r"\b(sev|severity|p)\W*$", re.IGNORECASE)


class Filled(Struct, frozen=True):
    """A template's text, and the names of the facts that are still missing from it (each once, in order)."""

    text: str
    missing: tuple[str, ...]


def in_force(runbook: Runbook, name: str) -> Template | None:
    """The runbook's template of that name, else Tocsin's own; None when neither has one."""
    return runbook.template(name) or next((own for own in _OWN if own.name == name), None)


def asks(template: Template) -> tuple[str, ...]:
    """The facts the template's blanks ask for, in order, each once; one of unknown meaning asks under its own words."""
    return tuple(dict.fromkeys(piece.asks for piece in _pieces(template) if isinstance(piece, _Blank)))


def fill(template: Template, facts: Mapping[str, str]) -> Filled:
    """The template's text with every blank filled from `facts`; unknown ones read "not known yet"."""
    missing: dict[str, None] = {}

    def value(blank: _Blank) -> str:
        if blank.asks == "severity":
            return _severity(blank.before, facts["severity"])
        known = facts.get(blank.asks, "").strip()
        if not known and blank.asks not in OPTIONAL:
            missing[blank.asks] = None
        return f"{blank.mark}{known}" if known else UNKNOWN

    text = "".join([piece if isinstance(piece, str) else value(piece) for piece in _pieces(template)])
    return Filled(text.strip("\n"), tuple(missing))


def facts(incident: Incident, *, now: datetime, link: str) -> dict[str, str]:
    """What the incident itself knows for a template, by fact name; facts recorded by people come on top."""
    ended = incident.resolved_at
    known = {
        "title": incident.title,
        "severity": incident.severity,
        "status": public_word(incident.status).capitalize(),
        "service": incident.service,
        "commander": incident.commander or "",
        "link": link,
        "number": str(incident.number),
        "start": _time(incident.opened_at),
        "end": f"{_time(ended or now)} ({span((ended or now) - incident.opened_at)})",
        "duration": span((ended or now) - incident.opened_at),
        "time": _time(now),
        "impact": incident.summary,
    }
    return {**known, **incident.facts}


def public_word(status: Status) -> str:
    """The word the public reads for an incident's status."""
    return _PUBLIC[status]


def public_texts(template: Template | None, service: str) -> dict[str, str]:
    """`public_text` by status word."""
    return {word: public_text(template, word, service) for word in _DEFAULT_PUBLIC}


def public_text(template: Template | None, word: str, service: str) -> str:
    """The status page's sentence for a status word, from a template's lines `Word - sentence`; else a default."""
    return _BLANK.sub(lambda _: service, _public(template).get(word, ""))


def public_title(template: Template | None, service: str) -> str:
    """The public title, from the template's `Title:` line; never the internal one, which may say too much."""
    return _BLANK.sub(lambda _: service, _public(template)[_TITLE])


@lru_cache(maxsize=64)
def _public(template: Template | None) -> Mapping[str, str]:
    """What the template says by status word, and of the title, with its blanks; defaults for what it does not say."""
    texts = {_TITLE: "[service] experiencing issues", **_DEFAULT_PUBLIC}
    for line in template.body.splitlines() if template else ():
        word, dash, sentence = line.partition(" - ")
        if dash and word.strip().casefold() in _DEFAULT_PUBLIC:
            texts[word.strip().casefold()] = sentence.strip()
    for line in reversed(template.body.splitlines() if template else ()):
        label, colon, text = line.partition(":")
        if colon and label.strip().casefold() == _TITLE:
            texts[_TITLE] = text.strip()
    return texts


_PUBLIC = {
    Status.OPEN: "investigating",
    Status.ACKNOWLEDGED: "investigating",
    Status.MITIGATING: "identified",
    Status.MONITORING: "monitoring",
    Status.RESOLVED: "resolved",
    Status.CLOSED: "resolved",
}
_TITLE = "title"
_DEFAULT_PUBLIC = {
    "investigating": "We are investigating issues with [service].",
    "identified": "The issue has been identified and a fix is under way.",
    "monitoring": "A fix is in place and we are monitoring.",
    "resolved": "The issue has been resolved.",
}


class _Blank(Struct, frozen=True):
    """`asks` is the fact it asks for, `mark` the @ before it, `before` the word that a level's name may go on from."""

    asks: str
    mark: str
    before: str


@lru_cache(maxsize=256)
def _pieces(template: Template) -> tuple[str | _Blank, ...]:
    """The template's text and its blanks, in order."""
    found: list[str | _Blank] = []
    for line in template.body.splitlines():
        done = 0
        for blank in _BLANK.finditer(line):
            words = str(blank[2] or blank[3] or blank[4]).strip()
            if blank[2] is None and words not in template.fields:
                continue
            before = line[done : blank.start()]
            word = _WORD_BEFORE.search(line[: blank.start()])
            found += [before, _Blank(_asked(line, blank.start(), words), blank[1], word[1] if word else "")]
            done = blank.end()
        found += [line[done:], "\n"]
    return tuple(found)


def _asked(line: str, start: int, words: str) -> str:
    """The fact a blank asks for: by its own words when they are telling, else by the label its line begins with."""
    label = _LABELLED.match(line)
    if _LEVEL_BEFORE.search(line[:start]) or (label and label[1].strip().casefold() == "severity"):
        return "severity"
    for said in (words, label[1].strip() if label else ""):
        for name, pattern in _ASKS:
            if said and pattern.search(said):
                return name
    return re.sub(r"[^a-z0-9]+", "_", (label[1] if label else words).casefold()).strip("_") or "text"


def _severity(before: str, severity: str) -> str:
    """`SEV[1-4]` becomes the level's name without doubling what stands before the bracket."""
    if before and severity.casefold().startswith(before.casefold()):
        return severity[len(before) :].lstrip("- ")
    return severity


def span(length: timedelta) -> str:
    """A length of time for people, to the minute above one minute: `45 s`, `47 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n)


def _time(at: datetime) -> str:
    return f"{at.isoformat(' ', 'minutes')[:16]} UTC"
