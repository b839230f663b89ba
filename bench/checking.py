"""How long a runbook takes to be read: the example, one of a megabyte, one with no fence twice, and others' documents.

`CORPUS` names a folder of documents in `open/`, each read in a fresh process; without it, and without one beside the
project, they are left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from markdown_it import MarkdownIt

from bench.figures import Figure, Yardstick, median
from tocsin.config import default_runbook
from tocsin.runbook.reader import read

RUNS = 5
COLD_RUNS = 3
MEGABYTE = 1_000_000
DOCUMENT_MS = 50
MEGABYTE_MS = 1000
TWICE_AS_LONG = 2.5
_COLD = """
import sys, time
from pathlib import Path
{imports}
text = Path(sys.argv[1]).read_text(encoding="utf-8")
begun = time.perf_counter()
{job}
print(time.perf_counter() - begun)
"""
_OURS = _COLD.format(imports="from tocsin.runbook.reader import read", job='read(text, file="runbook.md")')
_THEIRS = _COLD.format(
    imports="from markdown_it import MarkdownIt", job='MarkdownIt("commonmark").enable("table").parse(text)'
)


def measure() -> list[Figure]:
    text = default_runbook().read_text(encoding="utf-8")
    large = (text + "\n\n") * (MEGABYTE // len(text.encode()) + 1)
    half = large[: len(large) // 2]
    whole, halved = _ms(lambda: read(large, file="runbook.md"), 2), _ms(lambda: read(half, file="runbook.md"), 2)
    return [
        _figure("check of the example runbook", text, runs=RUNS, target=DOCUMENT_MS),
        _cold("the same, first in a fresh process", default_runbook()),
        *_corpus(),
        _figure(f"check of {len(large.encode()) / MEGABYTE:.1f} MB", large, runs=2, target=MEGABYTE_MS),
        _figure("the same, every fence different", _no_fence_twice(large), runs=1, target=MEGABYTE_MS),
        Figure("check of a text twice as long", whole / halved, "x", target=TWICE_AS_LONG),
    ]


def _no_fence_twice(text: str) -> str:
    """The text with another command at the top of each shell fence, so that no fence read once is known again."""
    number = count(1)
    return re.sub(r"^```bash\n", lambda m: f"{m[0]}kubectl get pods -n copy{next(number)}\n", text, flags=re.MULTILINE)


def _figure(name: str, text: str, *, runs: int, target: float) -> Figure:
    ours = _ms(lambda: read(text, file="runbook.md"), runs)
    theirs = _ms(lambda: MarkdownIt("commonmark").enable("table").parse(text), runs)
    return Figure(name, ours, "ms", Yardstick("markdown-it-py parse alone", theirs), target)


def _corpus() -> list[Figure]:
    """The slowest of the documents, if there are any."""
    documents = sorted((Path(os.environ.get("CORPUS", "../shared/corpus")) / "open").glob("*.md"))
    if not documents:
        return []
    slowest = max(documents, key=lambda path: _fresh(_OURS, path))
    return [_cold(f"{slowest.stem}, first in a fresh process", slowest)]


def _cold(name: str, path: Path) -> Figure:
    ours, theirs = ([_fresh(script, path) for _ in range(COLD_RUNS)] for script in (_OURS, _THEIRS))
    return Figure(name, min(ours), "ms", Yardstick("markdown-it-py, fresh process", min(theirs)), DOCUMENT_MS)


def _fresh(script: str, path: Path) -> float:
    """Milliseconds of a first reading, after the imports."""
    said = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    return 1000 * float(said.stdout)


def _ms(job: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        job()
        taken.append(time.perf_counter() - begun)
    return 1000 * median(taken)
