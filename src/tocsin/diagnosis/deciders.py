"""The deciders by what they answer. Each is right or silent: a wrong yes costs more than an unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec.structs import replace

from tocsin.diagnosis import changes, symptoms
from tocsin.diagnosis.component import single_component
from tocsin.diagnosis.data import data_issue
from tocsin.diagnosis.deployment import recent_deployment
from tocsin.diagnosis.facts import Facts
from tocsin.diagnosis.questions import Bound, Topic
from tocsin.diagnosis.resources import resource_issue, resources_or_disk
from tocsin.diagnosis.verdict import LIMITS, Limits, Verdict, unknown
from tocsin.diagnosis.walk import NO, UNKNOWN, YES

Decider: TypeAlias = Callable[[Facts, Limits], Verdict]
DECIDERS: Mapping[Topic, Decider] = {
    Topic.DEPLOYMENT: recent_deployment,
    Topic.RESOURCE: resource_issue,
    Topic.ROOM: resources_or_disk,
    Topic.COMPONENT: single_component,
    Topic.DATA: data_issue,
    Topic.ERRORS: symptoms.error_rate,
    Topic.LATENCY: symptoms.latency,
    Topic.CRASHES: symptoms.pod_crashes,
    Topic.DATABASE: symptoms.database,
}


LATE = frozenset(Topic) - {Topic.DEPLOYMENT, Topic.CRASHES}
"""What is told from measurements, which come some time after what they are of; changes and crashes are seen at once."""


def decide(topic: Topic, facts: Facts, limits: Limits = LIMITS) -> Verdict:
    """The answer to a question of that topic from these facts; no `no` while what speaks against it may still come."""
    found = DECIDERS[topic](facts, limits)
    if found.answer == NO and topic in LATE and symptoms.young(facts, limits):
        wait = f"what began less than {facts.settling.total_seconds():.0f} s ago may not be seen everywhere yet"
        return unknown(f"too early to say: {wait}", found.evidence, counter=found.counter, settle=("look again soon",))
    return found


def answer(question: Bound, facts: Facts, limits: Limits = LIMITS) -> Verdict | None:
    """The answer to a question of a tree as it is worded; None when it is for a person."""
    if question.topic is None:
        return None
    found = decide(question.topic, facts, limits)
    if found.answer == YES and question.kind and not found.about.startswith(f"{question.kind}/"):
        return _silent(found, f"what fails alone is {found.about}, not a {question.kind}")
    if found.answer == NO and question.config:
        return _silent(found, f"{found.reason}; changes of configuration outside pod templates are not seen")
    if found.answer == NO and question.happened and _changed(facts, limits):
        return _silent(found, f"there was one, and it is not the cause: {found.reason}")
    return found


def _changed(facts: Facts, limits: Limits) -> bool:
    earliest = facts.reported_at - limits.recent
    return any(c.real and c.at >= earliest for c in changes.latest(facts))


def _silent(found: Verdict, reason: str) -> Verdict:
    """The same facts, and no answer to this wording."""
    return replace(found, answer=UNKNOWN, reason=reason, settle=("a person's word",))
