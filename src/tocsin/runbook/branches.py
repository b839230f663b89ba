"""What every drawing of a decision tree is read into before it is grown: its lines as nodes with a depth."""

from __future__ import annotations

from msgspec import Struct


class Node(Struct):
    """One drawn line and those below that continue it. `depth` is the column of its answer; "" is the root."""

    depth: int
    answer: str
    text: str
    line: int
    below: list[tuple[str, int]]


class BrokenError(Exception):
    """The drawing is no tree; `line` is where."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason
