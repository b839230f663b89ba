"""The way taken through the runbook's decision tree, as the answers on the timeline say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tocsin.incident import events as e
from tocsin.runbook.model import Leaf, Question, Runbook


def answers(timeline: Iterable[e.Entry]) -> tuple[e.Entry, ...]:
    """Every `Answered` entry, also those given before a reopening and those taken back later."""
    return tuple(entry for entry in timeline if isinstance(entry.event, e.Answered))


def asked(runbook: Runbook, slug: str) -> str:
    """The question in the runbook's words; from its slug when the document no longer has it."""
    return next((q.question for q in runbook.questions() if q.slug == slug), slug.replace("-", " "))


def reached(runbook: Runbook, timeline: Iterable[e.Entry]) -> str:
    """Where the last walk through the tree ended, in one sentence; empty without a tree or without an answer."""
    given = _last_walk(timeline)
    if not given or runbook.decision_tree is None:
        return ""
    node: Question | Leaf = runbook.decision_tree
    while isinstance(node, Question):
        answer = given.get(node.slug)
        if answer not in ("yes", "no"):
            return f"The tree was left at: {node.question}"
        node = node.yes if answer == "yes" else node.no
    return f"The tree led to: {node.action}"


def _last_walk(timeline: Iterable[e.Entry]) -> Mapping[str, str]:
    """The answers that hold; a reopening begins a new walk, which counts once it has an answer."""
    given: dict[str, str] = {}
    reopened = False
    for entry in timeline:
        if isinstance(entry.event, e.Reopened):
            reopened = True
        elif isinstance(entry.event, e.Answered):
            given = {} if reopened else given
            reopened = False
            given[entry.event.question] = entry.event.answer
    return given
