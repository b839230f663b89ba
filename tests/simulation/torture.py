"""Bad days without end, on every core: `python tests/simulation/torture.py [--days N] [--seed S]`.

Needs tests/fixtures on PYTHONPATH. Prints how far it is, and the seed of a day on which an invariant did not hold:
`--seed S --days 1` lives that day again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import structlog
from invariants import check
from simulated import Broken, simulate

EACH = 100
"""Incidents a day."""


def day(seed: int) -> str | None:
    """What did not hold on that day; None when everything did."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        simulate(seed, EACH, check)
    except Broken as exc:
        return str(exc)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="bad days for the engine, each made up from its seed")
    parser.add_argument("--days", type=int, default=1000, help=f"how many, of {EACH} incidents each")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first day")
    given = parser.parse_args()
    begun = time.monotonic()
    broken: list[str] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        days = [pool.submit(day, given.seed + n) for n in range(given.days)]
        for done, found in enumerate(as_completed(days), 1):
            told = found.result()
            if told is not None:
                broken.append(told)
                print(f"BROKEN {told}", flush=True)
            if done % 50 == 0 or done == given.days:
                spent = time.monotonic() - begun
                print(f"{done * EACH:,} incidents, {len(broken)} broken, {spent:.0f} s", flush=True)
    print(
        f"seeds {given.seed} to {given.seed + given.days - 1}: {given.days - len(broken)} passed, {len(broken)} failed"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
