"""A team's regular expressions looked for in lines that anybody may have written. Refuses to be held up by either.

`re` keeps every other thread of the process waiting while it searches, so that one expression that backtracks without
end would stop the paging. This searches without the interpreter's lock, and gives a line up after a while.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import regex
from msgspec import Struct

LINE_SECONDS = 0.05
"""What one line may cost."""
BATCH_SECONDS = 2.0
"""What one batch of lines may cost together."""


class Found(Struct, frozen=True):
    """The matching lines in order, and how many could not be looked at for lack of time."""

    lines: tuple[str, ...] = ()
    unread: int = 0


class Pattern:
    """A regular expression, as `re` writes it. Raises ValueError for a text that is none."""

    def __init__(self, text: str) -> None:
        try:
            self._compiled = regex.compile(text)
        except regex.error as exc:
            raise ValueError(f"pattern is not a regular expression: {exc}") from exc
        self.text = text

    def found(self, lines: Sequence[str], *, most: float = BATCH_SECONDS) -> Found:
        """What matches anywhere in a line. Blocks for at most about `most` seconds: call it in a thread."""
        until = time.monotonic() + most
        matched: list[str] = []
        unread = 0
        for number, line in enumerate(lines):
            if time.monotonic() > until:
                return Found(tuple(matched), unread + len(lines) - number)
            try:
                if self._compiled.search(line, timeout=LINE_SECONDS, concurrent=True):
                    matched.append(line)
            except TimeoutError:
                unread += 1
        return Found(tuple(matched), unread)
