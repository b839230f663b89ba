"""What a pod's log says of the database: SQLSTATEs, written out or in the server's own words. Keeps counts, no text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from tocsin.diagnosis.facts import Failures, Logs
from tocsin.evidence.kube.values import instant

Redact = Callable[[str], str]
_ERROR = re.compile(r"\b(?:error|exception|fatal|panic|critical)\b|\"?level\"?[=:]\s*\"?(?:error|fatal)", re.IGNORECASE)
_STATE = re.compile(r"\bSQL_?STATE\b[\s\"':=(\[]{1,6}([0-9A-Z]{5})\b", re.IGNORECASE)
_WORDS = (
    ("40P01", re.compile(r"deadlock detected", re.IGNORECASE)),
    ("55P03", re.compile(r"canceling statement due to lock timeout|could not obtain lock on", re.IGNORECASE)),
    ("42703", re.compile(r"column \S{1,80} (?:of relation \S{1,80} )?does not exist", re.IGNORECASE)),
    ("42P01", re.compile(r"relation \S{1,80} does not exist", re.IGNORECASE)),
    ("53100", re.compile(r"no space left on device|could not extend file", re.IGNORECASE)),
    ("23505", re.compile(r"duplicate key value violates unique constraint", re.IGNORECASE)),
    ("23503", re.compile(r"violates foreign key constraint", re.IGNORECASE)),
    ("23502", re.compile(r"violates not-null constraint", re.IGNORECASE)),
    ("22P02", re.compile(r"invalid input syntax for (?:type|integer|uuid)", re.IGNORECASE)),
    ("25006", re.compile(r"cannot execute \S{1,40} in a read-only transaction", re.IGNORECASE)),
    ("XX001", re.compile(r"invalid page in block|could not read block", re.IGNORECASE)),
)
"""The words of PostgreSQL's messages; source: its manual, appendix A, and src/backend/utils/errcodes.txt."""


def read_log(pod: str, text: str, *, redact: Redact) -> Logs:
    """The log counted. Lines begin with their time, as the API gives them with `timestamps=true`."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[str, str]] = {}
    errors = lines = 0
    for line in text.splitlines():
        lines += 1
        at, _, said = line.partition(" ")
        state, words = _state(said)
        errors += bool(state or _ERROR.search(said))
        if state:
            counts[state] += 1
            first.setdefault(state, (at, words))
    failures = tuple(
        Failures(pod, state, n, errors, instant(first[state][0]), redact(first[state][1])[:120])
        for state, n in counts.most_common(10)
    )
    return Logs(pod, errors, lines, failures)


def _state(line: str) -> tuple[str, str]:
    """The line's SQLSTATE, and the words that told it; empty without one."""
    for state, rule in _WORDS:
        if match := rule.search(line):
            return state, match[0]
    written = _STATE.search(line)
    return (written[1].upper(), "") if written else ("", "")
