"""Text made safe to show and to send: what every channel does to outside words. Refuses to know a format.

A person's update, a log line or an alert's summary may carry escape codes, direction overrides that make a text read
backwards, or ten thousand characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable

TITLE_LIMIT = 200
TEXT_LIMIT = 20_000
CUT_NOTE = "[cut: the rest stands on the incident page]"

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_ESCAPE_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")
_HARMFUL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def clean(text: str, *, limit: int = TEXT_LIMIT) -> str:
    """The text with `\\n` as its only line end, at most about `limit` characters.

    Terminal escape codes are dropped; other control characters, direction overrides (U+202A-202E, U+2066-2069) and
    halves of surrogate pairs become U+FFFD, so that one sees that something was there.
    """
    lines = _LINE_ENDS.sub("\n", text)
    return cut(_HARMFUL.sub("\ufffd", _ESCAPE_CODES.sub("", lines)), limit=limit)


def one_line(text: str, *, limit: int = TITLE_LIMIT) -> str:
    """The cleaned text on one line, at most `limit` characters, an ellipsis where it was cut."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def cut(text: str, *, limit: int) -> str:
    """The text, or its first `limit` characters and a note on a line of its own."""
    return text if len(text) <= limit else f"{text[:limit].rstrip()}\n{CUT_NOTE}"


def pieces(text: str, *, limit: int, write: Callable[[str], str]) -> list[str]:
    """The text as `write` writes it, in pieces of at most `limit` characters, split between lines where it can be.

    `write` works character by character, as escaping does: no piece ends inside of what it wrote for one.
    """
    done: list[str] = []
    current = ""
    for line in text.split("\n"):
        for part in _parts(line, limit=limit, write=write):
            joined = f"{current}\n{part}" if current else part
            if len(joined) > limit:
                done.append(current)
                joined = part
            current = joined
    return [piece for piece in [*done, current] if piece.strip()]


def _parts(line: str, *, limit: int, write: Callable[[str], str]) -> list[str]:
    """One line as written, in as many parts as it takes."""
    whole = write(line)
    if len(whole) <= limit:
        return [whole]
    parts = [""]
    for character in line:
        written = write(character)
        if len(parts[-1]) + len(written) > limit:
            parts.append("")
        parts[-1] += written
    return parts
