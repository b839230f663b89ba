"""A runbook written back as Markdown, in the one form for each part that the reader knows best.

What is read from the result is the runbook again, except for lines, digest and file. It serves a team that wants its
document in the plain form, and the tests, as the other half of the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from tocsin.runbook import durations, options
from tocsin.runbook.commands import looks_like_one
from tocsin.runbook.model import (
    Branch,
    Checklist,
    Link,
    Mitigation,
    PostIncident,
    Procedure,
    Purpose,
    Question,
    Runbook,
    Rung,
    Step,
    StepKind,
)
from tocsin.runbook.procedures import purpose_of
from tocsin.runbook.shell import relies_on, split_fence
from tocsin.runbook.wording import unnumbered

_CONDITION = re.compile(r"\s(?:if|when)\s", re.IGNORECASE)
_GROUPS = {"verification": "Verification", "follow_up": "Tickets"}
_MEANT = {
    Purpose.ASSESSMENT: "Assessment",
    Purpose.INVESTIGATION: "Investigation",
    Purpose.VERIFICATION: "Verification",
    Purpose.REFERENCE: "Reference",
}


def render(runbook: Runbook) -> str:
    """The runbook as a Markdown document; a part it does not have gets no heading."""
    parts = (
        [f"# {_text(runbook.title)}"],
        _severities(runbook),
        _sources(runbook),
        _escalation(runbook.escalation),
        _communication(runbook),
        *(_procedure(procedure) for procedure in runbook.procedures),
        _mitigations(runbook),
        _tree(runbook),
        *(_checklist(checklist) for checklist in runbook.checklists),
        _aftermath(runbook),
        _listed("## On-call responsibilities", runbook.responsibilities),
        _dashboards(runbook),
        _links(runbook),
    )
    return "\n\n".join(block for part in parts for block in part) + "\n"


def _severities(runbook: Runbook) -> list[str]:
    if not runbook.severities:
        return []
    rows = [(s.name, s.description, s.response_text, s.examples) for s in runbook.severities]
    blocks = ["## Severity levels", _table(("Severity", "Description", "Response Time", "Examples"), rows)]
    for name, group in groupby(runbook.indicators, key=lambda indicator: indicator.severity):
        blocks += [f"**{name} Indicators:**", _bullets(indicator.text for indicator in group)]
    return blocks


def _sources(runbook: Runbook) -> list[str]:
    rows = [(source.name, source.type, source.examples) for source in runbook.alert_sources]
    return ["## Alert sources", _table(("Source", "Type", "Examples"), rows)] if rows else []


def _escalation(rungs: Sequence[Rung]) -> list[str]:
    rows = [(rung.to, _when(rung.severity, rung.after)) for rung in rungs]
    return ["## Escalation", _table(("Escalate to", "When"), rows)] if rows else []


def _when(severity: str | None, after: timedelta | None) -> str:
    """The condition of a rung: `SEV1 after 30 min`, `immediately`, `SEV2`, or a dash for one that states nothing."""
    if after is None:
        return severity or "-"
    time = f"after {durations.words(after)}" if after else "immediately"
    return f"{severity} {time}" if severity else time


def _communication(runbook: Runbook) -> list[str]:
    blocks: list[str] = []
    if runbook.update_cadence:
        rules = [(c.severity or "Updates", durations.words(c.every)) for c in runbook.update_cadence]
        blocks += ["### Updates", _bullets(f"{name}: every {every}" for name, every in rules)]
    for channel in runbook.channels:
        blocks += [f"### {channel.audience.capitalize() or 'Channel'}", f"**Channel:** {_text(channel.name)}"]
    if runbook.templates:
        blocks.append("### Templates")
        for template in runbook.templates:
            blocks += [f"**{template.name}:**", _fence("", template.body)]
    return ["## Communication", *blocks] if blocks else []


def _procedure(procedure: Procedure) -> list[str]:
    """Its heading below that of its section, with one between them where the purpose is in neither's words."""
    titles = [procedure.section, procedure.title]
    if unnumbered(procedure.title) == procedure.section:
        titles = [procedure.title]
    if purpose_of(reversed(titles)) is not procedure.purpose:
        titles.insert(len(titles) - 1, _MEANT.get(procedure.purpose, "Procedures"))
    headings = [f"{'#' * level} {_text(title)}" for level, title in enumerate(titles, start=2)]
    label = (
        ["**Procedure:**"]
        if any(options.ABOUT.search(title) or options.FIXES.search(title) for title in titles)
        else []
    )
    return [*headings, *label, *_steps(procedure.steps)]


def _steps(steps: Sequence[Step]) -> Iterator[str]:
    """The fences of the steps: a new one where a query stands, and where a step relies on no earlier `export`."""
    held: list[str] = []
    exported: tuple[str, ...] = ()
    for step in steps:
        query = step.kind is StepKind.PROMQL and step.window is None
        apart = query or (not step.needs_environment and relies_on(step.command, exported))
        if apart and held:
            yield _fence("bash", "\n\n".join(held))
            held, exported = [], ()
        if query:
            yield _fence(
                "promql", f"# {step.title}\n{step.command}" if step.title != "Prometheus query" else step.command
            )
            continue
        held.append(_step(step))
        exported += split_fence(step.command, line=1).environment
    if held:
        yield _fence("bash", "\n\n".join(held))


def _step(step: Step) -> str:
    if step.kind is StepKind.PROMQL:
        return f"# {step.title}\n# Prometheus query: {step.command}"
    return f"# {step.title}\n{step.command}".rstrip("\n")


def _mitigations(runbook: Runbook) -> list[str]:
    """Tables of those whose command fits a cell, lists or labels of the others, in the runbook's order."""
    blocks: list[str] = []
    for celled, group in groupby(runbook.mitigations, key=_fits_a_cell):
        held = list(group)
        if celled:
            rows = [(m.action, m.when, _command_cell(m, runbook.links)) for m in held]
            blocks += ["## Mitigation", _rows(("Action", "When to use", "Command"), rows)]
        else:
            blocks.append("## Mitigation options")
            blocks += [_option(mitigation) for mitigation in held]
    return blocks


def _fits_a_cell(mitigation: Mitigation) -> bool:
    command = mitigation.command
    return command is None or (looks_like_one(command) and "\n" not in command and "`" not in command)


def _command_cell(mitigation: Mitigation, links: Sequence[Link]) -> str:
    if mitigation.command is not None:
        return f"`{mitigation.command}`".replace("|", "\\|")
    named = next((link.text for link in links if link.target == mitigation.see), mitigation.see)
    return f"See {_text(named)}" if named else "-"


def _option(mitigation: Mitigation) -> str:
    fence = _fence("bash", mitigation.command or "")
    if not mitigation.when and _CONDITION.search(mitigation.action):
        return f"**{_text(mitigation.action)}:**\n\n{fence}"
    indented = "\n".join(f"  {line}" if line else "" for line in fence.split("\n"))
    return f"- {_text(mitigation.action)}:\n\n{indented}"


def _tree(runbook: Runbook) -> list[str]:
    if runbook.decision_tree is None:
        return []
    return [
        "## Decision tree",
        _fence("", "\n".join([runbook.decision_tree.question, *_branches(runbook.decision_tree, "")])),
    ]


def _branches(question: Question, indent: str) -> Iterator[str]:
    yield from _branch("├── Yes → ", question.yes, indent, below="│   ")
    yield from _branch("└── No → ", question.no, indent, below="    ")


def _branch(arm: str, branch: Branch, indent: str, *, below: str) -> Iterator[str]:
    if isinstance(branch, Question):
        yield f"{indent}{arm}{branch.question}"
        yield from _branches(branch, indent + below)
        return
    yield f"{indent}{arm}{branch.action}"
    if branch.command and branch.command != branch.action:
        yield from (f"{indent}{below}      {line}" for line in branch.command.split("\n"))


def _checklist(checklist: Checklist) -> list[str]:
    boxes = "\n".join(f"- [ ] {_text(item)}" for item in checklist.items)
    return [f"## {_GROUPS.get(checklist.purpose, 'Checklists')}", f"### {_text(checklist.title)}", boxes]


def _aftermath(runbook: Runbook) -> list[str]:
    blocks: list[str] = []
    for grouped, group in groupby(runbook.post_incident, key=lambda owed: bool(owed.items)):
        held = list(group)
        blocks += [block for owed in held for block in _owed(owed)] if grouped else _tasks(held)
    outline = runbook.postmortem
    if outline:
        blocks.append("### Postmortem")
        blocks += [f"**Attendees:** {_text(outline.attendees)}"] if outline.attendees else []
        blocks += ["**Agenda:**", _numbered(outline.agenda)] if outline.agenda else []
        blocks += ["**Document:**", _bullets(outline.sections)] if outline.sections else []
    return ["## After the incident", *blocks] if blocks else []


def _owed(owed: PostIncident) -> list[str]:
    due = f"Within {durations.words(owed.within)} of resolution:" if owed.within else "At no stated time:"
    return [f"### {_text(owed.what)}", due, _bullets(owed.items)]


def _tasks(held: Sequence[PostIncident]) -> list[str]:
    due = [(owed.what, durations.words(owed.within) if owed.within else "at no stated time") for owed in held]
    return ["### Tasks", _table(("Task", "Deadline"), due)]


def _dashboards(runbook: Runbook) -> list[str]:
    lines = []
    for board in runbook.dashboards:
        linked = any((link.text, link.target) == (board.name, board.url) for link in runbook.links)
        name = f"[{board.name}]({board.url})" if linked else _text(board.name)
        lines.append(f"- {name}: {_text(board.description)}" if board.description else f"- {name}")
    return ["## Dashboards", "\n".join(lines)] if lines else []


def _links(runbook: Runbook) -> list[str]:
    """The links that stand nowhere else in the rendered document."""
    shown = [(board.name, board.url) for board in runbook.dashboards]
    lines = []
    for link in runbook.links:
        if (link.text, link.target) in shown:
            shown.remove((link.text, link.target))
        else:
            lines.append(f"- [{link.text}]({link.target})")
    return ["## Related documents", "\n".join(lines)] if lines else []


def _listed(heading: str, texts: Sequence[str]) -> list[str]:
    return [heading, _bullets(texts)] if texts else []


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {_text(text)}" for text in texts)


def _numbered(texts: Iterable[str]) -> str:
    return "\n".join(f"{number}. {_text(text)}" for number, text in enumerate(texts, start=1))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _rows(header, ([_text(cell).replace("|", "\\|") for cell in row] for row in rows))


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _fence(language: str, body: str) -> str:
    """The body in a fence of more backticks than any run of them in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", body)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{body}\n{marks}"


def _text(text: str) -> str:
    """Text with what Markdown would take for dress escaped."""
    return re.sub(r"([\\`*])|(?<!\w)(_)|(_)(?!\w)|(<(?=[a-zA-Z!/]))|(\[(?=[^\]]*\]\())", r"\\\g<0>", text)
