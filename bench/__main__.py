"""`python -m bench [NAME...]`: measures, prints one table, exits 0. A missed target says MISSED."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping

from bench import checking, commandline, deciding, decoding, due, ingest, outage, paging, room, starting, steps, storm
from bench.figures import Figure, table

MEASURES: Mapping[str, Callable[[], list[Figure]]] = {
    "commandline": commandline.measure,
    "starting": starting.measure,
    "room": room.measure,
    "ingest": ingest.measure,
    "paging": paging.measure,
    "storm": storm.measure,
    "checking": checking.measure,
    "decoding": decoding.measure,
    "due": due.measure,
    "steps": steps.measure,
    "deciding": deciding.measure,
    "outage": outage.measure,
}


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in MEASURES]
    if unknown:
        print(f"bench: no measure {unknown[0]!r}: known are {', '.join(MEASURES)}", file=sys.stderr)
        return 2
    begun = time.monotonic()
    figures: list[Figure] = []
    for name in wanted or list(MEASURES):
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures += MEASURES[name]()
    print(_surroundings())
    print(table(figures))
    missed = sum(figure.missed for figure in figures)
    print(f"\n{time.monotonic() - begun:.0f} s; {f'{missed} MISSED' if missed else 'no target missed'}")
    return 0


def _surroundings() -> str:
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    busy = "; the machine is busy: look at the ratios, not at the times" if load > cores + 1 else ""
    return f"Python {platform.python_version()}, {cores} cores, load {load:.1f}, loopback{busy}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
