"""How often the deciders are right, over every practice scenario and its twin, over the same in the first seconds,
and over the same facts perturbed.

A wrong yes costs more than an unknown: none may be. Prints a row for each scenario, then one for each in a bad night.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.figures import Figure

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))  # the productions that the tests hold the deciders to

from cases import FIRST_SECONDS, Case, cases, early, perturbed  # noqa: E402

from tocsin.diagnosis.deciders import decide  # noqa: E402
from tocsin.diagnosis.facts import Facts  # noqa: E402
from tocsin.diagnosis.questions import Topic  # noqa: E402

SEEDS = 40
RIGHT, SILENT, FALSE_YES, FALSE_NO, OPEN = "right", "unknown", "FALSE YES", "FALSE NO", "open"
MARKS = {RIGHT: "+", SILENT: "?", FALSE_YES: "FALSE YES", FALSE_NO: "FALSE NO", OPEN: "."}


def measure() -> list[Figure]:
    known = cases()
    plain = {case.name: [_judged(case, case.facts)] for case in known}
    print(f"\n{_table('Scenarios and twins', plain)}")
    first = {case.name: [_judged(case, early(case.facts, after)) for after in FIRST_SECONDS] for case in known}
    began = time.monotonic()
    rough = {
        case.name: [_judged(case, perturbed(case.facts, f"{case.name} {n}")) for n in range(SEEDS)] for case in known
    }
    each = (time.monotonic() - began) / (len(known) * SEEDS * len(Topic)) * 1000
    print(f"\n{_table(f'The same in {SEEDS} bad nights each (shares of right answers, in %)', rough)}\n")
    return [
        *_figures("", plain),
        *_figures(", in the first seconds", first),
        *_figures(", perturbed", rough),
        Figure("a decision, perturbing included", each, "ms"),
    ]


def _judged(case: Case, facts: Facts) -> dict[Topic, str]:
    words = {True: "yes", False: "no"}
    found = {}
    for topic, right in case.truth.items():
        answer = decide(topic, facts).answer
        if right is None:
            found[topic] = OPEN
        elif answer == words[right]:
            found[topic] = RIGHT
        else:
            found[topic] = SILENT if answer == "unknown" else FALSE_YES if answer == "yes" else FALSE_NO
    return found


def _figures(which: str, judged: dict[str, list[dict[Topic, str]]]) -> list[Figure]:
    count = Counter(one for nights in judged.values() for night in nights for one in night.values())
    asked = sum(n for kind, n in count.items() if kind != OPEN)
    silent = 100 - 100 * count[RIGHT] / asked
    of = f" of {asked:,} answers{which}"
    return [
        Figure(f"false yes{of}", count[FALSE_YES], "", target=1),
        Figure(f"false no{of}", count[FALSE_NO], "", target=1),
        Figure(f"not answered or wrong{which}", silent, "%", target=None if which else 15),
    ]


def _table(title: str, judged: dict[str, list[dict[Topic, str]]]) -> str:
    topics = [t for t in Topic if any(t in night for nights in judged.values() for night in nights)]
    lines = [title, f"{'':34}" + "".join(f"{t:>12}" for t in topics)]
    for name, nights in judged.items():
        lines.append(f"{name:34}" + "".join(f"{_cell([n[t] for n in nights]):>12}" for t in topics))
    return "\n".join([*lines, "+ right, ? unknown, . not asked: people who know everything could differ"])


def _cell(found: Iterable[str]) -> str:
    listed = list(found)
    wrong = next((kind for kind in (FALSE_YES, FALSE_NO) if kind in listed), None)
    if wrong or len(listed) == 1 or OPEN in listed:
        return MARKS[wrong or listed[0]]
    return f"{100 * listed.count(RIGHT) / len(listed):.0f}"
