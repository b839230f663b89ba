"""One line of a ladder, or one condition of a table, read as a rung: who is told, in which severities, and when."""

from __future__ import annotations

import re
from datetime import timedelta

from msgspec import Struct

from tocsin.runbook import durations, levels, roles
from tocsin.runbook.commands import looks_like_one
from tocsin.runbook.wording import is_nothing, plain

RANK = re.compile(
    r"(?:(?:l|level|tier|line|step|stage|escalation)\s?-?[0-9]|[0-9](?:st|nd|rd|th)?(?: line| level|"
    r" tier)?|primary|secondary|"
    r"tertiary|executive|first|second|third|fourth|final(?:ly)?|last|backup|escalation|"
    r"initial(?: response)?)(?:\s+(?:on-?call|contact|escalation))?",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"\s*(?::|\s[-–—]+|→|=>|->)\s+|:$")
_CASE = re.compile(
    r"(?P<case>(?:if|when|after|once)\b[^,:→]{3,100}?)\s*(?:(?:,|:|→|->)\s*"
    r"(?:then |(?:you |we )?(?:must |should |shall |will ))?"
    r"(?P<told>(?:escalate(?: to)?|notify|page|contact|call|inform|alert|engage|involve)\b.+)|"
    r"(?:→|->)\s*(?P<who>\S.+))",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\b(?:initial|first respon)", re.IGNORECASE)
_HAS = re.compile(r"(?<=\w)\shas (?:up to |about )?[0-9]+\s?\w+ to (?:ack|respond|answer).*$", re.IGNORECASE)
_PAIR = re.compile(r"(?P<time>[0-9]+\s?[a-z]+)\s*\((?P<level>[^()]*)\)", re.IGNORECASE)
_CALENDAR = re.compile(r"\b(?:next|same) (?:business |working )?day|week|month|business|sprint", re.IGNORECASE)
_STAND_IN = re.compile(r"(?:primary|secondary|tertiary|backup)", re.IGNORECASE)  # a rank once more, and nobody
_METRIC = re.compile(r"%|latency|\brate\b|\bcpu\b", re.IGNORECASE)


class Line(Struct, frozen=True, gc=False):
    """One line read as a rung. `ranked` says that its wording places it: a rank, a time, or a severity."""

    severities: tuple[str, ...]
    after: timedelta | None
    to: str
    line: int
    ranked: bool = False
    conditional: bool = False


def when(text: str, known: levels.Scale) -> tuple[tuple[str, ...], timedelta | None]:
    """(severities, time) of a condition: of `P1 > 1 hour, data breach` its first measured clause, P1 after an hour.

    No severity is "all"; a condition that no clause measures (`data breach`) has no time.
    """
    for clause in re.split(r"[,;]|\bor if\b", plain(text)):
        after = None if _METRIC.search(clause) else durations.find(clause)
        if after is not None:
            other = () if re.search(r"\bor\b", plain(text)) else levels.mentions(text, known)
            return levels.mentions(clause, known) or other, after
    return levels.mentions(text, known), None


def by_level(text: str, line: int, known: levels.Scale) -> list[Line]:
    """The rungs of a line that gives each level a time of its own: `after 15 minutes (P1) or 1 hour (P2), page the
    lead`; empty when it does not."""
    pairs = [(durations.parse(m["time"]), levels.mentions(m["level"], known)) for m in _PAIR.finditer(text)]
    told = _CASE.fullmatch(text)
    if len(pairs) < 2 or told is None or not all(time is not None and level for time, level in pairs):
        return []
    found = [
        rung_of(told["told"] or told["who"], line, level, after=time, ranked=True, conditional=True)
        for time, level in pairs
    ]
    return [rung for rung in found if rung is not None]


def line_of(text: str, line: int, known: levels.Scale) -> Line | None:
    """The rung that one line states; None when it names nobody."""
    if looks_like_one(text):
        return None
    text = _HAS.sub("", text)
    if case := _CASE.fullmatch(text):
        severities, after = when(case["case"], known)
        return rung_of(case["told"] or case["who"], line, severities, after=after, ranked=True, conditional=True)
    label, rest = labelled(text)
    if label:
        if (after := _time(label)) is not None or _CALENDAR.search(label):
            severities = levels.mentions(label, known) or levels.mentions(rest, known)
            return rung_of(rest, line, severities, after=after, ranked=True)
        if only_levels(label, known):
            severities, after = levels.mentions(label, known), durations.find(rest)
            return rung_of(rest, line, severities, after=after, ranked=True)
        if RANK.fullmatch(label):
            severities, after = when(rest, known)
            told = roles.named_in(rest)
            chosen = rest if roles.names_one(told) and not _STAND_IN.fullmatch(told) else label
            return rung_of(
                chosen, line, severities, after=_initial(rest, after), ranked=True, conditional=_states(rest)
            )
        if not roles.names_one(roles.named_in(label)):
            label = ""
    severities, after = when(text, known)
    return rung_of(
        label or text,
        line,
        severities,
        after=_initial(text, after),
        ranked=after is not None,
        conditional=_states(text),
    )


def labelled(text: str) -> tuple[str, str]:
    """(label, rest) of `Team Lead - if unresolved`, `Within 15 min: CTO`; the label empty when there is none."""
    cut = _SPLIT.search(text)
    if (
        cut is None
        or len(text[: cut.start()].split()) > 6
        or text[: cut.start()].count("(") != text[: cut.start()].count(")")
    ):
        return "", text
    return text[: cut.start()].strip(), text[cut.end() :].strip()


def _time(label: str) -> timedelta | None:
    bare = re.sub(r"\s*\([^()]*\)\s*$", "", label)
    return durations.parse(bare) if durations.parse(bare) is not None else durations.parse(label)


def only_levels(label: str, known: levels.Scale) -> bool:
    """Whether the label is nothing but severities: `P0/P1`, `SEV-1 (Critical)`, `SEV1 Incidents`."""
    leading = levels.leading(label)
    return bool(leading) and bool(levels.mentions(label, known)) and not roles.names_one(roles.named_in(label))


def _states(text: str) -> bool:
    """Whether the line states a condition, so that its rung does not come at once."""
    return bool(re.search(r"\b(?:if|when|only|unless|unresolved|for)\b|[<>]", text, re.IGNORECASE))


def comes_first(text: str) -> bool:
    """Whether a condition says that the rung answers before any other: `First responder for all alerts`."""
    return bool(_FIRST.search(text))


def _initial(text: str, after: timedelta | None) -> timedelta | None:
    return timedelta(0) if after is None and _FIRST.search(text) else after


def rung_of(
    text: str,
    line: int,
    severities: tuple[str, ...],
    *,
    after: timedelta | None,
    ranked: bool,
    conditional: bool = False,
) -> Line | None:
    to = roles.named_in(plain(text))
    if is_nothing(to) or not roles.names_one(to):
        return None
    return Line(severities, after, to, line, ranked, conditional)
