"""How long `tocsin serve` takes until it is ready, on an empty folder, and how much memory it has then."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TypeAlias

from bench.figures import Figure, Yardstick, median
from bench.servers import Server, bare, settings, tocsin

RUNS = 3
TARGET_MS, TARGET_MB = 2000, 150


Measured: TypeAlias = tuple[float, float]
"""(seconds, MB)"""


def measure() -> list[Figure]:
    started = [_once() for _ in range(RUNS)]
    ours, theirs = [s for s, _ in started], [s for _, s in started]
    name = "bare uvicorn + Starlette"
    return [
        Figure(
            "tocsin serve, first 200 on /readyz", _ms(ours), "ms", Yardstick(name, _ms(theirs)), TARGET_MS
        ),
        Figure("tocsin serve, memory when ready", _mb(ours), "MB", Yardstick(name, _mb(theirs)), TARGET_MB),
    ]  # fmt: skip


def _once() -> tuple[Measured, Measured]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        settings(Path(folder))
        with tocsin(Path(folder)) as server:
            ours = _of(server)
        with bare(Path(folder)) as server:
            return ours, _of(server)


def _of(server: Server) -> Measured:
    return server.seconds, server.rss_mb


def _ms(measured: list[Measured]) -> float:
    return 1000 * median([seconds for seconds, _ in measured])


def _mb(measured: list[Measured]) -> float:
    return median([mb for _, mb in measured])
