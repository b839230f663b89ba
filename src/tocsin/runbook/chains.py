"""Questions that follow one another: `Is it the database? -> Check the locks`, or each with a Yes and a No line."""

from __future__ import annotations

import re

from msgspec import Struct

from tocsin.runbook.branches import Node
from tocsin.runbook.document import Table
from tocsin.runbook.wording import is_nothing, plain

_ASKED = re.compile(r"(?P<question>[^?]{4,160}\?)\s*(?:(?:→|⇒|➔|-+>|=+>|:|–|—)\s*(?P<answer>\S.*))?", re.DOTALL)
_ANSWER = re.compile(
    r"(?P<which>yes|no|y|n)\b\s*(?:→|⇒|➔|▶|-+>|=+>|:|–|—|"
    r",)?\s*(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ONWARD = re.compile(
    r"(?:↓|▼|v|\|)?\s*(?:continue|next(?: question| check)?|proceed|"
    r"go to (?:the )?next.*|see below|keep going)?[.↓▼ ]*",
    re.IGNORECASE,
)
_YES = re.compile(r"^(?:if )?yes\b", re.IGNORECASE)
_NO = re.compile(r"^(?:if )?no\b", re.IGNORECASE)
_NOTHING_MORE = "None of these: the document says nothing further"
_LONGEST = 40


class _Asked(Struct):
    question: str
    line: int
    yes: str = ""
    no: str = ""


def chained(lines: list[tuple[str, int]]) -> list[Node]:
    """The nodes of questions asked in turn, each answered on its line or by Yes and No lines below it: a No that leads
    onward leads to the next question. Empty when there are fewer than two, or when other text stands between them."""
    asked: list[_Asked] = []
    for raw, line in lines:
        text = plain(raw) if "`" not in raw else raw.strip()
        if not text:
            continue
        answer = _ANSWER.fullmatch(text)
        if answer:
            which, told = answer["which"].casefold()[0], answer["text"].strip()
            if not asked or told.endswith("?") or (asked[-1].yes if which == "y" else asked[-1].no):
                return []
            here = asked[-1]
            asked[-1] = _Asked(
                here.question, here.line, *((told, here.no) if which == "y" else (here.yes, told or "↓"))
            )
        elif found := _ASKED.fullmatch(text):
            asked.append(_Asked(found["question"].strip(), line, (found["answer"] or "").strip()))
        else:
            return []
    return _nodes(asked)


def tabled(table: Table) -> list[Node]:
    """The nodes of a table of questions: what to do when the answer is yes, and, in a column of its own, no."""
    header = [plain(cell).casefold() for cell in table.header]
    if len(header) < 2 or not re.search("question|check|ask", header[0]):
        return []
    if not table.rows or not all(plain(row.cells[0]).endswith("?") for row in table.rows):
        return []
    yes = next((i for i, name in enumerate(header) if _YES.search(name)), None)
    no = next((i for i, name in enumerate(header) if _NO.search(name)), None)
    if yes is None and len(header) > 2:
        return []
    at = 1 if yes is None else yes
    asked = [
        _Asked(plain(row.cells[0]), row.line, _cell(row.cells[at]), _cell(row.cells[no]) if no is not None else "")
        for row in table.rows
    ]
    return _nodes(asked)


def _cell(cell: str) -> str:
    return "" if is_nothing(cell) else cell.strip()


def _nodes(asked: list[_Asked]) -> list[Node]:
    if not 1 < len(asked) <= _LONGEST or not all(a.yes and not _ONWARD.fullmatch(a.yes) for a in asked):
        return []
    nodes = [Node(0, "", asked[0].question, asked[0].line, [])]
    for depth, (here, following) in enumerate(zip(asked, [*asked[1:], None], strict=True), start=1):
        nodes.append(Node(depth, "yes", here.yes, here.line, []))
        onward = not here.no or bool(_ONWARD.fullmatch(here.no))
        if following is None:
            nodes.append(Node(depth, "no", _NOTHING_MORE if onward else here.no, here.line, []))
        elif onward:
            nodes.append(Node(depth, "no", following.question, following.line, []))
        else:
            return []
    return nodes
