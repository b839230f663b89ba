"""A small chart of what a query gave over time, as SVG that needs nothing else. Escapes every word it is given.

It is as wide as a phone, so that its words are read at their own size there, and follows the reader's light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Protocol

WIDTH, HEIGHT = 340, 160
_LEFT, _TOP, _BOTTOM = 52, 24, 42
MOST = 8
"""Series drawn; more are counted in words."""
_COLOURS = ("#3580c0", "#d9504e", "#35974f", "#9b6fc9", "#d97b16", "#1a9fae", "#a0705f", "#858585")
"""Readable on white and on black alike."""
_TITLE = 54
_STYLE = (
    "<style>.b{fill:#fff}.t{fill:#222}.s{fill:#555}.g{stroke:#ddd}"
    "@media (prefers-color-scheme:dark){.b{fill:#14181b}.t{fill:#e6e6e6}.s{fill:#aaa}.g{stroke:#3a4046}}</style>"
)


class Line(Protocol):
    """A series over time: points are (seconds since the epoch, value), in order."""

    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def points(self) -> Sequence[tuple[float, float]]: ...


def svg(title: str, lines: Sequence[Line]) -> str:
    """The chart; empty when there is no finite point to draw."""
    drawn = [[(at, v) for at, v in line.points if math.isfinite(v)] for line in lines[:MOST]]
    values = [v for points in drawn for _, v in points]
    if not values:
        return ""
    times = [at for points in drawn for at, _ in points]
    frame = _Frame(min(times), max(times), min(values), max(values))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' font-family="sans-serif" font-size="11"><title>{_words(title, 200)}</title>{_STYLE}'
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="b"/>'
        f'<text x="4" y="14" class="t">{_words(title, _TITLE)}</text>',
        *(_grid(frame, value) for value in dict.fromkeys((frame.low, frame.high))),
        *(
            f'<path d="{_path(frame, points)}" fill="none" stroke="{colour}" stroke-width="1.5">'
            f"<title>{_words(_named(line.labels), 200)}</title></path>"
            for line, points, colour in zip(lines, drawn, _COLOURS, strict=False)
            if points
        ),
        f'<text x="{_LEFT}" y="{HEIGHT - _BOTTOM + 15}" class="s">{_clock(frame.begin)}</text>'
        f'<text x="{WIDTH - 8}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="end" class="s">{_clock(frame.end)} UTC</text>'
        f'<text x="4" y="{HEIGHT - 8}" class="s">{_words(_legend(lines), 58)}</text></svg>',
    ]
    return "".join(parts)


class _Frame:
    """Where an instant and a value lie; a flat line lies in the middle."""

    def __init__(self, begin: float, end: float, low: float, high: float) -> None:
        self.begin, self.end, self.span = begin, end, (end - begin) or 1.0
        self.low, self.high = low, high

    def x(self, at: float) -> float:
        return _LEFT + (WIDTH - _LEFT - 8) * (at - self.begin) / self.span

    def y(self, value: float) -> float:
        share = 0.5 if self.high == self.low else (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * share


def _path(frame: _Frame, points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{frame.x(at):.1f},{frame.y(value):.1f}" for at, value in points)


def _grid(frame: _Frame, value: float) -> str:
    y = frame.y(value)
    return (
        f'<line x1="{_LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" class="g"/>'
        f'<text x="{_LEFT - 4}" y="{y + 3:.1f}" text-anchor="end" class="s">{value:.4g}</text>'
    )


def _clock(at: float) -> str:
    """Hours, minutes and seconds of an instant, in UTC; empty for one that no calendar has."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        return ""


def _legend(lines: Sequence[Line]) -> str:
    """What the lines are; empty for the only one of a query that left no label."""
    if len(lines) == 1 and not lines[0].labels:
        return ""
    shown = "; ".join(_named(line.labels) for line in lines[:3])
    return f"{shown} and {len(lines) - 3} more" if len(lines) > 3 else shown


def _named(labels: dict[str, str]) -> str:
    pairs = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
    return pairs or labels.get("__name__", "value")


def _words(text: str, most: int) -> str:
    """Text that can stand in XML: escaped, cut, without characters that XML cannot hold or that turn text around."""
    clean = "".join(c for c in text if c.isprintable() or c == " ")
    return escape(clean if len(clean) <= most else f"{clean[: most - 1]}…")
