"""Mitigations written otherwise than in a table: options as bullets, bold labels, headings or commented commands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from tocsin.runbook import commands, steps
from tocsin.runbook.document import Block, Code, Document, Item, Items, Part, Section
from tocsin.runbook.model import Step, StepClass, StepKind
from tocsin.runbook.procedures import SHELL, holders, in_scenario
from tocsin.runbook.shell import split_fence
from tocsin.runbook.wording import Wording, code_spans, plain, unnumbered, without_parentheses

ABOUT = Wording(
    r"mitigat|mitigar|mitiga[cç]|contain(?:ment|$)|conten[cç]|quick (?:fix|action|win)|"
    r"stop the bleeding|stabili[sz]|workarounds?$|"
    r"устран|缓解",
    re.IGNORECASE,
)
_ALONE = Wording(
    r"(?:immediate |quick |initial |temporary |short-?term )?(?:mitig|contain|"
    r"quick (?:fix|action|win)|stabili)\w*",
    re.IGNORECASE,
)
_NOT = Wording(
    r"resol|recover|post|strateg(?:y|ies) (?:review|planning)|risk|threat|prevent|monitor|verif|validat|\bafter\b|"
    r"long-?term|matrix|checklist",
    re.IGNORECASE,
)
FIXES = Wording(r"resol(?:ve|ution|ving)|recover|remediat|repair|fix|eradicat", re.IGNORECASE)
_IN_ORDER = Wording(r"procedure\b", re.IGNORECASE)  # what stands below is gone through, and nothing to choose from
_PROCESS = re.compile(r"\b(?:protocol|procedure|sequence|workflow)s?$", re.IGNORECASE)
_REMARK = re.compile(r"(?:the|this|these|it|expected|should|output|note|see|or)\b|.*\bshould\b", re.IGNORECASE)
_HAPPENS = re.compile(
    r"(?:(?!\b(?:what|that|which|who|if|when|until|whether)\b)[^:–—]){3,60}\s"
    r"(?:is|are)\s(?:\w+ly\s)?\w{2,}(?:ed|en|pt|ilt)\b[^:–—]*",
    re.IGNORECASE,
)
_GOAL = re.compile(r"(?:goal|objective|note|purpose|aim|priority|owner|who|target|warning|important)\b", re.IGNORECASE)
_LIST_OF = re.compile(
    r"(?:common |possible |available |mitigation |immediate )*(?:options?|actions?|strategies|"
    r"mitigations?|techniques|patterns?|"
    r"steps)(?: (?:are|include|available|to consider|to take|depending on .*))?",
    re.IGNORECASE,
)
_OPTION = re.compile(r"option\s+(?:[0-9]+|[a-z])\s*[:.)–—-]\s*", re.IGNORECASE)
_PHASE = re.compile(r"(?:contain|mitigate?|mitigation|stabili[sz]e)\b", re.IGNORECASE)
_IF = re.compile(
    r"\s(?:if|when)\s+(?P<when>(?!possible|needed|necessary|required|available|"
    r"appropriate|applicable).+)$",
    re.IGNORECASE,
)
_ARROW = re.compile(r"\s*(?:→|->|=>|⇒)\s*")


class Option(Struct, frozen=True, gc=False):
    """One thing that can be done. `command` is the document's own text, None where it gives none."""

    action: str
    command: str | None
    line: int
    command_line: int
    source: str
    when: str = ""


def read(document: Document) -> Iterator[Option]:
    """The options in document order."""
    parents = {section.line: parent for section, parent in zip(document.sections, holders(document), strict=True)}
    holds: dict[int, bool] = {}
    for index, section in enumerate(document.sections):
        title = section.title
        if _is_mitigation(title):
            holds[section.line] = _holds_one(document, index)
        if ABOUT.search(title) and not _NOT.search(title) and not in_scenario(section.path):
            yield from _section(section)
        elif section.path and _is_mitigation(section.path[-1]) and not holds.get(parents[section.line].line):
            yield from _heading(section)
        elif not ABOUT.search(title):
            yield from _elsewhere(section)


def _is_mitigation(title: str) -> bool:
    """Whether a heading is about nothing but mitigation: `Mitigation`, not `Mitigation and Resolution`."""
    return bool(_ALONE.match(unnumbered(title))) and not _NOT.search(title)


def _holds_one(document: Document, index: int) -> bool:
    """Whether a heading inside that section is itself about mitigation, so that its neighbours are not."""
    here = document.sections[index]
    for inner in document.sections[index + 1 :]:
        if inner.level <= here.level:
            return False
        if ABOUT.search(inner.title):
            return True
    return False


def _section(section: Section) -> Iterator[Option]:
    """The options right below a heading about mitigation: labelled ones, else the points of its lists, else the steps
    of its fences."""
    if any(True for _ in section.tables()) or _PROCESS.search(
        section.title
    ):  # its rows are the options, and what stands below them is detail
        return
    for part in section.parts():
        if part.label and not _LIST_OF.fullmatch(part.label) and not _chooses(part):
            if not _IN_ORDER.match(part.label) and not _GOAL.match(part.label):
                yield from _labelled(part)
            continue
        yield from _points(part.blocks)


def _chooses(part: Part) -> bool:
    """Whether what stands below a label is a list whose points each hold a command, so that they are the options."""
    lists = [block for block in part.blocks if isinstance(block, Items)]
    return any(sum(bool(_item(item, item.blocks).command) for item in block.items) > 1 for block in lists)


def _labelled(part: Part) -> Iterator[Option]:
    """`**Roll back (< 5 min):**` with the first command below it; a label that holds neither command nor list is
    none."""
    command, line = _first(part.blocks)
    if command or any(isinstance(block, Items | Code) for block in part.blocks):
        yield Option(
            _OPTION.sub("", without_parentheses(part.label)), command, part.line, line or part.line, part.label
        )


def _heading(section: Section) -> Iterator[Option]:
    """A heading below `Mitigation` whose fence holds what to run."""
    blocks = tuple(block for part in section.parts() if not _IN_ORDER.match(part.label) for block in part.blocks)
    command, line = _first(blocks)
    if any(isinstance(block, Code) and block.language in SHELL for block in blocks):
        yield Option(
            _OPTION.sub("", unnumbered(section.title)), command, section.line, line or section.line, section.title
        )


def _points(blocks: tuple[Block, ...]) -> Iterator[Option]:
    for index, block in enumerate(blocks):
        if isinstance(block, Items):
            following = blocks[index + 1] if index + 1 < len(blocks) else None
            tail = following if isinstance(following, Code) and block.items[-1].text.rstrip().endswith(":") else None
            yield from _items(block, tail)
        elif isinstance(block, Code) and not (index and isinstance(blocks[index - 1], Items)):
            yield from _commented(block)


def _items(block: Items, tail: Code | None) -> Iterator[Option]:
    """The points of a list; `tail` is the fence below it when the last point announces one."""
    lists = [item for item in block.items if _LIST_OF.fullmatch(plain(item.text).rstrip(":")) and item.blocks]
    if lists:
        for item in lists:
            yield from _points(item.blocks)
        return
    if _is_process(block):
        return
    for item in block.items:
        if _GOAL.match(plain(item.text)) or plain(item.text).endswith("?") or _is_told(item):
            continue
        inner = (*item.blocks, tail) if tail is not None and item is block.items[-1] else item.blocks
        yield _item(item, inner)


def _is_told(item: Item) -> bool:
    """Whether a point tells what happens (`Affected systems are isolated`) and not what to do."""
    return bool(_HAPPENS.fullmatch(plain(item.text))) and not item.blocks and not commands.first_in(item.text)


def _is_process(block: Items) -> bool:
    """Whether a numbered list is gone through rather than chosen from: its points have points of their own (check
    boxes, what to look at), and none holds a command."""
    if not block.items[0].ordered or not any(isinstance(inner, Items) for item in block.items for inner in item.blocks):
        return False
    return not any(commands.first_in(item.text) or _first(item.blocks)[0] for item in block.items)


def _item(item: Item, blocks: tuple[Block, ...]) -> Option:
    span = commands.first_in(item.text)
    command, line = (span, item.line) if span else _first(blocks)
    words = plain(item.text.replace(f"`{span}`", "") if span else item.text)
    action = re.sub(r"\s*\(\s*\)", "", words).strip(" :–—-→.,")
    when = _IF.search(action)
    return Option(
        action or (span or ""),
        command,
        item.line,
        line or item.line,
        item.text,
        when["when"].strip(" ()") if when else "",
    )


def _commented(code: Code) -> Iterator[Option]:
    """Each commented group of a fence, named by its comment; a fence whose commands carry no comment gives none."""
    if code.language not in SHELL and not steps.is_shell(code):
        return
    for step in _steps(code):
        if step.title and _is_option(step):
            yield _stepped(step)


def _is_option(step: Step) -> bool:
    """Whether a titled step of a fence can be chosen: it changes something, and its comment is no remark."""
    if step.kind is not StepKind.SHELL:
        return not _REMARK.match(step.title)
    return step.step_class is not StepClass.READ and not step.command.startswith(step.title.rstrip("…"))


def _stepped(step: Step) -> Option:
    when = _IF.search(step.title)
    runs = step.kind is StepKind.SHELL and not steps.is_sql(step.command)
    command = step.command if runs else None
    return Option(step.title, command, step.line, step.line, step.title, when["when"] if when else "")


def _elsewhere(section: Section) -> Iterator[Option]:
    """Options in a section about resolving: commented commands that each state their case (`# Scale up if ...`), points
    such as `Restart -> `command``; and the point of a process that is the mitigation and carries its command."""
    fixes = bool(FIXES.search(section.title))
    if section.under(FIXES) or section.under(ABOUT):
        yield from (
            option
            for part in section.parts()
            if _OPTION.match(part.label)
            for option in _labelled(part)
            if option.command
        )
    for block in (b for part in section.parts() if not _IN_ORDER.match(part.label) for b in part.blocks):
        stated = list(_commented(block)) if isinstance(block, Code) and fixes else []
        if len(stated) > 1 and sum(bool(option.when) for option in stated) * 2 >= len(stated):
            yield from stated
        for item in block.items if isinstance(block, Items) else ():
            span = commands.first_in(item.text)
            if span and (_PHASE.match(plain(item.text)) or (fixes and _leads_to(item.text, span))):
                yield _item(item, ())


def _leads_to(text: str, span: str) -> bool:
    pieces = _ARROW.split(text, maxsplit=1)
    return len(pieces) == 2 and pieces[1].strip() == f"`{span}`"


def _first(blocks: tuple[Block, ...]) -> tuple[str | None, int]:
    """(command, its line) of the first command in the blocks: of a fence, or in backticks; SQL is none."""
    for block in blocks:
        if isinstance(block, Code) and (block.language in SHELL or steps.is_shell(block)):
            for step in _steps(block):
                if step.kind is StepKind.SHELL:
                    return (None, 0) if steps.is_sql(step.command) else (step.command, step.line)
        elif isinstance(block, Items):
            for item in block.items:
                span = next((span for span in code_spans(item.text) if commands.looks_like_one(span)), None)
                if span:
                    return span, item.line
                found, line = _first(item.blocks)
                if found:
                    return found, line
    return None, 0


def _steps(code: Code) -> tuple[Step, ...]:
    return split_fence(code.text, line=code.body_line).steps
