"""An answer to a question about production, with what speaks for it and against it; and the limits it is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from msgspec import Struct

from tocsin.diagnosis.walk import NO, UNKNOWN, YES


class Limits(Struct, frozen=True):
    """What counts as too much. Shares are between 0 and 1.

    Source of the built-in ones: the questions of an incident runbook as SREs put them (25 % of periods throttled, 80 %
    of connections); `recent` is how long before the impact a change still counts as its possible cause.
    """

    error_share: float = 0.05
    recent: timedelta = timedelta(minutes=60)
    throttled: float = 0.25
    connections: float = 0.8
    concentrated: float = 0.8
    slower: float = 2.0
    slower_by: float = 0.1
    surge: float = 1.8
    waiting: timedelta = timedelta(seconds=10)
    disk: float = 0.95
    lag: timedelta = timedelta(minutes=5)


LIMITS = Limits()


class Verdict(Struct, frozen=True):
    """`answer` is yes, no or unknown, `reason` one sentence. `settle` says what would turn an unknown into an answer.

    `about` names what a yes is about, e.g. "deployment/backend"; `suspect` what is near but not shown to be the cause.
    """

    answer: str
    reason: str
    evidence: tuple[str, ...] = ()
    counter: tuple[str, ...] = ()
    settle: tuple[str, ...] = ()
    about: str = ""
    suspect: str = ""

    @property
    def decided(self) -> bool:
        return self.answer != UNKNOWN


def yes(reason: str, evidence: Iterable[str] = (), *, counter: Iterable[str] = (), about: str = "") -> Verdict:
    return Verdict(YES, reason, tuple(evidence), tuple(counter), about=about)


def no(reason: str, evidence: Iterable[str] = (), *, counter: Iterable[str] = ()) -> Verdict:
    return Verdict(NO, reason, tuple(evidence), tuple(counter))


def unknown(
    reason: str,
    evidence: Iterable[str] = (),
    *,
    counter: Iterable[str] = (),
    settle: Iterable[str] = (),
    suspect: str = "",
) -> Verdict:
    return Verdict(UNKNOWN, reason, tuple(evidence), tuple(counter), tuple(settle), suspect=suspect)


def told(verdict: Verdict) -> str:
    """The verdict as a text to keep: the answer, what speaks for and against it, what would settle it."""
    parts = [f"{verdict.answer}: {verdict.reason}"]
    for heading, lines in (
        ("Evidence", verdict.evidence),
        ("Against it", verdict.counter),
        ("What would settle it", verdict.settle),
    ):
        if lines:
            parts.append("\n".join((f"{heading}:", *(f"- {line}" for line in lines))))
    return "\n\n".join(parts)
