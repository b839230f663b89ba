"""The decision tree as it is drawn: the whole of it, with the way that was taken marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.diagnosis.walk import UNKNOWN, Position, Step
from tocsin.runbook.model import Branch, Leaf, Link, Mitigation, Question, Runbook


@dataclass(frozen=True)
class Node:
    """One line of the drawing. `branch` is the answer that leads here, empty at the root; `depth` counts from 0.

    `place` is passed (answered), here (the question or leaf reached), or ahead.
    """

    text: str
    branch: str
    depth: int
    place: str
    leaf: bool
    line: int


@dataclass(frozen=True)
class Reached:
    """The leaf that the answers lead to: what it proposes, and the document it points to."""

    leaf: Leaf
    mitigation: Mitigation | None
    document: Link | None


@dataclass(frozen=True)
class Tree:
    """`answered` are the questions decided, from the root; `unsure` the one that somebody could not answer yet."""

    answered: tuple[Step, ...]
    unsure: Step | None
    question: Question | None
    reached: Reached | None
    nodes: tuple[Node, ...]


def tree(runbook: Runbook, position: Position) -> Tree | None:
    """The runbook's tree with the way taken so far; None when it has none."""
    root = runbook.decision_tree
    if root is None:
        return None
    answered = tuple(s for s in position.path if s.answer != UNKNOWN)
    unsure = next((s for s in position.path if s.answer == UNKNOWN), None)
    leaf = position.leaf
    reached = Reached(leaf, runbook.mitigation(leaf.mitigation or ""), linked(runbook, leaf.see)) if leaf else None
    nodes = tuple(_drawn(root, position.question or leaf, {s.slug for s in answered}))
    return Tree(answered, unsure, position.question, reached, nodes)


def linked(runbook: Runbook, see: str | None) -> Link | None:
    """The runbook's link that `see` names by its target or its text; None when it has none."""
    wanted = (see or "").strip().casefold()
    return next((k for k in runbook.links if wanted and wanted in (k.target.casefold(), k.text.casefold())), None)


def _drawn(node: Branch, here: Branch | None, passed: set[str], branch: str = "", depth: int = 0) -> Iterator[Node]:
    place = "here" if node is here else "ahead"
    if isinstance(node, Leaf):
        yield Node(node.action, branch, depth, place, True, node.line)
        return
    place = "passed" if node.slug in passed and place != "here" else place
    yield Node(node.question, branch, depth, place, False, node.line)
    yield from _drawn(node.yes, here, passed, "Yes", depth + 1)
    yield from _drawn(node.no, here, passed, "No", depth + 1)


def whole_tree(runbook: Runbook) -> tuple[Node, ...]:
    """Every line of the tree, nowhere on it; empty when the runbook has none."""
    root = runbook.decision_tree
    return tuple(_drawn(root, None, set())) if root else ()
