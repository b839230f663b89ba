"""Findings about a shell text: what will not do what its author meant. Says nothing of what a command may change.

The codes and how serious each is stand in `catalogue`.
"""

from __future__ import annotations

import re

from tocsin.runbook.model import Finding
from tocsin.runbook.shell.catalogue import CATALOGUE
from tocsin.runbook.shell.contexts import uses
from tocsin.runbook.shell.polls import read_poll
from tocsin.runbook.shell.syntax import Syntax

LEVELS = {entry.code: entry.level for entry in CATALOGUE}
_OUTDATED = (
    (r"\b(?:mean|total|min|max|stddev)_time\b(?=[\s\S]*pg_stat_statements)|"
     r"(?<=pg_stat_statements)[^;]*?\b(?:mean|total)_time\b",
     "mean_time and its siblings left pg_stat_statements in PostgreSQL 13", "write mean_exec_time, total_exec_time"),
    (r"\bprocpid\b|\bcurrent_query\b",
     "procpid and current_query left pg_stat_activity in PostgreSQL 9.2", "write pid and query"),
    (r"\bpg_(?:current_|last_)?xlog_\w+", "the xlog functions were renamed in PostgreSQL 10", "write wal for xlog"),
    (r"\bkubectl\s[^\n|;]*\bget\s+(?:cs|componentstatuses)\b",
     "componentstatuses answers nothing useful since Kubernetes 1.19", "ask each component's own health endpoint"),
    (r"(?<=\s)--record\b", "--record of kubectl is deprecated and goes away", "annotate the change instead"),
)  # fmt: skip
_ENDLESS = re.compile(
    r"\b(?:kubectl|k|docker|oc)\s[^\n|;]*\blogs\b[^\n|;]*\s(?:-f|--follow)\b|\btail\s+(?:-\w*[fF]\b|--follow)|"
    r"\bkubectl\s[^\n|;]*\bget\b[^\n|;]*\s(?:-w|--watch)\b|\bjournalctl\s[^\n|;]*-f\b"
)
_ONE_POD = re.compile(
    r"\bkubectl\s(?:[^\n|;]*\s)?logs\s+(?:-\S+\s+)*(?:deployment|deploy|statefulset|sts|daemonset|ds|service|svc)/\S+"
)
_TERMINAL = re.compile(r"\bexec\s+(?:-it|-ti|-i\s+-t|-t\s+-i)\b")
_COMMENT_AFTER_CONTINUATION = re.compile(r"\\\n[ \t]*(?=#)")
_WATCH = re.compile(rb"(?:^|[;&|\n])\s*(?=watch\s)")


def remarks(syntax: Syntax, *, line: int) -> tuple[Finding, ...]:
    """What is doubtful about a text whose first line is the document's `line`, in line order."""
    found = [*_parse_error(syntax), *_blanks(syntax), *_watches(syntax), *_wordings(syntax.source.decode("utf-8"))]
    return tuple(sorted((_moved(f, line) for f in found), key=lambda f: (f.line, f.column, f.code)))


def finding(code: str, message: str, *, at: tuple[int, int], hint: str = "") -> Finding:
    """A finding of this package `at` a (line, column), with the level its code has."""
    return Finding(code, LEVELS[code], at[0], at[1], message, hint)


def _moved(found: Finding, line: int) -> Finding:
    return Finding(found.code, found.level, found.line + line - 1, found.column, found.message, found.hint)


def _at(text: str, index: int) -> tuple[int, int]:
    """1-based line and column of a character of the text."""
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _at_byte(syntax: Syntax, offset: int) -> tuple[int, int]:
    before = syntax.source[:offset].decode("utf-8", "replace")
    return _at(before, len(before))


def _parse_error(syntax: Syntax) -> list[Finding]:
    if syntax.broken is None:
        return []
    message = "this is not shell that can be understood, so it never runs by itself"
    hint = "check quotes and brackets, or name another language at the fence"
    return [finding("S001", message, hint=hint, at=_at_byte(syntax, syntax.broken))]


def _blanks(syntax: Syntax) -> list[Finding]:
    found = []
    for use in uses(syntax):
        name, where = f"<{use.blank.name}>", _at_byte(syntax, use.blank.start)
        if use.refused:
            message = f"no value can be given safely for {name}: {use.refused}"
            found.append(finding("S004", message, hint="make it an argument of its own", at=where))
        else:
            message = f"{name} is asked for before this runs; pasted into a shell as it is, it is a redirection"
            found.append(finding("S007", message, at=where))
    return found


def _watches(syntax: Syntax) -> list[Finding]:
    hit = _WATCH.search(syntax.masked)
    if hit is None:
        return []
    where, poll = _at_byte(syntax, hit.end()), read_poll(syntax)
    if poll is None:
        hint = "make it a step of its own: it is then repeated as a poll"
        return [finding("S010", "watch never ends; it is stopped at the step's time-out", hint=hint, at=where)]
    return [finding("S005", f"watch never ends: run as a poll every {poll.every.total_seconds():g} s", at=where)]


def _wordings(text: str) -> list[Finding]:
    found = []
    for pattern, message, hint in _OUTDATED:
        if hit := re.search(pattern, text):
            found.append(finding("S006", message, hint=hint, at=_at(text, hit.start())))
    for m in _COMMENT_AFTER_CONTINUATION.finditer(text):
        message = "a comment inside a continued command ends the command here"
        found.append(finding("S002", message, hint="put the comment above the command", at=_at(text, m.end())))
    if hit := _ENDLESS.search(text):
        message = "it never ends; it is stopped at the step's time-out"
        found.append(finding("S010", message, hint="leave out the flag that follows", at=_at(text, hit.start())))
    if hit := _ONE_POD.search(text):
        message, hint = "kubectl logs of a workload reads one of its pods only", "select all: kubectl logs -l app=..."
        found.append(finding("S013", message, hint=hint, at=_at(text, hit.start())))
    if hit := _TERMINAL.search(text):
        message = "it asks for a terminal (-it); there is none, so it runs without one"
        found.append(finding("S009", message, hint="leave out -it", at=_at(text, hit.start())))
    return found
