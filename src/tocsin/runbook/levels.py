"""Names of severities in running text: `SEV1`, `SEV-1/2`, `P0-P2`, `Critical (P0)`, `**Sev 1**`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from tocsin.runbook.wording import plain

_CODE = re.compile(
    r"\b(?P<prefix>SEVERITY|Severity|severity|SEV|Sev|sev|PRIORITY|Priority|Level|P|S)[\s-]?(?P<digit>[0-9])\b"
)
_MORE = re.compile(
    r"\s*(?P<joint>/|,|&|\band\b|\bor\b|-|–|\bto\b)\s*(?:(?P<prefix>SEVERITY|Severity|SEV|Sev|"
    r"PRIORITY|Priority|Level|P|S)[\s-]?)?"
    r"(?P<digit>[0-9])\b(?!\s*(?:min|h|hour|day|sec|%))"
)
_WORDS = (
    r"critical|high|medium|moderate|low|major|minor|informational|info|severe|urgent|planned|trivial|"
    r"cr[ií]tic[oa]|alt[oa]|m[eé]di[oa]|baix[oa]|baj[oa]|critique|[eé]lev[eé]e?|moyenne?|faible|"
    r"критический|высокий|средний|низкий"
)
_WORD = re.compile(rf"(?:{_WORDS})\b", re.IGNORECASE)
_ANY_WORD = re.compile(rf"\b(?:{_WORDS})\b", re.IGNORECASE)
_SAME = {"SEVERITY": "SEV", "PRIORITY": "P"}


class Scale(Struct, frozen=True):
    """The levels a document defines. `words` holds the word it gives a coded level ("critical" of `Critical (P1)`),
    for the tables and lists that name the level by that word alone."""

    names: tuple[str, ...] = ()
    words: Mapping[str, str] = {}
    keys: Mapping[str, str] = {}
    uncoded: tuple[tuple[str, re.Pattern[str]], ...] = ()

    def spelled(self, name: str) -> str:
        """The defined level that `name` is another spelling of; `name` itself when there is none."""
        return self.keys.get(key(name)) or self.words.get(name.casefold(), name)


def scale(labels: tuple[tuple[str, str], ...]) -> Scale:
    """The scale of (name, the whole label it was defined under); a word two levels share stands for neither."""
    named: dict[str, set[str]] = {}
    for name, label in labels:
        word = _ANY_WORD.search(plain(label))
        if word and _CODE.search(name):
            named.setdefault(word[0].casefold(), set()).add(name)
    words = {word: next(iter(names)) for word, names in named.items() if len(names) == 1}
    names = tuple(name for name, _ in labels)
    uncoded = tuple(
        (name, re.compile(rf"\b{re.escape(name)}(?![\w-])", re.IGNORECASE)) for name in names if not _CODE.search(name)
    )
    return Scale(names, words, {key(name): name for name in reversed(names)}, uncoded)


def key(name: str) -> str:
    """What two spellings of one level share: `SEV-1`, `Sev 1`, `Severity 1` give `SEV1`; a word its first word."""
    match = _CODE.search(name)
    if match:
        prefix = match["prefix"].upper()
        return _SAME.get(prefix, prefix) + match["digit"]
    word = _WORD.search(name)
    return word[0].casefold() if word else plain(name).casefold()


@lru_cache(maxsize=4096)  # several recognisers ask it of the same titles and cells
def leading(text: str) -> str | None:
    """The level that `text` (a cell, a heading, the start of a bullet) is about, as written; None when about none.

    A code wins over a word: `Critical (P0)` is `P0`. A word counts only when it opens the text.
    """
    bare = plain(text)
    match = _CODE.search(bare)
    if match and (match.start() == 0 or re.fullmatch(r"[\W\d]*|(?:\w+\s+){0,2}[(\[]", bare[: match.start()])):
        return match[0]
    word = _WORD.match(bare)
    return (
        word[0].capitalize()
        if word and re.match(r"\s*(?:$|[:(–—-]|severity|priority|impact)", bare[word.end() :])
        else None
    )


def after(text: str) -> str:
    """What follows the level's name in `text`, without joints: `P0 - Critical` gives `Critical`."""
    bare, name = plain(text), leading(text)
    return bare.replace(name, "", 1).strip(" -–—:()[]") if name else bare


def mentions(text: str, known: Scale) -> tuple[str, ...]:
    """Every level named in `text`, in order, each once; spelled as it is defined where it is defined.

    `SEV1/2`, `SEV1/SEV2`, `P0-P2` expand. `S3` counts only when it is defined: it may be a storage service. The word
    of a coded level counts only where it opens the text: elsewhere "critical" is a word like others.
    """
    bare = plain(text)
    found: list[str] = []
    told = 0
    for match in _CODE.finditer(bare):
        if match.start() < told:  # named already, as one of those that the first names
            continue
        names, told = _expanded(match, bare)
        for name in names:
            spelled = known.keys.get(key(name))
            if spelled or match["prefix"] not in {"S", "Level"}:
                found.append(spelled or name)
    found += [name for name, wording in known.uncoded if wording.search(bare)]
    word = leading(bare) if not found and known.words else None
    if word and word.casefold() in known.words:
        found.append(known.words[word.casefold()])
    return tuple(dict.fromkeys(found))


def _expanded(first: re.Match[str], text: str) -> tuple[list[str], int]:
    """The levels that are named from there on, and where the naming ends."""
    stem, digit = first[0][:-1], int(first["digit"])
    names, at = [first[0]], first.end()
    while more := _MORE.match(text, at):
        if more["prefix"] and more["prefix"].casefold() != first["prefix"].casefold():
            break
        following = int(more["digit"])
        span = range(digit + 1, following + 1) if more["joint"] in {"-", "–", "to"} else (following,)
        names += [f"{stem}{number}" for number in span]
        digit, at = following, more.end()
    return names, at
