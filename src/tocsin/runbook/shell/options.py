"""Splits a program's arguments into options and the rest, by what is known of that program; unknown means None."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tocsin.runbook.shell.words import Word


def names(text: str) -> frozenset[str]:
    """The words of a text: long lists of names read better without quotes."""
    return frozenset(text.split())


class Spec(Struct, frozen=True):
    """The options a rule knows to be harmless or wants to look at: `flags` take no value, `valued` take one.

    Names come with their dashes, parted by blanks. `loose` lets unquoted variables stand among the rest; `stops` ends
    the options at the first other word (as `sudo` and `xargs` do).
    """

    flags: str = ""
    valued: str = ""
    loose: bool = False
    stops: bool = False


class Options(Struct, frozen=True):
    given: tuple[tuple[str, Word | None], ...]
    rest: tuple[Word, ...]

    def has(self, *names: str) -> bool:
        return any(name in names for name, _ in self.given)

    def values(self, *names: str) -> list[Word]:
        return [value for name, value in self.given if name in names and value is not None]


def read_options(arguments: Sequence[Word], spec: Spec) -> Options | None:
    """The options and the rest in order; None when an option is not in the spec or cannot be told from a word."""
    flags, valued = set(spec.flags.split()), set(spec.valued.split())
    given: list[tuple[str, Word | None]] = []
    rest: list[Word] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word.text == "--":
            rest += words
            break
        if not word.may_be_option or word.text == "-":
            if word.splits and not spec.loose:
                return None
            rest.append(word)
            if spec.stops:
                rest += words
                break
            continue
        if not word.text.startswith("-"):
            if not spec.loose:
                return None
            rest.append(word)
            continue
        found = _option(word, words, flags, valued)
        if found is None:
            return None
        given += found
    if any(word.splits for word in rest) and not spec.loose and not spec.stops:
        return None
    return Options(tuple(given), tuple(rest))


def _option(
    word: Word, following: list[Word], flags: set[str], valued: set[str]
) -> list[tuple[str, Word | None]] | None:
    if word.splits:
        return None
    name, equals, value = word.text.partition("=")
    if word.text.startswith("--"):
        if equals:
            return [(name, Word(value))] if name in valued or name in flags else None
        return _single(name, following, flags, valued)
    if word.text in flags or word.text in valued:  # find -name, openssl s_client -connect
        return _single(word.text, following, flags, valued)
    return _cluster(word.text, following, flags, valued)


def _single(
    name: str, following: list[Word], flags: set[str], valued: set[str]
) -> list[tuple[str, Word | None]] | None:
    if name in flags:
        return [(name, None)]
    if name not in valued or not following or following[0].splits:
        return None
    return [(name, following.pop(0))]


def _cluster(
    text: str, following: list[Word], flags: set[str], valued: set[str]
) -> list[tuple[str, Word | None]] | None:
    """`-tAc TEXT` and `-n30`: letters without a value, then at most one with."""
    found: list[tuple[str, Word | None]] = []
    for index, letter in enumerate(text[1:], start=1):
        name = f"-{letter}"
        if name in valued:
            if attached := text[index + 1 :]:
                return [*found, (name, Word(attached))]
            single = _single(name, following, flags, valued)
            return None if single is None else found + single
        if name not in flags:
            return None
        found.append((name, None))
    return found
