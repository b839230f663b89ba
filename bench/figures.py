"""A figure and how it is printed. Judges nothing but whether a target was met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from msgspec import Struct

_HEADS = ("figure", "measured", "yardstick", "measured", "ratio", "target", "")
_WORDS = (0, 2, 6)
"""Columns of words, aligned to the left; the others are numbers."""


class Yardstick(Struct, frozen=True):
    """Something plain, measured side by side, that says how fast this machine is now. In the figure's own unit."""

    name: str
    value: float


class Figure(Struct, frozen=True):
    """One measurement. With a `target` it is met when below it, with a `least` when not below that."""

    name: str
    value: float
    unit: str
    yardstick: Yardstick | None = None
    target: float | None = None
    least: float | None = None

    @property
    def missed(self) -> bool:
        above = self.target is not None and self.value >= self.target
        return above or (self.least is not None and self.value < self.least)

    @property
    def verdict(self) -> str:
        return "" if self.target is None and self.least is None else "MISSED" if self.missed else "ok"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` 0.99 is the p99."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def table(figures: Sequence[Figure]) -> str:
    """The figures as an aligned table."""
    rows = [_HEADS, *(_row(f) for f in figures)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEADS))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (c.ljust(w) if n in _WORDS else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
    return "  ".join(padded).rstrip()


def _row(figure: Figure) -> tuple[str, ...]:
    beside = figure.yardstick
    ratio = _said(figure.value / beside.value, "x") if beside and beside.value else ""
    return (
        figure.name,
        _said(figure.value, figure.unit),
        beside.name if beside else "",
        _said(beside.value, figure.unit) if beside else "",
        ratio,
        _wanted(figure),
        figure.verdict,
    )


def _wanted(figure: Figure) -> str:
    if figure.least is not None:
        return f">= {_said(figure.least, figure.unit)}"
    return f"< {_said(figure.target, figure.unit)}" if figure.target is not None else ""


def _said(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"
