"""A reading shown: as the JSON that `tocsin check --format json` promises, and as text for a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from tocsin.runbook import durations
from tocsin.runbook.model import (
    Branch,
    Checklist,
    Finding,
    Leaf,
    Level,
    LinkedDocument,
    Mitigation,
    Placeholder,
    PostIncident,
    Procedure,
    Question,
    Reading,
    Runbook,
    Severity,
    Step,
)

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


def as_json(reading: Reading) -> dict[str, Json]:
    """The reading as plain data; every duration is whole seconds, a part that is absent an empty list or None."""
    book = reading.runbook
    outline = book.postmortem
    return {
        "file": book.file,
        "title": book.title,
        "digest": book.digest,
        "severities": [
            {
                "name": s.name,
                "description": s.description,
                "response_seconds": _seconds(s.response),
                "response_text": s.response_text,
                "examples": s.examples,
                "line": s.line,
            }
            for s in book.severities
        ],
        "indicators": [{"severity": i.severity, "text": i.text, "line": i.line} for i in book.indicators],
        "alert_sources": [
            {"name": a.name, "type": a.type, "examples": a.examples, "line": a.line} for a in book.alert_sources
        ],
        "escalation": [
            {"severity": r.severity, "after_seconds": _seconds(r.after), "to": r.to, "line": r.line}
            for r in book.escalation
        ],
        "update_cadence": [
            {"severity": c.severity, "every_seconds": _seconds(c.every), "line": c.line} for c in book.update_cadence
        ],
        "channels": [{"audience": c.audience, "name": c.name, "line": c.line} for c in book.channels],
        "templates": [
            {"name": t.name, "fields": list(t.fields), "body": t.body, "line": t.line} for t in book.templates
        ],
        "procedures": [procedure_json(procedure) for procedure in book.procedures],
        "mitigations": [_mitigation(mitigation) for mitigation in book.mitigations],
        "leaf_actions": [_mitigation(mitigation) for mitigation in book.leaf_actions],
        "decision_tree": _branch(book.decision_tree) if book.decision_tree else None,
        "checklists": [
            {"title": c.title, "items": list(c.items), "purpose": c.purpose, "line": c.line} for c in book.checklists
        ],
        "post_incident": [
            {"what": p.what, "within_seconds": _seconds(p.within), "items": list(p.items), "line": p.line}
            for p in book.post_incident
        ],
        "postmortem": {
            "sections": list(outline.sections),
            "agenda": list(outline.agenda),
            "attendees": outline.attendees,
        }
        if outline
        else None,
        "dashboards": [
            {"name": d.name, "description": d.description, "url": d.url, "line": d.line} for d in book.dashboards
        ],
        "links": [{"text": link.text, "target": link.target, "line": link.line} for link in book.links],
        "linked": [
            {
                "target": d.target,
                "title": d.title,
                "line": d.line,
                "procedures": [procedure_json(procedure) for procedure in d.procedures],
            }
            for d in book.linked
        ],
        "environment": list(book.environment),
        "responsibilities": list(book.responsibilities),
        "findings": [_finding(finding) for finding in reading.findings],
    }


def as_text(reading: Reading, lines: Sequence[str] = ()) -> str:
    """What was understood, part by part with the lines it stands on, then the findings.

    `lines` are the document's: with them each finding shows its source line and a caret.
    """
    book = reading.runbook
    out = [f"{book.file}: {book.title}", ""]
    for heading, rows in ((heading, rows) for heading, rows in _parts(book) if rows):
        out += [f"{heading}"] + [f"  {line:>5}  {text}" if line else f"         {text}" for line, text in rows] + [""]
    missing = [heading for heading, present in _presence(book) if not present]
    if missing:
        out += [f"Not in this document: {', '.join(missing)}", ""]
    for finding in reading.findings:
        out += [*_told(book.file, finding, lines), ""]
    if reading.findings:
        out += [f"`tocsin check --explain {reading.findings[0].code}` says more about a finding.", ""]
    return "\n".join(_shown(line) for line in [*out, summary(reading.findings)])


def summary(findings: Iterable[Finding]) -> str:
    """`1 error, 3 warnings, 2 notes` of those findings."""
    counts = dict.fromkeys(Level, 0)
    for finding in findings:
        counts[finding.level] += 1
    names = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "note"}
    return ", ".join(f"{count} {names[level]}{'' if count == 1 else 's'}" for level, count in counts.items())


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds())


def procedure_json(procedure: Procedure) -> Json:
    """A procedure with its steps, as `as_json` gives it."""
    return {
        "title": procedure.title,
        "slug": procedure.slug,
        "section": procedure.section,
        "purpose": procedure.purpose.value,
        "line": procedure.line,
        "steps": [_step(step) for step in procedure.steps],
    }


def _step(step: Step) -> Json:
    window = [_seconds(end) for end in step.window] if step.window else None
    return {
        "title": step.title,
        "kind": step.kind.value,
        "command": step.command,
        "commands": step.commands,
        "class": step.step_class.value,
        "class_reason": step.class_reason,
        "placeholders": [_placeholder(placeholder) for placeholder in step.placeholders],
        "poll_seconds": _seconds(step.poll),
        "window_seconds": window,
        "needs_environment": step.needs_environment,
        "line": step.line,
    }


def _placeholder(placeholder: Placeholder) -> Json:
    return {"name": placeholder.name, "type": placeholder.type, "refused": placeholder.refused}


def _mitigation(mitigation: Mitigation) -> Json:
    return {
        "action": mitigation.action,
        "slug": mitigation.slug,
        "when": mitigation.when,
        "command": mitigation.command,
        "class": mitigation.step_class.value if mitigation.step_class else None,
        "class_reason": mitigation.class_reason,
        "placeholders": [_placeholder(placeholder) for placeholder in mitigation.placeholders],
        "see": mitigation.see,
        "line": mitigation.line,
    }


def _branch(branch: Branch) -> dict[str, Json]:
    if isinstance(branch, Question):
        return {
            "question": branch.question,
            "slug": branch.slug,
            "yes": _branch(branch.yes),
            "no": _branch(branch.no),
            "line": branch.line,
        }
    return {
        "action": branch.action,
        "command": branch.command,
        "mitigation": branch.mitigation,
        "see": branch.see,
        "escalate": branch.escalate,
        "line": branch.line,
    }


def _finding(finding: Finding) -> Json:
    return {
        "code": finding.code,
        "level": finding.level.value,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "hint": finding.hint,
    }


Rows: TypeAlias = "list[tuple[int, str]]"


def _parts(book: Runbook) -> Iterator[tuple[str, Rows]]:
    """(heading, rows of line and text) of every part; a row without a line continues the one above."""
    yield from (
        ("Severities", [(s.line, f"{s.name:<6} {_response(s)}: {s.description}") for s in book.severities]),
        ("Indicators", [(i.line, f"{i.severity:<6} {i.text}") for i in book.indicators]),
        ("Alert sources", [(a.line, f"{a.name} ({a.type}): {a.examples}") for a in book.alert_sources]),
        ("Escalation", _ladders(book)),
        (
            "Updates",
            [(c.line, f"{c.severity or 'all':<6} every {durations.words(c.every)}") for c in book.update_cadence],
        ),
        ("Channels", [(c.line, f"{c.audience or 'all'}: {c.name}") for c in book.channels]),
        ("Templates", [(t.line, f"{t.name}: asks for {', '.join(t.fields) or 'nothing'}") for t in book.templates]),
        ("Procedures", [row for procedure in book.procedures for row in _steps(procedure)]),
        ("Mitigations", [(m.line, _action(m)) for m in book.actions()]),
        ("Decision tree", list(_drawn(book.decision_tree, "")) if book.decision_tree else []),
        ("Checklists", [row for c in book.checklists for row in _listed(c.line, _titled(c), c.items)]),
        ("After the incident", [row for p in book.post_incident for row in _listed(p.line, _due(p), p.items)]),
        ("Postmortem", _outline(book)),
        ("Dashboards", [(d.line, ": ".join(filter(None, (d.name, d.description, d.url)))) for d in book.dashboards]),
        (
            "Linked documents",
            [row for d in book.linked for row in _listed(d.line, f"{d.title} ({d.target})", _names(d))],
        ),
        ("Links", [(link.line, f"{link.text} -> {link.target}") for link in book.links]),
    )


def _presence(book: Runbook) -> tuple[tuple[str, bool], ...]:
    return (
        ("severities", bool(book.severities)),
        ("escalation", bool(book.escalation)),
        ("update cadence", bool(book.update_cadence)),
        ("templates", bool(book.templates)),
        ("procedures", bool(book.procedures)),
        ("mitigations", bool(book.mitigations)),
        ("decision tree", book.decision_tree is not None),
        ("checklists", bool(book.checklists)),
        ("post-incident deadlines", bool(book.post_incident)),
    )


def _response(severity: Severity) -> str:
    if severity.response is None:
        stated = f' ("{severity.response_text}")' if severity.response_text else ""
        return f"acknowledge without a deadline{stated}"
    return f"acknowledge within {durations.words(severity.response)}" if severity.response else "acknowledge at once"


def _names(document: LinkedDocument) -> tuple[str, ...]:
    return tuple(f"{p.slug} [{p.purpose.value}]" for p in document.procedures)


def _titled(checklist: Checklist) -> str:
    return f"{checklist.title} ({checklist.purpose.replace('_', ' ')})"


def _outline(book: Runbook) -> Rows:
    outline = book.postmortem
    if outline is None:
        return []
    told = (("sections", outline.sections), ("agenda", outline.agenda), ("attendees", (outline.attendees,)))
    return [(0, f"{name}: {', '.join(texts)}") for name, texts in told if any(texts)]


def _ladders(book: Runbook) -> Rows:
    """One row for each severity's rungs in the order of the document."""
    ladders: dict[tuple[int, str], list[str]] = {}
    for rung in book.escalation:
        after = "at no stated time" if rung.after is None else durations.words(rung.after)
        ladders.setdefault((rung.line, rung.severity or "all"), []).append(f"{after} {rung.to}")
    return [(line, f"{severity:<6} {' -> '.join(rungs)}") for (line, severity), rungs in ladders.items()]


def _steps(procedure: Procedure) -> Rows:
    rows = [(procedure.line, f"{procedure.title} [{procedure.purpose.value}]")]
    for number, step in enumerate(procedure.steps, start=1):
        rows.append((step.line, f"  {number}. {step.title} ({', '.join(_marks(step))})"))
        if step.command:
            rows.append((0, f"     {_first_line(step.command)}"))
    return rows


def _first_line(command: str | None) -> str:
    first, *more = (command or "").split("\n")
    return f"{first} ..." if more else first


def _marks(step: Step) -> Iterator[str]:
    yield step.step_class.value if step.kind.value == "shell" else step.kind.value
    if step.poll:
        yield f"every {durations.words(step.poll)}"
    if step.window:
        yield f"for {durations.words(step.window[0])} to {durations.words(step.window[1])}"
    for placeholder in step.placeholders:
        yield f"asks for {placeholder.name}" if not placeholder.refused else f"cannot be given {placeholder.name}"


def _action(mitigation: Mitigation) -> str:
    what = _first_line(mitigation.command) or (f"see {mitigation.see}" if mitigation.see else "no command")
    marked = f" ({mitigation.step_class.value})" if mitigation.step_class else ""
    return f"{mitigation.action}{marked}: {what}"


def _drawn(branch: Branch, indent: str, answer: str = "") -> Iterator[tuple[int, str]]:
    if isinstance(branch, Leaf):
        arrow = f" = {branch.mitigation}" if branch.mitigation else ""
        yield branch.line, f"{indent}{answer}{branch.action}{arrow}"
        return
    yield branch.line, f"{indent}{answer}{branch.question}"
    yield from _drawn(branch.yes, indent + "  ", "yes: ")
    yield from _drawn(branch.no, indent + "  ", "no: ")


def _listed(line: int, title: str, items: Sequence[str]) -> Rows:
    return [(line, title), *((0, f"- {item}") for item in items)]


def _due(owed: PostIncident) -> str:
    return owed.what if owed.within is None else f"{owed.what}, within {durations.words(owed.within)}"


def _told(file: str, finding: Finding, lines: Sequence[str]) -> Iterator[str]:
    """One finding in the manner of compilers: place, words, source line with a caret, how to mend it."""
    yield f"{file}:{finding.line}:{finding.column}: {finding.level.value} {finding.code}: {finding.message}"
    source = lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""
    if source.strip():
        yield f"  {finding.line:>5} | {_shown(source)}"
        yield f"        | {' ' * (len(_shown(source[: finding.column - 1])))}{_underline(finding, source)}"
    if finding.hint:
        yield f"  hint: {finding.hint}"


def _underline(finding: Finding, source: str) -> str:
    """A caret, drawn out below the words that the message quotes when they stand there."""
    here = source[finding.column - 1 :]
    named = next((words for words in re.findall(r'"([^"]+)"', finding.message) if here.startswith(words)), "")
    return "^" + "~" * (len(_shown(named)) - 1)


def _shown(source: str) -> str:
    """The line as it may go to a terminal: tabs widened, control characters replaced."""
    wide = source.replace("\t", "    ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in wide)
