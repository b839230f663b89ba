"""Indicators of severity that measurements can answer: how many of the users are affected, as far as requests tell.

A suggestion to a person, never a change of the severity: a request is no user, and a probe is one place.
"""

from __future__ import annotations

import re

from msgspec import Struct

from tocsin.diagnosis import curves, scope
from tocsin.diagnosis.facts import Facts, Signal
from tocsin.diagnosis.verdict import LIMITS, Limits, Verdict, no, unknown, yes
from tocsin.diagnosis.walk import YES
from tocsin.runbook.model import Runbook

_WHO = r"(?:users?|customers?|requests?|traffic|clients?)"
_ALL = re.compile(rf"\b(?:all|every|100\s?%(?: of)?) (?:of (?:our |the )?)?{_WHO}\b", re.IGNORECASE)
_SHARE = re.compile(
    r"(?P<sign>>=?|≥|<=?|≤|over|more than|above|under|less than|fewer than|below|up to|at least)\s*"
    rf"(?P<share>\d{{1,3}})\s?% (?:of )?(?:our |the |all )?{_WHO}\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:site|service|system|application|app|api|platform|production)\b.{0,20}\b(?:completely |entirely |totally )?"
    r"(?:unavailable|unreachable|down|offline)\b|\bcomplete (?:\w+ )?outage\b",
    re.IGNORECASE,
)
_MORE = (">", ">=", "≥", "over", "more than", "above", "at least")
NEARLY_ALL = 0.95
FEW = LIMITS.error_share
"""Fewer are always affected, so that "less than half of them" is said of no such share."""
MARGIN = 0.1
"""Shares this near to the one asked for are not told apart."""


class Suggested(Struct, frozen=True):
    """An indicator of the runbook with what measurements say of it."""

    severity: str
    text: str
    verdict: Verdict


def suggested(runbook: Runbook, facts: Facts, limits: Limits = LIMITS) -> tuple[Suggested, ...]:
    """The indicators that could be answered at all, in the document's order; others are for people alone."""
    found = ((i, answered(i.text, facts, limits)) for i in runbook.indicators)
    return tuple(Suggested(i.severity, i.text, verdict) for i, verdict in found if verdict is not None)


def answered(text: str, facts: Facts, limits: Limits = LIMITS) -> Verdict | None:
    """What measurements say of an indicator; None for one that they cannot speak of."""
    if _DOWN.search(text):
        return _down(facts)
    asked = _asked(text)
    return _affected(facts, asked[0], more=asked[1]) if asked else None


def by_share(text: str, share: float, said: str) -> Verdict | None:
    """What a share of users, `said` in words, makes of an indicator; None for one that speaks of no share."""
    asked = None if _DOWN.search(text) else _asked(text)
    return _compared(share, said, asked[0], more=asked[1]) if asked else None


def measurable(runbook: Runbook) -> bool:
    """Whether measurements can speak of any indicator."""
    return any(_DOWN.search(i.text) or _asked(i.text) for i in runbook.indicators)


def _asked(text: str) -> tuple[float, bool] | None:
    """The share that an indicator speaks of, and whether it means more than that; None when it speaks of none."""
    if _ALL.search(text):
        return NEARLY_ALL, True
    match = _SHARE.search(text)
    wanted = int(match["share"]) / 100 if match else 0
    return (wanted, match["sign"].casefold() in _MORE) if match and 0 < wanted <= 1 else None


def _affected(facts: Facts, wanted: float, *, more: bool) -> Verdict:
    """Whether the share of users, or of failing requests where that is not asked for, is above or below by a margin."""
    if facts.affected is not None:
        return _compared(*facts.affected, wanted, more=more)
    share = curves.lately(curves.share(scope.series(facts)))
    if facts.series.trouble or share is None:
        return unknown("the share of failing requests is not known", settle=(facts.series.trouble or "a measurement",))
    return _compared(share, f"{share:.0%} of the requests fail", wanted, more=more)


def _compared(share: float, said: str, wanted: float, *, more: bool) -> Verdict:
    if not more:
        if share < FEW:
            return unknown(f"{said}: no more than on any day", settle=("people",))
        inside, outside = share < wanted - MARGIN, share > wanted + MARGIN
    else:
        inside, outside = share > min(wanted + MARGIN, NEARLY_ALL), share < wanted - MARGIN
    return yes(said) if inside else no(said) if outside else unknown(f"{said}: near the limit", settle=("people",))


def _down(facts: Facts) -> Verdict:
    """Unavailable when the probes get no answer and the requests that come fail, nearly all of them."""
    probes = facts.endpoints.items
    dead = [e for e in probes if not e.healthy]
    failing = _affected(facts, NEARLY_ALL, more=True)
    said = [f"{e.name}: {e.status or e.reason}" for e in dead]
    if probes and len(dead) == len(probes) and (failing.answer == YES or _silent(facts)):
        return yes("no probe is answered well, and no request succeeds", said)
    if any(e.healthy for e in probes) and failing.answer == "no":
        return no("probes are answered", (f"{e.name}: {e.status}" for e in probes if e.healthy))
    return unknown("probes and requests do not agree, or are not known", said, settle=("a look at the site",))


def _silent(facts: Facts) -> bool:
    """Whether no request comes any more where some came before."""
    curve = curves.total(scope.series(facts), Signal.REQUESTS)
    latest, before = curves.lately(curve), curves.usual(curve, before=facts.reported_at.timestamp() - 30)
    return latest == 0 and bool(before)
