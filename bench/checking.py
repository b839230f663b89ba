"""How long a runbook takes to be read: the example, and one of a megabyte."""

from __future__ import annotations

import time
from collections.abc import Callable

from markdown_it import MarkdownIt

from bench.figures import Figure, Yardstick, median
from tocsin.config import default_runbook
from tocsin.runbook.reader import read

RUNS = 5
MEGABYTE = 1_000_000


def measure() -> list[Figure]:
    text = default_runbook().read_text(encoding="utf-8")
    large = (text + "\n\n") * (MEGABYTE // len(text.encode()) + 1)
    return [
        _figure("check of the example runbook", text, runs=RUNS),
        _figure(f"check of {len(large.encode()) / MEGABYTE:.1f} MB", large, runs=1),
    ]


def _figure(name: str, text: str, *, runs: int) -> Figure:
    ours = _ms(lambda: read(text, file="runbook.md"), runs)
    theirs = _ms(lambda: MarkdownIt("commonmark").enable("table").parse(text), runs)
    return Figure(name, ours, "ms", Yardstick("markdown-it-py parse alone", theirs))


def _ms(job: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        job()
        taken.append(time.perf_counter() - begun)
    return 1000 * median(taken)
