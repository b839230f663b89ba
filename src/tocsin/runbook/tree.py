"""The decision tree: yes/no questions drawn with lines or nested bullets, and the actions they end in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from tocsin.runbook import commands, findings, links, sketches
from tocsin.runbook.branches import BrokenError, Node
from tocsin.runbook.chains import NOTHING_MORE, chained, tabled
from tocsin.runbook.document import Block, Code, Document, Items, Section, Table, walk
from tocsin.runbook.flowcharts import drawn
from tocsin.runbook.mitigations import without_command
from tocsin.runbook.model import Branch, Finding, Leaf, Mitigation, Question
from tocsin.runbook.procedures import SHELL
from tocsin.runbook.shell import read_command
from tocsin.runbook.wording import plain, slug, unique

_DEEPEST = 40  # no team draws this deep; a hostile document must not exhaust the stack
_TITLED = re.compile(r"decision (?:tree|flow|guide)", re.IGNORECASE)
_ESCALATE = re.compile(r"\bescalat", re.IGNORECASE)


class Grown(Struct, frozen=True):
    """The tree, the mitigations that only its leaves name, and what is doubtful."""

    question: Question | None
    actions: tuple[Mitigation, ...]
    findings: tuple[Finding, ...]


def read(document: Document, known: links.Titles, mitigations: tuple[Mitigation, ...]) -> Grown:
    """The first decision tree of the document; a tree that lacks a branch is not read at all, and said."""
    said: list[Finding] = []
    for section in document.sections:
        for nodes in _drawings(section, said):
            gardener = _Gardener(document, known, mitigations)
            try:
                question = gardener.question(nodes[0], nodes[1:], depth=0)
            except BrokenError as broken:
                place = (broken.line, document.column(broken.line, ""))
                said.append(findings.at(findings.BROKEN_TREE, place, broken.reason, _HINT))
                continue
            return Grown(question, tuple(gardener.actions), (*said, *gardener.said))
    return Grown(None, (), tuple(said or _unread(document)))


_FLOW_HINT = "Give each rhombus one edge labelled `Yes` and one labelled `No`."
_HINT = "Draw one `Yes → ...` and one `No → ...` below each question."


def _drawings(section: Section, said: list[Finding]) -> Iterator[list[Node]]:
    """What the section draws as a tree, each in the form that fits: flowchart, table, branches, questions in turn."""
    for block in walk(section.blocks):
        if isinstance(block, Code) and block.language == "mermaid":
            try:
                nodes = drawn(block)
            except BrokenError as broken:
                said.append(findings.at(findings.BROKEN_TREE, (broken.line, 1), broken.reason, _FLOW_HINT))
                continue
        elif isinstance(block, Table):
            nodes = tabled(block)
        else:
            nodes = chained([(sketches.bare(text), line) for text, line in _lines(block)])
            nodes = nodes or sketches.branches(_lines(block))
        if _is_tree(nodes):
            yield nodes


def _is_tree(nodes: list[Node]) -> bool:
    return len(nodes) > 2 and nodes[0].text.endswith("?")


def _unread(document: Document) -> list[Finding]:
    """A heading that promises a decision tree over a drawing in which none was recognised."""
    return [
        findings.at(findings.BROKEN_TREE, (code.line, 1), "no question with Yes and No branches is drawn here", _HINT)
        for section in document.sections
        if _TITLED.search(section.title)
        for code in section.codes()
        if code.language not in SHELL
    ]


def _lines(block: Block) -> Iterator[tuple[str, int]]:
    if isinstance(block, Code) and block.language not in SHELL:
        yield from ((line, block.body_line + offset) for offset, line in enumerate(block.text.split("\n")))
    elif isinstance(block, Items):
        yield from _items(block, 0)


def _items(block: Items, depth: int) -> Iterator[tuple[str, int]]:
    """A bullet list as a drawing: two columns a level."""
    for item in block.items:
        yield " " * depth + plain_keeping_code(item.text), item.line
        for inside in item.blocks:
            if isinstance(inside, Items):
                yield from _items(inside, depth + 2)
            elif isinstance(inside, Code):
                yield " " * (depth + 2) + inside.text.strip(), inside.body_line


def plain_keeping_code(text: str) -> str:
    """The text without emphasis; backticks stay, so that a command can be told from words."""
    return re.sub(r"\*\*|__", "", text).replace("\n", " ")


class _Gardener:
    """Grows one tree; collects the actions of its leaves on the way."""

    def __init__(self, document: Document, known: links.Titles, mitigations: tuple[Mitigation, ...]) -> None:
        self.document = document
        self.known = known
        self.by_command = {_same(m.command): m.slug for m in mitigations if m.command}
        self.by_action = {m.slug: m for m in mitigations if m.command}
        self.taken = {m.slug for m in mitigations}
        self.asked: set[str] = set()
        self.actions: list[Mitigation] = []
        self.said: list[Finding] = []

    def question(self, node: Node, nested: list[Node], *, depth: int) -> Question:
        text = " ".join([plain(node.text), *(plain(more) for more, _ in node.below)])
        if not text.endswith("?"):
            raise BrokenError(node.line, f'"{text}" has branches below it but is no question')
        if depth > _DEEPEST:
            raise BrokenError(node.line, f"the tree is deeper than {_DEEPEST} questions")
        name = unique(slug(text) or "question", self.asked)
        grown: dict[str, Branch] = {}
        for branch, inner in _grouped(nested):
            if branch.answer in grown:
                raise BrokenError(branch.line, f'"{text}" has two {branch.answer} branches')
            grown[branch.answer] = (
                self.question(branch, inner, depth=depth + 1) if inner else self.leaf(branch, asked=text)
            )
        missing = {"yes", "no"} - set(grown)
        if missing:
            raise BrokenError(node.line, f'"{text}" has no {" and no ".join(sorted(missing))} branch')
        return Question(text, name, grown["yes"], grown["no"], node.line)

    def leaf(self, node: Node, *, asked: str) -> Leaf:
        action, command = _action(node)
        if not action and not command:
            raise BrokenError(node.line, "a branch ends in nothing")
        if action.endswith("?"):
            raise BrokenError(node.line, f'"{action}" has no branches')
        escalate = bool(_ESCALATE.search(action))
        if command:
            return Leaf(action, node.line, command, self._mitigation(action, command, node, asked), escalate=escalate)
        same = self.by_action.get(slug(action))
        if same:
            return Leaf(action, node.line, same.command, same.slug, escalate=escalate)
        pointed = links.reference(node.text, self.known)
        if not escalate and action != NOTHING_MORE:
            self.said.append(without_command(self.document, (action, node.line), pointed))
        return Leaf(action, node.line, see=pointed[0] if pointed else None, escalate=escalate)

    def _mitigation(self, action: str, command: str, node: Node, asked: str) -> str:
        """The slug of the mitigation with that command; a new one joins `actions` when there is none."""
        known = self.by_command.get(_same(command))
        if known:
            return known
        line = node.below[0][1] if node.below else node.line
        read = read_command(command, line=line)
        self.said += read.findings
        name = unique(slug(action) or "action", self.taken)
        judged = read.classification
        self.actions.append(
            Mitigation(
                action,
                name,
                asked,
                read.command,
                judged.step_class,
                read.placeholders,
                line,
                class_reason=judged.reason,
            )
        )
        self.by_command[_same(command)] = name
        return name


def _grouped(nodes: list[Node]) -> Iterator[tuple[Node, list[Node]]]:
    """Each branch of the first one's depth with the deeper ones that follow it."""
    depth = nodes[0].depth if nodes else 0
    heads = [index for index, node in enumerate(nodes) if node.depth <= depth]
    for head, following in zip(heads, [*heads[1:], len(nodes)], strict=True):
        if nodes[head].depth != depth:
            raise BrokenError(nodes[head].line, "this branch stands further left than the first of its question")
        yield nodes[head], nodes[head + 1 : following]


def _action(node: Node) -> tuple[str, str | None]:
    """(what to do, the command): the command is in backticks, is the branch's whole text, or stands on lines below."""
    inline = commands.first_in(node.text)
    below = [text.strip("`") for text, _ in node.below if commands.looks_like_one(text.strip("`"))]
    words = [plain(text) for text, _ in node.below if not commands.looks_like_one(text.strip("`"))]
    if inline:
        bare = plain(node.text.replace(f"`{inline}`", "")).strip(" :–—-→")
        return bare or inline, inline
    if commands.looks_like_one(node.text):
        return plain(node.text), node.text
    action = " ".join([plain(node.text), *words]).strip()
    return action, "\n".join(below) if below else None


def _same(command: str | None) -> str:
    return " ".join((command or "").split())
