"""Steps written otherwise than in a shell fence: numbered lists with commands in backticks, queries, SQL.

A command in backticks becomes a step only where it opens with a known program; SQL is a person's to run, since no shell
understands it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.runbook import commands, findings
from tocsin.runbook.document import Code, Item, Items, Section
from tocsin.runbook.model import Finding, Step, StepClass, StepKind
from tocsin.runbook.shell import read_command, window_of
from tocsin.runbook.wording import code_spans, plain

PROMQL = frozenset({"promql", "prometheus"})
SQL = frozenset({"sql", "psql", "mysql", "postgresql", "postgres", "pgsql"})
_POWERSHELL = frozenset({"powershell", "pwsh", "ps1", "cmd", "bat", "batch"})
_PLAIN = frozenset({"", "text", "txt"})
_FOREIGN = re.compile(r"[$`%^]|\b[A-Z][a-z]+-[A-Z]\w+|\\[A-Za-z]")
_STATEMENT = re.compile(
    r"(?:select|insert|update|delete|alter|create|drop|show|explain|vacuum|with|"
    r"set)\b",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"\b(?:rate|irate|increase|histogram_quantile|sum|avg|max|min|count|topk|absent|delta|deriv|predict_linear)"
    r"(?: by \([^)]*\))?\s*\([a-z_:{(]|\{[\w]+\s*[=!]~?\s*\"[^\"]*\"\}\s*(?:\[|[<>=!]=?\s*[0-9]|$)|\w\[[0-9]+[smhd]\]"
)
_PHASES = re.compile(
    r"(?:detect(?:ion)?|symptoms?|signals?|contain(?:ment)?|diagnos(?:e|is)|investigat(?:e|ion)|mitigat(?:e|ion)|"
    r"recover(?:y)?|fix|resol(?:ve|ution)|verif(?:y|ication)|escalat(?:e|ion)|impact|post)\s*:",
    re.IGNORECASE,
)
_LONGEST = 100


def is_shell(code: Code) -> bool:
    """Whether a fence of another language, or of none, holds nothing but commands that a shell understands as they
    stand: each opens with a known program, and none uses what PowerShell reads otherwise."""
    if not code.fenced or code.language not in _POWERSHELL | _PLAIN:
        return False
    rows = _rows(code.text)
    if code.language in _POWERSHELL and any(_FOREIGN.search(row) for row in rows):
        return False
    return bool(rows) and all(commands.looks_like_one(row) for row in rows)


def queries(code: Code) -> tuple[Step, ...]:
    """The queries of a PromQL fence, each titled by the comment above it."""
    return tuple(_query(title or "Prometheus query", text, line) for title, text, line in _paragraphs(code, "#"))


def _query(title: str, text: str, line: int) -> Step:
    reason = "a query only reads"
    return Step(title, StepKind.PROMQL, text, 0, StepClass.READ, (), line, class_reason=reason)


def statements(code: Code) -> tuple[Step, ...]:
    """The statements of an SQL fence as a person's tasks, each titled by the comment above it and its first words."""
    found = []
    for title, text, line in _paragraphs(code, "--"):
        first = " ".join(text.split())[:_LONGEST]
        found.append(_manual(f"{title}: {first}" if title else first, line))
    return tuple(found)


def listed(section: Section, said: list[Finding]) -> tuple[Step, ...]:
    """The numbered steps of a section: one for each command or query in backticks, else the words as a person's task;
    none when fewer than two are numbered. Points are steps like these where every one of them holds a command or a
    query."""
    found: list[Step] = []
    for block in section.blocks:
        if isinstance(block, Items) and (
            block.items[0].ordered or is_phased(block) or all(_runs(item.text) for item in block.items)
        ):
            found += [step for item in block.items for step in _item(item, said)]
    return tuple(found) if len(found) > 1 else ()


def is_phased(block: Items) -> bool:
    """Whether the points of a list are the phases of one case (`Detect:`, `Diagnose:`, `Recover:`), and one of them
    says what to run; without that they may be those of any process."""
    phases = sum(bool(_PHASES.match(plain(item.text))) for item in block.items)
    return phases >= max(3, len(block.items) - 1) and any(_runs(item.text) for item in block.items)


def is_query(text: str) -> bool:
    """Whether a piece of code is a query in PromQL: one of its functions, or a selector over a range of time."""
    return bool(_QUERY.search(text)) and not commands.looks_like_one(text)


def _runs(text: str) -> bool:
    return any(commands.looks_like_one(span) or is_query(span) for span in code_spans(text))


def _item(item: Item, said: list[Finding]) -> list[Step]:
    title, found = plain(item.text), []
    for span in code_spans(item.text):
        if commands.looks_like_one(span):
            found.append(_command(span, title, item.line, said))
        elif is_query(span):
            found.append(_query(title, span, item.line))
    return found or [_manual(title, item.line)]


def without_sql(step: Step, code: Code, said: list[Finding]) -> Step:
    """The step of that fence, a person's when it is a statement of SQL in a shell fence, which is said at its line."""
    if step.kind is not StepKind.SHELL or not is_sql(step.command):
        return step
    first = " ".join(step.command.split())[:_LONGEST]
    opens = step.command.strip().split("\n")[0]
    rows = code.text.split("\n")[max(0, step.line - code.body_line) :]
    line = next((step.line + at for at, row in enumerate(rows) if opens in row), step.line)
    said.append(findings.at(findings.SQL_IN_SHELL, (line, 1), f'"{first}" is SQL and no command of a shell'))
    return _manual(step.title if step.title == first else f"{step.title}: {first}", step.line)


def is_sql(text: str) -> bool:
    """Whether a text is a statement of SQL rather than a command of a shell."""
    return bool(_STATEMENT.match(text.strip())) and not commands.looks_like_one(text)


def _command(span: str, title: str, line: int, said: list[Finding]) -> Step:
    read = read_command(span, line=line)
    said += read.findings
    judged = read.classification
    return Step(
        title,
        StepKind.SHELL,
        read.command,
        1,
        judged.step_class,
        read.placeholders,
        line,
        class_reason=judged.reason,
        window=window_of(title),
    )


def _manual(title: str, line: int) -> Step:
    reason = "a person does it"
    return Step(title, StepKind.MANUAL, "", 0, StepClass.READ, (), line, class_reason=reason, window=window_of(title))


def _rows(text: str) -> list[str]:
    """The lines that begin a command: no comments, no blank ones, none that continues another."""
    rows, continued = [], False
    for row in text.split("\n"):
        bare = row.strip()
        if bare and not bare.startswith("#") and not continued:
            rows.append(bare)
        continued = bare.endswith("\\")
    return rows


def _paragraphs(code: Code, mark: str) -> Iterator[tuple[str, str, int]]:
    """(comment above, text, line) of each run of lines, cut at blank lines, at comments and after a `;`."""
    title, start = "", 0
    body: list[str] = []
    for row, raw in enumerate([*code.text.split("\n"), ""]):
        bare = raw.strip()
        if body and (not bare or bare.startswith(mark) or body[-1].endswith(";")):
            yield title, "\n".join(body), code.body_line + start
            title, body = "", []
        if bare.startswith(mark):
            title = title or bare.lstrip("#- ").strip()
        elif bare:
            start = start if body else row
            body.append(raw.rstrip())
