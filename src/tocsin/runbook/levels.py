"""Names of severities in running text: `SEV1`, `SEV-1/2`, `P0-P2`, `Critical (P0)`, `**Sev 1**`."""

from __future__ import annotations

import re

from tocsin.runbook.wording import plain

_CODE = re.compile(
    r"\b(?P<prefix>SEVERITY|Severity|severity|SEV|Sev|sev|PRIORITY|Priority|Level|P|S)[\s-]?(?P<digit>[0-9])\b"
)
_MORE = re.compile(
    r"\s*(?P<joint>/|,|&|\band\b|\bor\b|-|–|\bto\b)\s*(?:(?P<prefix>SEVERITY|Severity|SEV|Sev|PRIORITY|Priority|Level|P|S)[\s-]?)?"
    r"(?P<digit>[0-9])\b(?!\s*(?:min|h|hour|day|sec|%))"
)
_WORDS = ("critical", "high", "medium", "moderate", "low", "major", "minor", "informational", "info")
_WORD = re.compile(rf"(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_SAME = {"SEVERITY": "SEV", "PRIORITY": "P"}


def key(name: str) -> str:
    """What two spellings of one level share: `SEV-1`, `Sev 1`, `Severity 1` give `SEV1`; a word its first word."""
    match = _CODE.search(name)
    if match:
        prefix = match["prefix"].upper()
        return _SAME.get(prefix, prefix) + match["digit"]
    word = _WORD.search(name)
    return word[0].casefold() if word else plain(name).casefold()


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


def mentions(text: str, defined: tuple[str, ...]) -> tuple[str, ...]:
    """Every level named in `text`, in order, each once; spelled as in `defined` where it is defined.

    `SEV1/2`, `SEV1/SEV2`, `P0-P2` expand. `S3` counts only when it is defined: it may be a storage service.
    """
    bare = plain(text)
    spelled = {key(name): name for name in defined}
    found: list[str] = []
    for match in _CODE.finditer(bare):
        for name in _expanded(match, bare):
            if key(name) in spelled or match["prefix"] not in {"S", "Level"}:
                found.append(spelled.get(key(name), name))
    for name in defined:
        if not _CODE.search(name) and re.search(rf"\b{re.escape(name)}(?![\w-])", bare, re.IGNORECASE):
            found.append(name)
    return tuple(dict.fromkeys(found))


def _expanded(first: re.Match[str], text: str) -> list[str]:
    stem, digit = first[0][:-1], int(first["digit"])
    names, at = [first[0]], first.end()
    while more := _MORE.match(text, at):
        if more["prefix"] and more["prefix"].casefold() != first["prefix"].casefold():
            break
        following = int(more["digit"])
        span = range(digit + 1, following + 1) if more["joint"] in {"-", "–", "to"} else (following,)
        names += [f"{stem}{number}" for number in span]
        digit, at = following, more.end()
    return names
