"""Whether two people say the same in few words. Refuses to be clever: in doubt they do not, and somebody is paged."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
_SAY_NOTHING = """
    a all an and any anymore are at be been can cannot cant do does doesnt dont everyone everything for from get gets
    getting has have hello help hi i in is isnt it its just keep keeps me my no not nothing now of on or our please
    seems since so some somebody something still that the there this to today us very was we what when with you your
"""
_SAY_WRONG = """
    app blank broken bug crash crashed crashes crashing dead down error errors exception fail failed failing fails
    failure fine gone happening issue issues load loading loads long message offline online open opening opens page
    pages problem problems respond responding screen show showing shows site slow slowly start strange stopped stuck
    takes time timeout trouble unavailable unreachable website weird work working works wrong
"""
"""Words that say that something is wrong, and not what."""
_LITTLE, _USUAL = frozenset(_WORD.findall(_SAY_NOTHING)), frozenset(_WORD.findall(_SAY_WRONG))
SHARED = 2 / 3


def alike(one: str, other: str) -> bool:
    """Whether two titles are of one trouble: most of what they name is the same, or neither names anything."""
    first, second = _named(one), _named(other)
    if not first or not second:
        return not first and not second and _plain(one) == _plain(other)
    return len(first & second) / min(len(first), len(second)) >= SHARED


def _named(title: str) -> frozenset[str]:
    """The words that say what is meant, without their usual endings."""
    return frozenset(_stem(word) for word in _words(title) if word not in _USUAL)


def _plain(title: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in _words(title))


def _words(title: str) -> list[str]:
    said = title.casefold().replace("'", "").replace("’", "")
    return [word for word in _WORD.findall(said) if word not in _LITTLE]


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word
