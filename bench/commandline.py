"""How long `tocsin --help` takes in a fresh process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from bench.figures import Figure, Yardstick, median

RUNS = 7
TARGET_MS = 300


def measure() -> list[Figure]:
    """The median of seven, beside a Python that does nothing and one that imports Typer; taken in turns."""
    taken: dict[str, list[float]] = {"help": [], "pass": [], "typer": []}
    for _ in range(RUNS):
        taken["help"].append(_seconds("-m", "tocsin.cli.main", "--help"))
        taken["pass"].append(_seconds("-c", "pass"))
        taken["typer"].append(_seconds("-c", "import typer"))
    found = {name: 1000 * median(values) for name, values in taken.items()}
    name = "tocsin --help, fresh process"
    return [
        Figure(name, found["help"], "ms", Yardstick("python -c pass", found["pass"]), TARGET_MS),
        Figure(name, found["help"], "ms", Yardstick('python -c "import typer"', found["typer"]), TARGET_MS),
    ]


def _seconds(*arguments: str) -> float:
    command: Sequence[str] = (sys.executable, *arguments)
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
