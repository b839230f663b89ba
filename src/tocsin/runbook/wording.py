"""Text as people dress it, undressed: emphasis, emoji, numbering and links taken off before anything is compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

_DRESSED = re.compile(r"[*_~`\\\[<!]")
_LINK = re.compile(r"!?\[([^\]\[]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_COMMENT = re.compile(r"<!--.*?-->|<br\s*/?>", re.IGNORECASE | re.DOTALL)
_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3}|~~)(?=\S)|(?<=\S)(?<!\\)(\*{1,3}|~~)|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_PRIVATE = 0xE000
_SHOWN = {_PRIVATE + code: chr(code) for code in range(0x21, 0x7F)}
_KINDS = r"(?:step|phase|scenario|procedure|playbook|runbook|section|part|stage|chapter)"
_NUMBERING = re.compile(
    rf"(?:{_KINDS}\s+(?:[0-9]+(?:\.[0-9]+)*|[a-z])\s*[.):–—-]+|[0-9]+(?:\.[0-9]+)*\s?[.):–—-]|"
    rf"[0-9]+(?:\.[0-9]+)+|[ivx]+[.)])\s+",
    re.IGNORECASE,
)
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_PARENTHESES = re.compile(r"\s*\([^()]*\)")
_KEPT = 4096


class Wording:
    """A pattern looked for in titles and labels. What it found in one is kept: the same stand above many parts."""

    def __init__(self, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        compiled = re.compile(pattern, flags)
        self.pattern = pattern
        self.search: Callable[[str], re.Match[str] | None] = lru_cache(maxsize=_KEPT)(compiled.search)
        self.match: Callable[[str], re.Match[str] | None] = lru_cache(maxsize=_KEPT)(compiled.match)


@lru_cache(maxsize=8192)  # every recogniser looks at the same headings, labels and cells
def plain(text: str) -> str:
    """`text` without emphasis, code marks, emoji, links' targets and comments; blanks collapsed."""
    if text.isascii() and not _DRESSED.search(text):
        return " ".join(text.split())
    kept = _ESCAPE.sub(_hidden, text) if "\\" in text else text
    bare = _EMPHASIS.sub("", _LINK.sub(r"\1", _COMMENT.sub(" ", kept))).replace("`", "")
    if not bare.isascii():
        bare = "".join(c for c in bare if not _pictogram(c))
    if kept is not text:
        bare = bare.translate(_SHOWN)
    return " ".join(bare.split())


def _hidden(escaped: re.Match[str]) -> str:
    """An escaped character as one of the private use area, where no rule takes it for dress."""
    return chr(_PRIVATE + ord(escaped[1]))


def unnumbered(title: str) -> str:
    """A title without its number: `3.1 Pods`, `Phase 3: Investigation`, `Scenario 2 - Lag` give their words."""
    bare = plain(title)
    match = _NUMBERING.match(bare)
    return (bare[match.end() :] if match else bare) or bare


def without_parentheses(title: str) -> str:
    """`Immediate (Within 24 hours)` gives `Immediate`; a title that is nothing but a parenthesis stays."""
    return (_PARENTHESES.sub("", title) if "(" in title else title).strip() or title


def slug(title: str) -> str:
    """A name for addresses: lower-case letters and digits joined by `-`; empty when the title has neither."""
    folded = unicodedata.normalize("NFKD", without_parentheses(unnumbered(title))).casefold()
    return "-".join(re.findall(r"[^\W_]+", "".join(c for c in folded if not unicodedata.combining(c))))


def unique(name: str, taken: set[str]) -> str:
    """`name`, or `name-2`, `name-3` ... when it is taken; the answer joins `taken`."""
    number, chosen = 1, name
    while chosen in taken:
        number += 1
        chosen = f"{name}-{number}"
    taken.add(chosen)
    return chosen


def code_spans(text: str) -> tuple[str, ...]:
    """What stands between backticks, in order."""
    return tuple([match[2].strip() for match in _CODE.finditer(text)]) if "`" in text else ()


def is_nothing(cell: str) -> bool:
    """Whether a cell says "nobody" or "nothing": empty, a dash, `N/A`, `None`."""
    return plain(cell).casefold() in {"", "-", "--", "–", "—", "n/a", "na", "none", "nobody", "x"}


def _pictogram(character: str) -> bool:
    return unicodedata.category(character) == "So" or character in "\ufe0f\u200d\u20e3"
