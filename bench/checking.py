"""How long a runbook takes to be read: the example, documents of a megabyte, and others' documents.

Each reading is the first of a fresh process, after the imports, and counted in processor time, so that what else the
machine does counts less; the best of a few. `CORPUS` names a folder of documents in `open/`; without it, and without
one beside the project, those are left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure, Yardstick
from tocsin.config import default_runbook

RUNS = 3
MEGABYTE = 1_000_000
DOCUMENT_MS = 50
MEGABYTE_MS = 1000
TWICE_AS_LONG = 2.5
_FRESH = """
import sys, time
from pathlib import Path
{imports}
text = Path(sys.argv[1]).read_text(encoding="utf-8")
begun = time.process_time()
{job}
print(time.process_time() - begun)
"""
_OURS = _FRESH.format(imports="from tocsin.runbook.reader import read", job='read(text, file="runbook.md")')
_THEIRS = _FRESH.format(
    imports="from markdown_it import MarkdownIt", job='MarkdownIt("commonmark").enable("table").parse(text)'
)


def measure() -> list[Figure]:
    figures = [_figure("check of the example runbook", default_runbook(), DOCUMENT_MS)]
    documents = sorted((Path(os.environ.get("CORPUS", "../shared/corpus")) / "open").glob("*.md"))
    if documents:
        slowest = max(documents, key=lambda path: _best(_OURS, path, runs=1))
        figures.append(_figure(f"check of {slowest.stem}, the slowest", slowest, DOCUMENT_MS))
    with TemporaryDirectory() as folder:
        written = Path(folder) / "runbook.md"
        for name, text in _large(documents):
            written.write_text(text, encoding="utf-8")
            figures.append(_figure(f"check of {len(text.encode()) / MEGABYTE:.1f} MB: {name}", written, MEGABYTE_MS))
        whole = _best(_OURS, written)
        written.write_text(text[: len(text) // 2], encoding="utf-8")
        figures.append(
            Figure("check of a text twice as long", whole / _best(_OURS, written), "x", target=TWICE_AS_LONG)
        )
    return figures


def _large(documents: list[Path]) -> Iterator[tuple[str, str]]:
    """(name, text) of each document of a megabyte."""
    example = _repeated(default_runbook().read_text(encoding="utf-8"))
    yield "the example again and again", example
    yield "the same, every fence different", _no_fence_twice(example)
    if documents:
        yield "the corpus strung together", _repeated("\n\n".join(p.read_text(encoding="utf-8") for p in documents))
    yield (
        "underlined headings, which are left to the parser",
        re.sub(r"^##+ (.*)$", r"\1\n---", example, flags=re.MULTILINE),
    )


def _repeated(text: str) -> str:
    return f"{text}\n\n" * (MEGABYTE // len(text.encode()) + 1)


def _no_fence_twice(text: str) -> str:
    """The text with another command at the top of each shell fence, so that no fence read once is known again."""
    number = count(1)
    return re.sub(r"^```bash\n", lambda m: f"{m[0]}kubectl get pods -n copy{next(number)}\n", text, flags=re.MULTILINE)


def _figure(name: str, path: Path, target: float) -> Figure:
    return Figure(name, _best(_OURS, path), "ms", Yardstick("markdown-it-py parse alone", _best(_THEIRS, path)), target)


def _best(script: str, path: Path, *, runs: int = RUNS) -> float:
    """Milliseconds of processor time."""
    taken = (
        subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True) for _ in range(runs)
    )
    return 1000 * min(float(run.stdout) for run in taken)
