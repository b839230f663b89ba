"""The score card of a drill: what was done when, which answers were right, from the incident's own timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tocsin.diagnosis.questions import bind
from tocsin.lab.scenarios.model import OPEN, Scenario

Entry = Mapping[str, Any]
TO_PROPOSAL_S, TO_VERIFIED_S = 10.0, 60.0
"""What a drill is measured against: alert to a proposed mitigation, alert to a recovery that was verified."""
RIGHT, UNKNOWN, WRONG, UNJUDGED = "right", "unknown", "WRONG", "-"


class Verdict(NamedTuple):
    """An answer that Tocsin gave by itself, and what is true; `judged` is right, unknown, WRONG, or - where both are
    allowed."""

    topic: str
    question: str
    answer: str
    truth: str
    reason: str = ""

    @property
    def judged(self) -> str:
        """How the answer stands to the truth."""
        if self.answer not in ("yes", "no"):
            return UNKNOWN
        if self.truth == OPEN:
            return UNJUDGED
        return RIGHT if self.answer == self.truth else WRONG


class Score(NamedTuple):
    """Seconds since the first alert was sent, None for what did not happen."""

    name: str
    acknowledged: float | None
    acknowledged_in_time: bool
    assessed: float | None
    severity: str
    proposed: float | None
    mitigated: float | None
    recovered: float | None
    verified: float | None
    updates: int
    reminders: int
    incidents: int
    verdicts: tuple[Verdict, ...]
    right: str
    limit: float
    problem: str = ""

    @property
    def false_yes(self) -> int:
        """Answers yes that are not true: what must never be."""
        return sum(each.answer == "yes" and each.judged == WRONG for each in self.verdicts)

    @property
    def passed(self) -> bool:
        """Whether it ended well, in time, as one incident, and nothing was claimed that is not so."""
        ended = self.verified is not None and self.recovered is not None and self.verified <= self.limit
        return not self.problem and ended and self.incidents == 1 and all(v.judged != WRONG for v in self.verdicts)


def at(entries: Sequence[Entry], kind: str, since: datetime) -> float | None:
    """Seconds from `since` to the first event of that type; None when there is none."""
    found = next((each for each in entries if each["type"] == kind), None)
    return None if found is None else (datetime.fromisoformat(found["at"]) - since).total_seconds()


def judged(scenario: Scenario, given: Iterable[tuple[str, str, str]]) -> tuple[Verdict, ...]:
    """Tocsin's own answers, (question, answer, reason) in their order, beside the truth: of each question the last one,
    but for a wrong one, which stays. Questions that no topic fits are left out.
    """
    truths = scenario.truth.answers()
    found: dict[str, Verdict] = {}
    for question, answer, reason in given:
        topic = bind(question).topic
        if topic is not None and (question not in found or found[question].judged != WRONG):
            found[question] = Verdict(topic.value, question, answer, truths.get(topic.value, OPEN), reason)
    return tuple(found.values())


def card(score: Score, scenario: Scenario) -> str:
    """The score card as text."""
    rows = [
        ("acknowledged", _seconds(score.acknowledged), "in time" if score.acknowledged_in_time else "too late"),
        ("assessed", _seconds(score.assessed), ""),
        ("severity", score.severity, ""),
        ("proposed", _seconds(score.proposed), _against(score.proposed, TO_PROPOSAL_S)),
        ("mitigated", _seconds(score.mitigated), f"by {score.right}"),
        ("recovered", _seconds(score.recovered), ""),
        ("verified", _seconds(score.verified), _against(score.verified, TO_VERIFIED_S)),
        ("updates", str(score.updates), f"{score.reminders} had to be asked for" if score.reminders else "on time"),
        ("incidents", str(score.incidents), "" if score.incidents == 1 else "should be 1"),
        ("limit", f"{score.limit:.0f} s", ""),
    ]
    lines = [f"DRILL {score.name}: {scenario.tells}", f"Cause: {scenario.truth.cause}.", ""]
    lines += [f"  {name:<13}{value:>10}   {said}".rstrip() for name, value, said in rows]
    if score.verdicts:
        lines += ["", "  Tocsin's answers"]
        lines += [
            f"  {each.judged:<8} {each.question}  {each.answer} (truth: {each.truth or 'either'})"
            for each in score.verdicts
        ]
    lines += ["", f"Not passed: {score.problem}" if score.problem else "Passed." if score.passed else "Not passed."]
    return "\n".join(lines)


def as_json(score: Score) -> dict[str, Any]:
    """The same as values."""
    verdicts = [{**each._asdict(), "judged": each.judged} for each in score.verdicts]
    return {**score._asdict(), "verdicts": verdicts, "false_yes": score.false_yes, "passed": score.passed}


def summary(scores: Sequence[Mapping[str, Any]]) -> str:
    """What came of several drills, as `as_json` gives each: a line for each, and the answers of all together."""
    width = max((len(each["name"]) for each in scores), default=5)
    lines = [f"{'drill':<{width}}  passed  proposed  verified  answers"]
    for each in scores:
        passed, answers = "yes" if each["passed"] else "NO", [one["judged"] for one in each["verdicts"]]
        times = f"{_seconds(each['proposed']):>8}  {_seconds(each['verified']):>8}"
        lines.append(f"{each['name']:<{width}}  {passed:<6}  {times}  {', '.join(answers)}".rstrip())
    judged_ones = [one["judged"] for each in scores for one in each["verdicts"] if one["judged"] != UNJUDGED]
    right, wrong = judged_ones.count(RIGHT), judged_ones.count(WRONG)
    false_yes = sum(each["false_yes"] for each in scores)
    passed_all = sum(each["passed"] for each in scores)
    lines.append(f"{passed_all} of {len(scores)} drills passed.")
    lines.append(f"Answers: {right} of {len(judged_ones)} right, {wrong} wrong, of which {false_yes} a false yes.")
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _against(value: float | None, target: float) -> str:
    if value is None:
        return ""
    return f"target {target:.0f} s: {'met' if value <= target else 'missed'}"
