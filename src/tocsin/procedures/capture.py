"""Keeps the head and the tail of a stream in bounded memory, clean of escape codes and secrets.

Whole lines are looked at, so a secret split over two reads is still found. What flows past after the head is full is
kept raw only as long as it may become the tail, and redacted before anyone sees it.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable

from tocsin.procedures.redaction import clean, redact

Show = Callable[[str], None]
_HOLD = 64 * 1024  # the longest line looked at in one piece
_OVERLAP = 4 * 1024  # longer than any token looked for
_LONGEST_MARK = 60  # of "-----END ... PRIVATE KEY-----"
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")


class Capture:
    """One stream. `cap` bounds what is kept, in characters; half of it for the head, half for the tail.

    `hide` takes secrets out, `show` sees what is kept of the head as it comes. What follows `marker` on a line is the
    runner's own and land in `marks` instead.
    """

    def __init__(self, *, cap: int, marker: str, show: Show | None = None, hide: Callable[[str], str] = redact) -> None:
        self._half = max(1, cap // 2)
        self._marker = marker
        self._show = show
        self._hide = hide
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._in_key = False
        self._head: list[str] = []
        self._head_size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._cut = 0
        self.marks: list[str] = []

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the stream."""
        self._pending += self._decoder.decode(data)
        if self._in_key:
            self._swallow_key()
        if self._in_key:
            return
        if "\n" not in self._pending and "\r" not in self._pending and len(self._pending) < _HOLD:
            return
        at = self._safe_end()
        ready, self._pending = self._pending[:at], self._pending[at:]
        self._take(ready)
        if len(self._pending) > _HOLD and _KEY_BEGINS.match(self._pending):
            self._in_key = True
            self._take("[redacted private key]")
            self._swallow_key()

    def finish(self) -> tuple[str, int]:
        """(what is kept, how many characters were cut out of its middle). Call once, at the end of the stream."""
        self._pending += self._decoder.decode(b"", final=True)
        if self._in_key:
            self._swallow_key()
        if not self._in_key:
            self._take(self._pending)
        self._pending = ""
        head, tail = "".join(self._head), "".join(self._tail)
        if not tail:
            return head, self._cut
        if self._cut:
            tail = self._after_cut(tail)
            return f"{head}\n[... {self._cut} characters left out ...]\n{self._hide(clean(tail))}", self._cut
        return head + self._hide(clean(tail)), 0

    def _swallow_key(self) -> None:
        """Drops what belongs to a private key too long to be held, to its end or to the end of what came so far."""
        end = _KEY_ENDS.search(self._pending)
        self._in_key = end is None
        self._pending = self._pending[-_LONGEST_MARK:] if end is None else self._pending[end.end() :]

    def _safe_end(self) -> int:
        """Where the pending text may be cut: after a line, outside a private key, never inside a token."""
        at = max(self._pending.rfind("\n"), self._pending.rfind("\r", 0, len(self._pending) - 1)) + 1
        begins = [m.start() for m in _KEY_BEGINS.finditer(self._pending)]
        if begins and not _KEY_ENDS.search(self._pending, begins[-1]):
            return begins[-1]
        if at == 0 and len(self._pending) >= _HOLD:
            edge = len(self._pending) - _OVERLAP
            at = max(self._pending.rfind(" ", 0, edge), self._pending.rfind("\n", 0, edge)) + 1 or len(self._pending)
        return at

    def _take(self, text: str) -> None:
        text = self._without_marks(text)
        if not text:
            return
        if self._head_size < self._half and not self._tail:
            self._to_head(self._hide(clean(text)))
            return
        self._to_tail(text)

    def _to_head(self, text: str) -> None:
        room = self._half - self._head_size
        kept, rest = text[:room], text[room:]
        self._head.append(kept)
        self._head_size += len(kept)
        if self._show is not None:
            self._show(kept)
        if rest:
            self._to_tail(rest)

    def _to_tail(self, text: str) -> None:
        for start in range(0, len(text), 8192):
            piece = text[start : start + 8192]
            self._tail.append(piece)
            self._tail_size += len(piece)
        while self._tail_size - len(self._tail[0]) >= self._half:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self._cut += len(gone)

    def _after_cut(self, tail: str) -> str:
        """The tail from its first whole line, else word, on: what is before may be the rest of a secret."""
        cut = re.search(r"\n", tail) or re.search(r"\s", tail)
        start = cut.end() if cut else len(tail)
        self._cut += start
        return tail[start:]

    def _without_marks(self, text: str) -> str:
        if self._marker not in text:
            return text
        self.marks += re.findall(rf"{self._marker} (.*)", text)
        return re.sub(rf"{self._marker} .*\n?", "", text)
