"""Mermaid flowcharts as decision trees: a rhombus with a Yes and a No edge is a question, boxes are what to do."""

from __future__ import annotations

import re

from msgspec import Struct

from tocsin.runbook.branches import BrokenError, Node
from tocsin.runbook.document import Code
from tocsin.runbook.wording import plain

_HEAD = re.compile(r"\s*(?:graph|flowchart)\b", re.IGNORECASE)
_NODE = re.compile(
    r"\s*(?P<id>[\w.-]+?)(?:(?P<rhombus>\{+)(?P<asked>[^{}]*)\}+|[(\[>/\\]+(?P<text>\"[^\"]*\"|[^()\[\]]*)[)\]/\\]+)?"
    r"(?=\s|$|;|&|-->|--|==|-\.)"
)
_EDGE = re.compile(
    r"\s*(?:--\s*(?P<said>[^->|][^>|]*?)\s*--+>|==+\s*(?P<thick>[^=>|]+?)\s*==+>|(?:--+|==+|"
    r"-\.+-)[>xo]?)\s*(?:\|(?P<label>[^|]*)\|)?"
)
_YES = re.compile(r"(?:yes|y|true|sim|s[ií]|oui|да|是)\b", re.IGNORECASE)
_NO = re.compile(r"(?:no|n|false|n[aã]o|non|нет|否)\b", re.IGNORECASE)
_MOST = 300  # nodes of the tree grown; a chart that joins again and again would grow without end


class _Chart(Struct):
    """`texts` and `lines` by id, `asks` the rhombs, `edges` in order as (target, label)."""

    texts: dict[str, str]
    lines: dict[str, int]
    asks: set[str]
    edges: dict[str, list[tuple[str, str]]]


def drawn(code: Code) -> list[Node]:
    """The nodes of the tree below the chart's first question; empty when it asks none (a flow is no tree).

    Raises BrokenError when a question has other answers than Yes and No, or when the chart leads back to itself.
    """
    if not _HEAD.match(code.text):
        return []
    chart = _chart(code)
    root = next((id for id in chart.texts if id in chart.asks and len(chart.edges.get(id, ())) > 1), None)
    if root is None:
        return []
    nodes = [Node(0, "", _question(chart, root, ""), chart.lines[root], [])]
    _grow(chart, root, nodes, (root,))
    return nodes


def _grow(chart: _Chart, asked: str, nodes: list[Node], path: tuple[str, ...]) -> None:
    answers = {_answer(label): target for target, label in chart.edges[asked]}
    if set(answers) != {"yes", "no"} or len(chart.edges[asked]) != 2:
        raise BrokenError(chart.lines[asked], f'"{chart.texts[asked]}" is not answered by one Yes and one No')
    for answer in ("yes", "no"):
        told, question = _along(chart, answers[answer], path)
        if len(nodes) > _MOST or len(path) > _MOST:
            raise BrokenError(chart.lines[asked], "the chart has too many ways through it")
        first = chart.lines[answers[answer]]
        text = _question(chart, question, told) if question else told
        nodes.append(Node(len(path), answer, text, first, []))
        if question:
            _grow(chart, question, nodes, (*path, question))


def _along(chart: _Chart, start: str, path: tuple[str, ...]) -> tuple[str, str | None]:
    """(what the boxes from `start` on say, the question they lead to or None at an end)."""
    told: list[str] = []
    seen, here = set(path), start
    while True:
        if here in seen:
            raise BrokenError(chart.lines[here], f'the chart leads back to "{chart.texts[here]}"')
        seen.add(here)
        following = chart.edges.get(here, [])
        if here in chart.asks and len(following) > 1:
            return ", then ".join(told), here
        told.append(chart.texts[here])
        if len(following) != 1:
            return ", then ".join(told), None
        here = following[0][0]


def _question(chart: _Chart, asked: str, before: str) -> str:
    text = chart.texts[asked].rstrip("? ") + "?"
    return f"{before}, then: {text}" if before else text


def _answer(label: str) -> str:
    bare = plain(label).strip("\"' ")
    return "yes" if _YES.match(bare) else "no" if _NO.match(bare) else bare


def _chart(code: Code) -> _Chart:
    chart = _Chart({}, {}, set(), {})
    for row, raw in enumerate(code.text.split("\n")[1:], start=1):
        for statement in raw.split(";"):
            _statement(chart, statement.rstrip(), code.body_line + row)
    return chart


def _statement(chart: _Chart, text: str, line: int) -> None:
    """Reads `A[Text] --> B{Asked?} -->|Yes| C`; a line that is no chain of nodes (a style, a comment) says nothing."""
    node = _NODE.match(text)
    here = _named(chart, node, line) if node else None
    at = node.end() if node else 0
    while here is not None and (edge := _EDGE.match(text, at)):
        target = _NODE.match(text, edge.end())
        if target is None:
            return
        there = _named(chart, target, line)
        label = edge["label"] or edge["said"] or edge["thick"] or ""
        chart.edges.setdefault(here, []).append((there, label))
        here, at = there, target.end()


def _named(chart: _Chart, node: re.Match[str], line: int) -> str:
    id, asked, text = node["id"], node["asked"], node["text"]
    stated = (asked if asked is not None else text or "").strip().strip('"')
    if stated or id not in chart.texts:
        chart.texts[id] = plain(re.sub(r"<br\s*/?>", " ", stated)) or chart.texts.get(id, id)
        chart.lines.setdefault(id, line)
    if asked is not None:
        chart.asks.add(id)
    return id
