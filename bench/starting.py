"""How long `tocsin serve` takes until it is ready, on an empty folder, and how much memory it has then."""

from __future__ import annotations

import tempfile
from pathlib import Path

from msgspec import Struct

from bench.figures import Figure, Yardstick, median
from bench.servers import Server, bare, settings, tocsin

RUNS = 3
TARGET_MS, TARGET_MB = 2000, 150


def measure() -> list[Figure]:
    started = [_once() for _ in range(RUNS)]
    return [
        _figure("first 200 on /readyz", "ms", [(1000 * o.seconds, 1000 * t.seconds) for o, t in started], TARGET_MS),
        _figure("processor until then", "ms", [(1000 * o.processor, 1000 * t.processor) for o, t in started], None),
        _figure("memory when ready", "MB", [(o.mb, t.mb) for o, t in started], TARGET_MB),
    ]


class Start(Struct, frozen=True):
    """`processor` are the seconds it took of a core, which a busy machine does not stretch."""

    seconds: float
    processor: float
    mb: float


def _once() -> tuple[Start, Start]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        settings(Path(folder))
        with tocsin(Path(folder)) as server:
            ours = _of(server)
        with bare(Path(folder)) as server:
            return ours, _of(server)


def _of(server: Server) -> Start:
    return Start(server.seconds, server.cpu_seconds, server.rss_mb)


def _figure(what: str, unit: str, measured: list[tuple[float, float]], target: float | None) -> Figure:
    beside = Yardstick("bare uvicorn + Starlette", median([theirs for _, theirs in measured]))
    return Figure(f"tocsin serve, {what}", median([ours for ours, _ in measured]), unit, beside, target)
