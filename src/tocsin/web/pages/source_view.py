"""The runbook's source, line by line: what each line became, and the findings beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tocsin.incident.wording import duration
from tocsin.runbook.model import Branch, Finding, Question, Reading, Runbook, Step, StepClass, StepKind


@dataclass(frozen=True)
class Mark:
    """What a line became: `what` is the kind of thing, `detail` tells it from others of its kind.

    `to` is the part of the page that shows it, `step_class` the harm its command can do; both empty for most.
    """

    what: str
    detail: str = ""
    to: str = ""
    step_class: StepClass | None = None


@dataclass(frozen=True)
class Line:
    """`look` is heading, fence or text."""

    number: int
    text: str
    look: str
    marks: tuple[Mark, ...]
    findings: tuple[Finding, ...]


Placed: TypeAlias = Iterator[tuple[int, Mark]]


def source(reading: Reading, text: str) -> tuple[Line, ...]:
    """Every line of the document in order, from 1, as the reader counts them."""
    rows = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    marks: dict[int, dict[Mark, None]] = {}
    for line, mark in _marks(reading.runbook):
        marks.setdefault(line, {})[mark] = None
    beside: dict[int, list[Finding]] = {}
    for finding in reading.findings:
        beside.setdefault(min(max(finding.line, 1), len(rows)), []).append(finding)
    return tuple(
        Line(n, row, look, tuple(marks.get(n, ())), tuple(beside.get(n, ())))
        for n, (row, look) in enumerate(zip(rows, _looks(rows), strict=True), start=1)
    )


def _looks(rows: list[str]) -> Iterator[str]:
    """How each row is set. A fence ends with the same sign, at least as long (CommonMark 0.31, section 4.5)."""
    fence = ""
    for row in rows:
        said = row.strip()
        sign = said[:1] if said[:3] in ("```", "~~~") else ""
        run = said[: len(said) - len(said.lstrip(sign))] if sign else ""
        if fence:
            yield "fence"
            fence = "" if run.startswith(fence) and run == said else fence
        elif sign:
            fence = run
            yield "fence"
        else:
            yield "heading" if said.startswith("#") and said.lstrip("#").startswith(" ") else "text"


def _marks(runbook: Runbook) -> Placed:
    yield from _impact(runbook)
    yield from _telling(runbook)
    yield from _doing(runbook)
    if runbook.decision_tree is not None:
        yield from _tree(runbook.decision_tree, "")
    yield from _afterwards(runbook)


def _impact(runbook: Runbook) -> Placed:
    for s in runbook.severities:
        yield s.line, Mark("severity", s.name, "severities")
    for i in runbook.indicators:
        yield i.line, Mark("indicator", i.severity, "severities")
    for a in runbook.alert_sources:
        yield a.line, Mark("alert source", a.name)
    for r in runbook.escalation:
        after = f"after {duration(r.after)}" if r.after else "at once" if r.after is not None else "at no stated time"
        yield r.line, Mark("rung", f"{r.severity or 'every severity'}, {after}: {r.to}", "matrix")


def _telling(runbook: Runbook) -> Placed:
    for c in runbook.update_cadence:
        yield (
            c.line,
            Mark("cadence", f"{c.severity or 'every severity'}: update every {duration(c.every)}", "severities"),
        )
    for channel in runbook.channels:
        yield channel.line, Mark("channel", f"{channel.audience}: {channel.name}")
    for n, t in enumerate(runbook.templates, start=1):
        asks = f", {len(t.fields)} blanks" if t.fields else ""
        yield t.line, Mark("template", f"{t.name}{asks}", f"template-{n}")


def _doing(runbook: Runbook) -> Placed:
    for p in runbook.procedures:
        yield p.line, Mark("procedure", f"{p.title} ({p.purpose.value})", f"proc-{p.slug}")
        for step in p.steps:
            yield step.line, _step(step, f"proc-{p.slug}")
    for m in runbook.actions():
        yield m.line, Mark("mitigation", m.action, "mitigations", m.step_class)


def _step(step: Step, to: str) -> Mark:
    if step.kind is StepKind.MANUAL:
        return Mark("step by hand", step.title, to)
    asks = f", asks for {', '.join(p.name for p in step.placeholders)}" if step.placeholders else ""
    what = "query" if step.kind is StepKind.PROMQL else "step"
    return Mark(what, f"{step.title}{asks}", to, step.step_class)


def _tree(node: Branch, branch: str) -> Placed:
    after = f"{branch}: " if branch else ""
    if not isinstance(node, Question):
        does = "escalates" if node.escalate else "proposes it" if node.mitigation else "tells it"
        yield node.line, Mark("leaf", f"{after}{node.action} ({does})", "tree")
        return
    yield node.line, Mark("question", f"{after}{node.question}", "tree")
    yield from _tree(node.yes, "Yes")
    yield from _tree(node.no, "No")


def _afterwards(runbook: Runbook) -> Placed:
    for c in runbook.checklists:
        yield (
            c.line,
            Mark("checklist", f"{c.title}: {len(c.items)} items ({c.purpose.replace('_', ' ')})", "checklists"),
        )
    for p in runbook.post_incident:
        within = f" within {duration(p.within)}" if p.within else ""
        yield p.line, Mark("deadline" if p.within else "afterwards", f"{p.what}{within}", "checklists")
    for d in runbook.dashboards:
        yield d.line, Mark("dashboard", d.name, "links")
    for k in runbook.links:
        yield k.line, Mark("link", k.text, "links")
