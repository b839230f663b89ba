"""How long a runbook takes to be read: the example, and two of a megabyte, one with no fence twice."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import count

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
        _figure("the same, every fence different", _no_fence_twice(large), runs=1),
    ]


def _no_fence_twice(text: str) -> str:
    """The text with another command at the top of each shell fence, so that nothing read once is known again."""
    number = count(1)
    return re.sub(r"^```bash\n", lambda m: f"{m[0]}kubectl get pods -n copy{next(number)}\n", text, flags=re.MULTILINE)


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
