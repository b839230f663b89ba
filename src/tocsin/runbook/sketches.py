"""Trees drawn with lines, box characters or nested bullets: a question, and under it its Yes and its No."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.runbook.branches import Node

_PREFIX = re.compile(r"[\s│|├└┣┗┃║╠╚╰╭─━═+`*>-]*")
_ARROW = r"[-─━=]*(?:→|⇒|➔|▶|>)|[-─━]+(?=\s)|:|–|—"
_ANSWER = r"(?:if )?[\[(<]?\*{0,2}(?P<answer>yes|no|y|n)\*{0,2}[\])>]?\b"
_BRANCH = re.compile(
    rf"{_ANSWER}[\])>]?\*{{0,2}}\s*(?:{_ARROW}|,|$)\s*(?:{_ARROW})?\s*(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)
_BOXED = re.compile(r"[\[(](?P<inner>[^\[\]()]+)[\])]")
_MARK = re.compile(r"^[^\w\s\[(<`'\"$./~*-]+\s*")


def bare(line: str) -> str:
    """The words of a drawn line, without what is drawn before them."""
    return _PREFIX.sub("", line.expandtabs(4), count=1).strip()


def branches(lines: Iterable[tuple[str, int]]) -> list[Node]:
    """The drawing's root and branches in order; empty when no branch is drawn, or when more is drawn after the tree.

    An answer may stand alone (`├── No`), with what to do on the line below it, further right.
    """
    nodes: list[Node] = []
    over = False
    for raw, line in lines:
        source = raw.expandtabs(4)
        prefix = _PREFIX.match(source)
        at = prefix.end() if prefix else 0
        text = source[at:].strip()
        branch = _BRANCH.fullmatch(_MARK.sub("", text))
        if branch:
            if not nodes or over:
                return []
            answer = "yes" if branch["answer"].casefold() in {"yes", "y"} else "no"
            nodes.append(Node(at, answer, _unboxed(branch["text"]), line, []))
        elif text and nodes and nodes[-1].answer:
            over = over or not _continue(nodes[-1], at, _unboxed(text), line)
        elif text:
            nodes = [Node(at, "", _unboxed(text), line, [])]
    return nodes if len(nodes) > 1 else []


def _continue(last: Node, at: int, text: str, line: int) -> bool:
    """Adds the text to the branch above it, when it stands at least as far right; whether it does."""
    if at < last.depth:
        return False
    if last.text:
        last.below.append((text, line))
    else:
        last.text, last.line = text, line
    return True


def _unboxed(text: str) -> str:
    boxed = _BOXED.fullmatch(text.strip())
    return boxed["inner"].strip() if boxed else text.strip()
