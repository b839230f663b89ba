"""Label matchers as Alertmanager writes them: `service="backend"`, `pod=~"web-.*"`, `severity!="info"`, `team!~"a|b"`.

A pattern matches the whole value; a label that is absent is an empty value. What takes too long to decide does not
match: then people are paged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import regex
from msgspec import Struct

LONGEST_PATTERN, LONGEST_VALUE = 500, 1000
MOST = 20
"""So many matchers stand together at most."""
SECONDS = 0.02
"""What matching one value may cost."""
TRIES = 3
"""A pattern that took too long so often decides nothing any more: a storm must not pay for it alert by alert."""
_given_up: dict[str, int] = {}
_WRITTEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.:/-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
HOW = 'write it like service="backend", service!="test", pod=~"web-.*" or pod!~"web-.*"'


class Matcher(Struct, frozen=True):
    """`operator` is =, !=, =~ or !~."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels are such."""
        given = labels.get(self.label, "")
        if self.operator == "=":
            return given == self.value
        if self.operator == "!=":
            return given != self.value
        found = _fits(self.value, given)
        return found is not None and found is (self.operator == "=~")


Matchers = tuple[Matcher, ...]


def parse(text: str) -> Matcher:
    """The matcher that is written. Raises ValueError with what is wrong and how to write it."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is no matcher: {HOW}")
    label, operator, value = found.groups()
    if value[:1] == '"':
        if len(value) < 2 or value[-1] != '"':
            raise ValueError(f"{text[:80]!r} has an open quote: {HOW}")
        value = value[1:-1]
    if len(value) > LONGEST_PATTERN:
        raise ValueError(f"the value of {label} is longer than {LONGEST_PATTERN} characters")
    if operator in ("=~", "!~"):
        try:
            _compiled(value)
        except regex.error as exc:
            raise ValueError(f"{label}{operator}: not a regular expression: {exc}") from exc
    return Matcher(label, operator, value)


def parse_all(texts: Iterable[str]) -> Matchers:
    """All of them. Raises ValueError for none, for too many, and where all of them match what has no labels at all:
    that would be every alert there is."""
    found = tuple(parse(text) for text in texts)
    if not 0 < len(found) <= MOST:
        raise ValueError(f"1 to {MOST} matchers are needed: {HOW}")
    if match_all(found, {}):
        raise ValueError(f"every matcher also matches an absent label, so that all alerts would be meant: {HOW}")
    return found


def match_all(matchers: Matchers, labels: Mapping[str, str]) -> bool:
    """Whether every one of them matches; none of them match nothing."""
    return bool(matchers) and all(matcher.matches(labels) for matcher in matchers)


def _fits(pattern: str, value: str) -> bool | None:
    """Whether the whole value is such; None when that cannot be decided."""
    if len(value) > LONGEST_VALUE:
        return None
    if _given_up.get(pattern, 0) >= TRIES:
        return None
    try:
        return _whole(pattern, value)
    except TimeoutError:
        _given_up[pattern] = _given_up.get(pattern, 0) + 1
        return None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


@lru_cache(maxsize=4096)
def _whole(pattern: str, value: str) -> bool:
    """A storm asks the same again and again. Raises TimeoutError."""
    return _compiled(pattern).fullmatch(value, timeout=SECONDS) is not None
