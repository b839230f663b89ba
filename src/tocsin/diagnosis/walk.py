"""Where the decision tree has been walked to, from the answers given so far. Refuses to answer by itself."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tocsin.incident.state import Answer
from tocsin.runbook.model import Branch, Leaf, Question, Runbook

YES, NO, UNKNOWN = "yes", "no", "unknown"
ANSWERS = (YES, NO, UNKNOWN)


class Step(Struct, frozen=True):
    """A question that was answered. `question` is its text, `slug` its name; `answer` is yes, no or unknown."""

    question: str
    slug: str
    answer: str
    by: str
    reason: str = ""
    evidence: str | None = None


class Position(Struct, frozen=True):
    """`question` is the one to answer next, `leaf` where the tree ended; both are None without a tree.

    `path` runs from the root. An answer `unknown` stands last on it and leaves its question the one to answer.
    """

    path: tuple[Step, ...] = ()
    question: Question | None = None
    leaf: Leaf | None = None


def walk(runbook: Runbook, answers: Iterable[Answer]) -> Position:
    """The position after these answers; the last answer to a question holds, one off the path has no effect."""
    given = {answer.question: answer for answer in answers}
    path: list[Step] = []
    node: Branch | None = runbook.decision_tree
    while isinstance(node, Question):
        answer = given.get(node.slug)
        if answer is None:
            return Position(tuple(path), question=node)
        path.append(Step(node.question, node.slug, answer.answer, answer.by, answer.reason, answer.evidence))
        if answer.answer not in (YES, NO):
            return Position(tuple(path), question=node)
        node = node.yes if answer.answer == YES else node.no
    return Position(tuple(path), leaf=node)
