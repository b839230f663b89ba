"""A shell fence -> titled steps; a single command -> what is known about it. Never raises, whatever the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache

from msgspec import Struct, structs

from tocsin.runbook.durations import parse_range
from tocsin.runbook.model import Finding, Placeholder, Step, StepClass, StepKind
from tocsin.runbook.shell.chunks import Chunk, chunks, rough_chunks
from tocsin.runbook.shell.classify import classify
from tocsin.runbook.shell.contexts import placeholders
from tocsin.runbook.shell.environment import exports, names_of, uses_of
from tocsin.runbook.shell.model import Classification, Command, Fence
from tocsin.runbook.shell.polls import Poll, read_poll
from tocsin.runbook.shell.prompts import Unprompted, without_prompts
from tocsin.runbook.shell.remarks import finding, remarks
from tocsin.runbook.shell.syntax import parse
from tocsin.runbook.shell.titles import Reading, manual_title, read_notes, title_from

# What a command should show is no task of a person's.
_EXPECTED = re.compile(r"(?:expect(?:ed|s)?|(?:sample |example )?output|returns?|results?|should)\b", re.IGNORECASE)
_KEEPS_LOOKING = re.compile(r"\b(?:monitor|watch|observe|wait|keep|soak)", re.IGNORECASE)


class _Body(Struct, frozen=True, gc=False):
    """What is known of the commands of a chunk; the lines of its findings are counted from 0."""

    poll: Poll | None
    verdict: Classification
    placeholders: tuple[Placeholder, ...]
    exported: tuple[str, ...]
    names: tuple[str, ...]
    findings: tuple[Finding, ...]


def split_fence(text: str, *, line: int) -> Fence:
    """The steps of a shell fence whose first line is the document's `line`, in order, with what is doubtful about them.

    A step's `line` is its title's, else its first command's. A query or a remark alone becomes a PromQL or manual step.
    """
    fence = _split(text)
    return Fence(
        tuple(structs.replace(step, line=step.line + line) for step in fence.steps),
        fence.environment,
        tuple(structs.replace(found, line=found.line + line) for found in fence.findings),
    )


@lru_cache(maxsize=2048)  # the same fence is read for procedures and for mitigations, and again with every reload
def _split(text: str) -> Fence:
    """The fence with its lines counted from 0."""
    line = 0
    plain = without_prompts(text)
    syntax = parse(plain.text)
    cut = chunks(syntax) if syntax.broken is None else rough_chunks(plain.text)
    environment: list[str] = []
    names: set[str] = set()
    steps: list[Step] = []
    found = _prompt_findings(plain, line)
    for chunk in cut:
        steps += _steps(chunk, names, line=line)
        if chunk.body:
            body = _body(chunk.body)
            environment += body.exported
            names.update(body.names)
            found += [structs.replace(said, line=said.line + line + chunk.body_row) for said in body.findings]
    return Fence(tuple(steps), tuple(environment), _in_columns(found, plain, line))


def read_command(command: str, *, line: int) -> Command:
    """What is known of one command outside a fence, e.g. of a table cell; a prompt before it is taken off."""
    plain = without_prompts(command.strip())
    syntax = parse(plain.text)
    found = _prompt_findings(plain, line) + list(remarks(syntax, line=line))
    return Command(plain.text, classify(plain.text), placeholders(syntax), tuple(found))


def _steps(chunk: Chunk, names: set[str], *, line: int) -> list[Step]:
    """The steps of one chunk: its query, its commands, or the person's task its comments name."""
    notes = read_notes(chunk.notes)
    steps = []
    if notes.query is not None:
        steps.append(_promql(notes, line=line + (chunk.row if notes.title else notes.query_row)))
    if chunk.body:
        steps.append(_shell(chunk, notes, names, line=line + chunk.row))
    elif notes.query is None and notes.title and not _EXPECTED.match(notes.title):
        steps.append(_manual(notes, line=line + chunk.row))
    return steps


def _shell(chunk: Chunk, notes: Reading, names: set[str], *, line: int) -> Step:
    body = _body(chunk.body)
    poll, verdict = body.poll, body.verdict
    return Step(
        title=notes.title or title_from(chunk.body),
        kind=StepKind.SHELL,
        command=chunk.body,
        commands=chunk.commands,
        step_class=verdict.step_class,
        placeholders=body.placeholders,
        line=line,
        class_reason=verdict.reason,
        poll=poll.every if poll else None,
        poll_command=poll.command if poll else "",
        window=window_of(notes.title),
        needs_environment=bool(names) and not names.isdisjoint(uses_of(chunk.body)),
    )


@lru_cache(maxsize=2048)  # it is asked for its step and for its remarks, and the same commands stand in many fences
def _body(text: str) -> _Body:
    syntax = parse(text)
    poll = read_poll(syntax)
    exported = exports(syntax)
    return _Body(
        poll,
        classify(text),
        placeholders(parse(poll.command) if poll else syntax),
        exported,
        tuple(name for export in exported for name in names_of(export)),
        remarks(syntax, line=0),
    )


def _promql(notes: Reading, *, line: int) -> Step:
    return Step(notes.title or "Prometheus query", StepKind.PROMQL, notes.query or "", 0, StepClass.READ, (), line,
                class_reason="a query only reads", window=window_of(notes.title))  # fmt: skip


def _manual(notes: Reading, *, line: int) -> Step:
    return Step(manual_title(notes), StepKind.MANUAL, "", 0, StepClass.READ, (), line,
                class_reason="a person does it", window=window_of(notes.title))  # fmt: skip


def window_of(title: str) -> tuple[timedelta, timedelta] | None:
    """The (least, most) time a title asks to keep looking: `Monitor for 15-30 minutes`; None when it does not."""
    return parse_range(title) if _KEEPS_LOOKING.search(title) else None


def _prompt_findings(plain: Unprompted, line: int) -> list[Finding]:
    found = []
    if plain.removed:
        row = min(plain.removed)
        found.append(finding("S003", "the prompt is not part of the command and was taken off", at=(line + row, 1),
                             hint="write commands without `$ `"))  # fmt: skip
    if plain.output:
        found.append(finding("S008", "lines without a prompt were taken for output", at=(line + plain.output[0], 1),
                             hint="put output into a fence of its own"))  # fmt: skip
    return found


def _in_columns(found: Iterable[Finding], plain: Unprompted, line: int) -> tuple[Finding, ...]:
    """The findings in line order, their columns counted with the prompts that were taken off."""
    moved = [
        Finding(f.code, f.level, f.line, f.column + removed, f.message, f.hint)
        if (removed := plain.removed.get(f.line - line, 0)) and f.code != "S003"
        else f
        for f in found
    ]
    return tuple(sorted(moved, key=lambda f: (f.line, f.column, f.code)))
