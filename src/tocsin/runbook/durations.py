"""Lengths of time as teams write them: `15 min`, `< 4 hours`, `15-30 minutes`, `Immediate (< 5 min)`, `T+15`.

Calendar wording (`next business day`, `next sprint`) has no seconds and is refused: turning it into 24 h would invent
a deadline nobody promised.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NAMES = {
    "s": r"s(?:ec(?:ond)?s?)?|segundos?|secondes?|сек(?:унд[аы]?)?|秒",
    "m": r"m(?:in(?:ute)?s?)?|minutos?|мин(?:ут[аы]?)?|分钟?",
    "h": r"h(?:(?:ou)?rs?)?|horas?|heures?|час(?:а|ов)?|ч|小时",
    "d": r"d(?:ays?)?|d[ií]as?|jours?|д(?:ень|ня|ней)|天",
    "w": r"w(?:(?:ee)?ks?)?|semanas?|semaines?|недел[яию]|周",
}
"""The units in English and, since their tables are as plain, Portuguese, Spanish, French, Russian and Chinese."""
_UNIT = rf"(?:{'|'.join(_NAMES.values())})(?![a-zà-ÿа-я])\.?"
_UNITS = tuple((unit, re.compile(names)) for unit, names in _NAMES.items())
_WORDS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "thirty": 30}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?\+?|(?:" + "|".join(_WORDS) + r")(?=[\s-]))"
_AMOUNT = rf"{_NUMBER}[\s-]?{_UNIT}"
_SPAN = rf"(?:{_NUMBER}(?:\s?{_UNIT})?\s?(?:-|–|—|to)\s?)?{_AMOUNT}(?:\s?(?:and\s)?{_AMOUNT})*"

_CALENDAR = re.compile(
    r"business|working|office|next|same|sprint|release|calendar|best effort|as needed|"
    r"pr[oó]xim|siguiente|seguinte|prochain|\b[uú]t(?:il|eis)\b|\bh[aá]bil|ouvr[ée]|рабоч|следующ|工作|下一"
)
_BEFORE = (
    r"(?:(?:target:? |must |should )?(?:be )?(?:respond(?:ed)?|response|ack(?:nowledge)?d?)\s?:?\s?)?"
    r"(?:(?:within|after|in|under|below|less than|up to|at most|max(?:imum)?(?: of)?|no later than|every|each|for|by|"
    r"about|approx(?:imately)?|the first|first|at|em até|até|em|en|hasta|dentro de|dans les|до|в течение)\s)*"
)
_AFTER = (
    r"(?:\s?(?:ack(?:nowledge(?:ment)?)?|response(?: time)?|sla|max(?:imum)?|or less|or faster))?"
    r"(?:\s?[(,]?\s?24\s?[/x]\s?7\)?)?"
)
_BOUND = r"(?:<=|≤|<|~|≈)?\s?"
_WHOLE = re.compile(rf"{_BEFORE}(?P<bound>{_BOUND}){_BEFORE}(?P<span>{_SPAN}){_AFTER}")
_ALWAYS = re.compile(r"^24\s?[/x]\s?7$")
_IMMEDIATE = re.compile(
    r"(?:page |respond |acknowledge )?(?:immediate(?:ly)?|at once|instant(?:ly)?|"
    r"i[nm]?mediat[oa](?:mente)?|imm[ée]diate(?:ment)?|immédiat|sofort|немедленно|立即)(?: (?:response|"
    r"on-call|action|page|attention|containment|engagement))?(?: (?:is )?(?:required|needed|expected))?"
    r"(?:\s?[(,:/-]\s?(?P<bound>[^()]*)\)?)?"
)
_SINCE = re.compile(rf"t\s?\+\s?(?P<number>[0-9]+)\s?(?P<unit>{_UNIT})?")
_DRESS = re.compile(r"[*_`]")
_ADVERBS = {"hourly": "1 hour", "daily": "1 day"}
_MARKED = re.compile(rf"\bt\s?\+\s?[0-9]+\s?(?:{_UNIT})?")
_ENDS = re.compile(rf"({_NUMBER})(?:\s?({_UNIT}))?\s?(?:-|–|—|to)\s?({_NUMBER})\s?-?({_UNIT})")
_AT_ONCE = re.compile(r"\bimmediate(?:ly)?\b|\bat once\b")
_LEVEL = re.compile(r"\b(?:sev|p|s|l|level|severity)[\s-]?[0-9]")
_PART = re.compile(rf"({_NUMBER})[\s-]?({_UNIT})")
_SEARCH = re.compile(rf"(?<![\w.+-])(?P<span>{_SPAN})")


@lru_cache(maxsize=4096)  # `15 min` stands in many places
def parse(text: str) -> timedelta | None:
    """The length of time that `text` states as a whole; a range gives its upper bound, None when it is no measure.

    `Immediate` is zero, `Immediate (< 5 min)` its bound; calendar wording is None (`next business day`).
    """
    bounds = _whole(_normal(text))
    return bounds[1] if bounds else None


def parse_range(text: str) -> tuple[timedelta, timedelta] | None:
    """The (least, most) time stated anywhere in `text`; equal for a single value, least zero for an upper bound.

    None when nothing is stated, when the wording is of a calendar, or when two different times stand there.
    """
    plain = _normal(text)
    whole = _whole(plain)
    if whole or _CALENDAR.search(plain):
        return whole
    found = [bounds for match in _SEARCH.finditer(plain) if (bounds := _span(match["span"]))]
    return found[0] if len(found) == 1 else None


def find(text: str) -> timedelta | None:
    """The one time stated anywhere in `text`, `T+30` and `immediately` included; None when none or several are."""
    whole = parse(text)
    if whole is not None:
        return whole
    plain = _normal(text)
    marks = [parse(match[0]) for match in _MARKED.finditer(plain)]
    if len(marks) == 1:
        return marks[0]
    bounds = parse_range(text)
    if bounds is None and not marks and _AT_ONCE.search(plain):
        return None if re.search("[0-9]", _LEVEL.sub("", plain)) else timedelta(0)
    return bounds[1] if bounds else None


def is_calendar(text: str) -> bool:
    """Whether the wording is of a calendar: `next business day`, `(working hours)`."""
    return bool(_CALENDAR.search(_normal(text)))


def words(duration: timedelta) -> str:
    """The duration in words that `parse` reads back to the same value: `15 min`, `1 hour 30 min`, `Immediate`."""
    left = round(duration.total_seconds())
    if left <= 0:
        return "Immediate"
    parts: list[str] = []
    for unit, one, many in (("w", "week", "weeks"), ("d", "day", "days"), ("h", "hour", "hours"), ("m", "min", "min")):
        count, rest = divmod(left, _SECONDS[unit])
        if count and not (unit == "d" and parts) and not (unit in "wd" and rest):
            parts.append(f"{count} {one if count == 1 else many}")
            left = rest
    if left:
        parts.append(f"{left} s")
    return " ".join(parts)


def _normal(text: str) -> str:
    lowered = _DRESS.sub("", text).casefold()
    return " ".join(lowered.split()).strip(" .:;")


def _whole(text: str) -> tuple[timedelta, timedelta] | None:
    if immediate := _IMMEDIATE.fullmatch(text):
        bound = _ALWAYS.sub("", immediate["bound"] or "").strip()
        measured = bool(re.search("[0-9]", bound)) or bool(_CALENDAR.search(bound))
        return _whole(bound) if measured else (timedelta(0), timedelta(0))
    if since := _SINCE.fullmatch(text):
        return _span(f"{since['number']} {since['unit'] or 'min'}")
    if _CALENDAR.search(text):
        return None
    match = _WHOLE.fullmatch(_ADVERBS.get(text, text))
    if not match:
        return None
    bounds = _span(match["span"])
    return (timedelta(0), bounds[1]) if bounds and match["bound"].strip() in {"<", "<=", "≤"} else bounds


def _span(text: str) -> tuple[timedelta, timedelta] | None:
    """Both ends of one written span; the first end of `15-30 min` takes the unit of the second."""
    try:
        most = sum((_amount(number, unit) for number, unit in _PART.findall(text)), timedelta(0))
        ends = _ENDS.match(text)
        if ends is None:
            return most, most
        return _amount(ends[1], ends[2] or ends[4]), _amount(ends[3], ends[4])
    except OverflowError:
        return None


def _amount(number: str, unit: str) -> timedelta:
    return timedelta(seconds=(_WORDS.get(number) or float(number.rstrip("+"))) * _SECONDS[_kind(unit)])


def _kind(unit: str) -> str:
    """The letter under which the unit stands in `_SECONDS`."""
    bare = unit.rstrip(".")
    return next(letter for letter, names in _UNITS if names.fullmatch(bare))
