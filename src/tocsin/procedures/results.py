"""What came of a step: values only."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from tocsin.runbook.model import StepClass, StepKind


class Outcome(StrEnum):
    """What a result means, which is more than its exit status: `grep` without a match exits 1 and is no failure."""

    OK = "ok"
    NOTHING_FOUND = "nothing_found"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"
    MANUAL = "manual"
    REFUSED = "refused"


class StepResult(Struct, frozen=True):
    """One step, done or refused. Output is redacted and without escape codes; times are aware UTC.

    `cut_bytes` were left out of the middle of the output; `digest` is the sha256 hex of what was kept of it.
    `chart` is an SVG of what a query gave over time.
    `exit_code` is None when no program ended by itself; a program ended by a signal has the negative of its number.
    """

    title: str
    kind: StepKind
    step_class: StepClass = field(name="class")
    exit_code: int | None
    outcome: Outcome
    reason: str
    stdout: str
    stderr: str
    cut_bytes: int
    started_at: datetime
    ended_at: datetime
    digest: str
    chart: str = ""


def digest(stdout: str, stderr: str) -> str:
    """The sha256 hex of kept output, both streams parted by a NUL."""
    return hashlib.sha256(f"{stdout}\0{stderr}".encode("utf-8", "replace")).hexdigest()
