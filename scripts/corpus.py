"""Measures the reader against documents that people have read by hand: precision, recall and every miss.

    python scripts/corpus.py CORPUS [--quiet] [--documents open] [--gold gold]

CORPUS holds Markdown documents in `open/` and for each a `gold/NAME.json` with what is in it. Compared are titles and
roles by their words, levels by their code, times by their seconds; what a gold file calls optional counts neither way.
It measures and does not judge: the exit code is 0 unless there is nothing to measure.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from tocsin.runbook.reader import read
from tocsin.runbook.report import as_json

Entry: TypeAlias = Any
Outcome: TypeAlias = "tuple[list[Entry], list[Entry], list[Entry]]"
"""(right, missed, wrong) of one field of one document."""

_NUMBER = re.compile(
    r"^[\s\W]*(?:(?:step|phase|scenario|procedure|playbook|runbook|section|part)\s*)?[0-9]+(?:\.[0-9]+)*\s*[.:)\-]*\s*"
)
_CODE = re.compile(r"\b(SEVERITY|SEV|PRIORITY|P|S|LEVEL)[\s-]?([0-9])\b")


def level(name: str | None) -> str | None:
    """What two spellings of a level share: its code, else its first word."""
    if not name:
        return None
    code = _CODE.search(name.upper())
    if code:
        return {"SEVERITY": "SEV", "PRIORITY": "P"}.get(code[1], code[1]) + code[2]
    return re.sub(r"[^a-z0-9]+", "", re.split(r"[(-]", name)[0].casefold())


def words(text: str | None) -> set[str]:
    return set(re.findall(r"[^\W_]+", (text or "").casefold()))


def alike(a: str | None, b: str | None) -> bool:
    """Whether two titles share half of the shorter one's words and a quarter of the longer one's."""
    one, other = words(_NUMBER.sub("", (a or "").casefold())), words(_NUMBER.sub("", (b or "").casefold()))
    both = len(one & other)
    return bool(one and other) and both * 2 >= min(len(one), len(other)) and both * 4 >= max(len(one), len(other))


def paired(gold: list[Entry], got: list[Entry], same: Callable[[Entry, Entry], bool]) -> Outcome:
    left = list(got)
    right: list[Entry] = []
    missed: list[Entry] = []
    for wanted in gold:
        hit = next((entry for entry in left if same(wanted, entry)), None)
        if hit is None:
            missed.append(wanted)
        else:
            left.remove(hit)
            right.append((wanted, hit))
    return right, missed, left


def compared(gold: dict[str, Any], got: dict[str, Any]) -> Iterator[tuple[str, Outcome]]:
    """(field, outcome) of each part that is measured."""
    yield "severities", _less_optional(gold, "severities", "name", _levels(gold["severities"], got["severities"]))
    timed, read_timed = (
        [s for s in side["severities"] if s.get("response_seconds") is not None] for side in (gold, got)
    )
    yield (
        "responses",
        paired(timed, read_timed, lambda a, b: _key(a, "name") == _key(b, "name") and _same(a, b, "response_seconds")),
    )
    yield "escalation", _less_optional(gold, "escalation", "to", paired(gold["escalation"], got["escalation"], _rung))
    cadences = (gold["update_cadence"], got["update_cadence"])
    yield (
        "update_cadence",
        paired(*cadences, lambda a, b: _key(a, "severity") == _key(b, "severity") and _same(a, b, "every_seconds")),
    )
    yield "templates", _templates(gold, got)
    procedures = paired(gold["procedures"], got["procedures"], lambda a, b: alike(a["title"], b["title"]))
    yield "procedures", _less_optional(gold, "procedures", "title", procedures)
    yield "commands", _commands(procedures[0])
    yield (
        "mitigations",
        _less_optional(gold, "mitigations", "action", paired(gold["mitigations"], got["mitigations"], _mitigation)),
    )
    boxes = paired(
        gold["checklists"],
        got["checklists"],
        lambda a, b: alike(a["title"], b["title"]) and a["items"] == len(b["items"]),
    )
    yield "checklists", _less_optional(gold, "checklists", "title", boxes)
    yield "decision_tree", _tree(bool(gold["decision_tree"]), drawn=got["decision_tree"] is not None)
    owed = paired(
        gold["post_incident"],
        list(_tasks(got)),
        lambda a, b: _same(a, b, "within_seconds") and alike(a["what"], b["what"]),
    )
    yield "post_incident", _less_optional(gold, "post_incident", "what", owed)


def _key(entry: Entry, field: str) -> str | None:
    return level(entry.get(field))


def _same(a: Entry, b: Entry, field: str) -> bool:
    return bool(a.get(field) == b.get(field))


def _levels(gold: list[Entry], got: list[Entry]) -> Outcome:
    return paired(gold, got, lambda a, b: _key(a, "name") == _key(b, "name"))


def _rung(a: Entry, b: Entry) -> bool:
    return _key(a, "severity") == _key(b, "severity") and _same(a, b, "after_seconds") and alike(a["to"], b["to"])


def _mitigation(a: Entry, b: Entry) -> bool:
    first = [words((entry.get("command") or "").strip().split("\n")[0]) for entry in (a, b)]
    return alike(a["action"], b["action"]) and (not a.get("command") or first[0] == first[1])


def _templates(gold: dict[str, Any], got: dict[str, Any]) -> Outcome:
    names = [t if isinstance(t, str) else t["name"] for t in gold["templates"]]
    right, missed, wrong = paired(names, got["templates"], lambda a, b: alike(a, b["name"]))
    forms = [t if isinstance(t, str) else t["name"] for t in gold.get("document_templates", [])]
    wrong = [entry for entry in wrong if not any(alike(form, entry["name"]) for form in forms)]
    return _less_optional(gold, "templates", "name", (right, missed, wrong))


def _commands(procedures: list[Entry]) -> Outcome:
    """Per procedure found: the number of its logical commands, one more or less (or a tenth) allowed."""
    right: list[Entry] = []
    wrong: list[Entry] = []
    for wanted, entry in procedures:
        count = sum(
            step["commands"] or 1 for step in entry["steps"] if step["kind"] == "shell" and step["command"].strip()
        )
        close = abs(count - wanted["commands"]) <= max(1, 0.1 * wanted["commands"])
        (right if close else wrong).append(f"{wanted['title']}: {wanted['commands']} written, {count} read")
    return right, wrong, list(wrong)


def _tasks(got: dict[str, Any]) -> Iterator[Entry]:
    for group in got["post_incident"]:
        if not group["items"]:
            yield group
        for item in group["items"]:
            yield {"what": item, "within_seconds": group["within_seconds"], "line": group["line"]}


def _tree(wanted: bool, *, drawn: bool) -> Outcome:
    entry = ["a decision tree"]
    return (
        entry if wanted and drawn else [],
        entry if wanted and not drawn else [],
        entry if drawn and not wanted else [],
    )


def _less_optional(gold: dict[str, Any], field: str, name: str, outcome: Outcome) -> Outcome:
    """The outcome without the wrong entries that the gold file calls neither required nor wrong."""
    listed = (gold.get("optional") or {}).get(field)
    entries = listed if isinstance(listed, list) else []
    names = [str(entry.get(name)) if isinstance(entry, dict) else str(entry) for entry in entries]
    right, missed, wrong = outcome
    return right, missed, [entry for entry in wrong if not any(alike(n, entry[name]) for n in names)]


def _row(field: str, right: int, missed: int, wrong: int) -> str:
    precision = right / (right + wrong) if right + wrong else 1.0
    recall = right / (right + missed) if right + missed else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return f"{field:16}{right:7}{missed:8}{wrong:7}{precision:11.3f}{recall:8.3f}{f1:7.3f}"


def _told(kind: str, name: str, field: str, entry: Entry) -> str:
    shown = {k: v for k, v in entry.items() if k not in {"steps", "slug", "body"}} if isinstance(entry, dict) else entry
    return f"{name}: {field} {kind}: {json.dumps(shown, ensure_ascii=False)[:200]}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, help="the folder that holds open/ and gold/")
    parser.add_argument("--documents", default="open", help="the folder of documents in it (default: open)")
    parser.add_argument("--gold", default="gold", help="the folder of gold files in it (default: gold)")
    parser.add_argument("--quiet", action="store_true", help="the table without the misses")
    asked = parser.parse_args(arguments)
    totals: dict[str, list[int]] = {}
    slowest = (0.0, "")
    for gold in sorted((asked.corpus / asked.gold).glob("*.json")):
        document = asked.corpus / asked.documents / f"{gold.stem}.md"
        text = document.read_text(encoding="utf-8")
        begun = time.perf_counter()
        reading = read(text, file=str(document))
        slowest = max(slowest, (time.perf_counter() - begun, gold.stem))
        got: dict[str, Any] = dict(as_json(reading))
        for field, outcome in compared(json.loads(gold.read_text(encoding="utf-8")), got):
            counted = totals.setdefault(field, [0, 0, 0])
            for index, entries in enumerate(outcome):
                counted[index] += len(entries)
            for kind, entries in (("missed", outcome[1]), ("wrong", outcome[2])) if not asked.quiet else ():
                for entry in entries:
                    print(_told(kind, gold.stem, field, entry))
    if not totals:
        print(
            f"{asked.corpus}: no gold files; expected {asked.gold}/*.json beside {asked.documents}/*.md",
            file=sys.stderr,
        )
        return 2
    print(f"{'field':16}{'right':>7}{'missed':>8}{'wrong':>7}{'precision':>11}{'recall':>8}{'F1':>7}")
    for field, counted in totals.items():
        print(_row(field, *counted))
    print(_row("all", *(sum(counted[index] for counted in totals.values()) for index in range(3))))
    print(f"slowest document: {slowest[0] * 1000:.0f} ms ({slowest[1]})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
