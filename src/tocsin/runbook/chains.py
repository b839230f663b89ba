"""Questions that follow one another: `Is it the database? -> Check the locks`, or each with a Yes and a No line."""

from __future__ import annotations

import re

from msgspec import Struct, structs

from tocsin.runbook.branches import Node
from tocsin.runbook.document import Table
from tocsin.runbook.wording import is_nothing, plain

_ASKED = re.compile(
    r"(?:(?:q|question|step|check)\s?(?P<number>[0-9]{1,2})\s?[.:)–-]\s*)?(?P<question>[^?]{4,160}\?)\s*"
    r"(?:(?:→|⇒|➔|-+>|=+>|:|–|—)\s*(?P<answer>\S.*))?",
    re.IGNORECASE | re.DOTALL,
)
_ANSWER = re.compile(
    r"(?:if )?(?P<which>yes|no|y|n)\b\s*(?:→|⇒|➔|▶|-+>|=+>|:|–|—|"
    r",)?\s*(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ONWARD = re.compile(
    r"(?:↓|▼|v|\|)?\s*(?:continue(?: (?:to|with) (?:the )?next.*)?|next(?: question| check| step)?|proceed|"
    r"go to (?:the )?next.*|see below|keep going)?[.↓▼ ]*",
    re.IGNORECASE,
)
_STEM = re.compile(r"[↓▼⬇│|v ]*")
_JUMP = re.compile(
    r"(?:(?:go|continue|proceed|skip|jump|move)(?: on)? (?:to|with) )?(?:q|question|step|check|number)\s?#?"
    r"(?P<number>[0-9]{1,2})\.?",
    re.IGNORECASE,
)
_YES = re.compile(r"^(?:if )?yes\b", re.IGNORECASE)
_NO = re.compile(r"^(?:if )?no\b", re.IGNORECASE)
NOTHING_MORE = "None of these: the document says nothing further"
_LONGEST = 40
_MOST = 300  # nodes of the tree grown; questions that jump again and again would grow without end


class _Asked(Struct):
    question: str
    line: int
    yes: str = ""
    no: str = ""
    yes_line: int = 0
    no_line: int = 0


def chained(lines: list[tuple[str, int]]) -> list[Node]:
    """The nodes of questions asked in turn, each answered on its line or by Yes and No lines below it; an answer that
    leads onward (`Continue`, `go to step 3`) leads to that question. One line may stand before the first question, and
    one after the last, which is what is left when every answer led onward. Empty when there are fewer than two
    questions, or when other text stands between them."""
    asked: list[_Asked] = []
    rest, opened = "", 0
    for raw, line in lines:
        text = plain(raw) if "`" not in raw else raw.strip()
        if _STEM.fullmatch(text):
            continue
        if rest:
            return []
        answer = _ANSWER.fullmatch(text)
        if answer and asked:
            which, told = answer["which"].casefold()[0], answer["text"].strip()
            if told.endswith("?") or not told or (asked[-1].yes if which == "y" else asked[-1].no):
                return []
            said = {"yes": told, "yes_line": line} if which == "y" else {"no": told, "no_line": line}
            asked[-1] = structs.replace(asked[-1], **said)
        elif (found := _ASKED.fullmatch(text)) and int(found["number"] or len(asked) + 1) == len(asked) + 1:
            asked.append(_Asked(found["question"].strip(), line, (found["answer"] or "").strip()))
        elif asked and asked[-1].yes and asked[-1].no:
            rest = text
        elif asked or opened:
            return []
        else:
            opened = line
    return _nodes(asked, rest)


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


def _nodes(asked: list[_Asked], rest: str = "") -> list[Node]:
    if not 1 < len(asked) <= _LONGEST or not all(a.yes for a in asked):
        return []
    nodes = [Node(0, "", asked[0].question, asked[0].line, [])]
    return nodes if _grow(asked, 0, nodes, rest) else []


def _grow(asked: list[_Asked], at: int, nodes: list[Node], rest: str, depth: int = 1) -> bool:
    """Adds both answers of a question and what they lead to; False when one leads back, or nowhere."""
    here = asked[at]
    leads = {"yes": _leads(here.yes, at), "no": _leads(here.no, at)}
    if leads["yes"] is not None and leads["no"] is not None and leads["yes"] == leads["no"]:
        return False
    for answer, told, at_line in (("yes", here.yes, here.yes_line), ("no", here.no, here.no_line)):
        target, line = leads[answer], at_line or here.line
        if target is None:
            nodes.append(Node(depth, answer, told, line, []))
        elif target == len(asked) and answer == "no":
            nodes.append(Node(depth, answer, rest or NOTHING_MORE, line, []))
        elif not at < target < len(asked) or len(nodes) > _MOST:
            return False
        else:
            nodes.append(Node(depth, answer, asked[target].question, asked[target].line, []))
            if not _grow(asked, target, nodes, rest, depth + 1):
                return False
    return True


def _leads(told: str, at: int) -> int | None:
    """The index of the question that an answer leads to; None when it says what to do."""
    if not told or _ONWARD.fullmatch(told):
        return at + 1
    jump = _JUMP.fullmatch(plain(told))
    return int(jump["number"]) - 1 if jump else None
