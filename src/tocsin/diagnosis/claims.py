"""What a runbook takes for granted of production: metrics, columns, namespaces, workloads, addresses, permissions.

Each with the line it stands on. Refuses to ask whether it is true: that is `contradictions`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from msgspec import Struct

from tocsin.runbook.model import Purpose, Runbook, StepKind

_PROMQL_NAME = re.compile(r"(?<![\w:.])([a-zA-Z_:][a-zA-Z0-9_:]*)(?!\s*\()(?![\w:])")
_PROMQL_NOISE = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|\{[^{}]*\}|\[[^\]]*\]"
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
)
_PROMQL_WORDS = (
    "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "inf",
    "nan", "start", "end", "atan2",
)  # fmt: skip
_KUBECTL = re.compile(r"(?:^|[\s;&|(`])(?:kubectl|oc|k)\s")
_HEALTH = re.compile(r"https?://[^\s\"'`<>|;)]+")
_OLD_COLUMNS = {
    "mean_time": "mean_exec_time", "total_time": "total_exec_time", "min_time": "min_exec_time",
    "max_time": "max_exec_time", "stddev_time": "stddev_exec_time", "blk_read_time": "shared_blk_read_time",
    "blk_write_time": "shared_blk_write_time",
}  # fmt: skip
"""Columns of pg_stat_statements that have other names now: those of times since 13, those of blocks since 17."""
_KINDS = {
    "deployment": "deployment", "deployments": "deployment", "deploy": "deployment", "statefulset": "statefulset",
    "statefulsets": "statefulset", "sts": "statefulset", "daemonset": "daemonset", "daemonsets": "daemonset",
    "ds": "daemonset",
}  # fmt: skip
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_CONTROL = frozenset({";", "&&", "||", "|", "&"})


class Line(Struct, frozen=True):
    """Something that is claimed, and where: `text` is the metric, column, namespace or address."""

    text: str
    line: int


class Kubectl(Struct, frozen=True):
    """One kubectl of the document. `kind` and `name` are the workload it is about, empty for none; `replicas` of a
    scale. `namespace` is empty when it names none, or a value that is asked for."""

    verb: str
    line: int
    kind: str = ""
    name: str = ""
    namespace: str = ""
    replicas: int | None = None
    what: str = ""


class Claims(Struct, frozen=True):
    """Everything claimed, in the document's order."""

    metrics: tuple[Line, ...] = ()
    columns: tuple[Line, ...] = ()
    statements: tuple[Line, ...] = ()
    kubectl: tuple[Kubectl, ...] = ()
    health: tuple[Line, ...] = ()
    dashboards: tuple[Line, ...] = ()

    @property
    def namespaces(self) -> tuple[Line, ...]:
        return tuple(Line(k.namespace, k.line) for k in self.kubectl if k.namespace)


def claims(runbook: Runbook, text: str) -> Claims:
    """What the runbook claims. `text` is the document, to say the very line."""
    lines = text.splitlines()
    metrics, columns, statements, health = [], [], [], []
    commands: list[Kubectl] = []
    for said, start, kind in _texts(runbook):
        if kind is StepKind.PROMQL:
            metrics += [Line(name, _line_of(lines, start, name)) for name in metric_names(said)]
            continue
        commands += [k for part, line in _with_lines(said, start, lines) for k in kubectls(part, line)]
        health += [
            Line(u, _line_of(lines, start, u)) for u in _HEALTH.findall(said) if "curl" in said or "wget" in said
        ]
        if "pg_stat_statements" in said:
            statements.append(Line("pg_stat_statements", _line_of(lines, start, "pg_stat_statements")))
            names = sorted({c for c in _OLD_COLUMNS if re.search(rf"\b{c}\b", said)})
            columns += [Line(name, _line_of(lines, start, name)) for name in names]
    links = [Line(d.url, d.line) for d in runbook.dashboards if d.url]
    return Claims(
        tuple(metrics), tuple(columns), tuple(statements), tuple(commands),
        tuple(u for u in health if _is_health(u.text)), tuple(links),
    )  # fmt: skip


def newer_column(name: str) -> str:
    return _OLD_COLUMNS.get(name, "")


def metric_names(query: str) -> tuple[str, ...]:
    """The metrics that a PromQL expression reads, each once."""
    bare = _PROMQL_NOISE.sub(" ", _PROMQL_NOISE.sub(" ", query))
    found = (m[1] for m in _PROMQL_NAME.finditer(bare))
    return tuple(dict.fromkeys(n for n in found if n.casefold() not in _PROMQL_WORDS and not re.fullmatch(r"\d.*", n)))


def kubectls(command: str, line: int) -> Iterator[Kubectl]:
    """Each kubectl of a command; what runs inside a pod after `--` is not one of this machine."""
    for words in _calls(command):
        bare = words[: words.index("--")] if "--" in words else words
        verb, rest = _verb(bare)
        if not verb:
            continue
        kind, name = _about(rest)
        where = _value(bare, "-n", "--namespace")
        replicas = _value(bare, "--replicas")
        sub = next((w for w in rest if not w.startswith("-")), "") if verb in ("rollout", "auth", "config") else ""
        yield Kubectl(
            f"{verb} {sub}".strip() if verb in ("rollout", "auth", "config") else verb, line, kind, name,
            where if _NAME.fullmatch(where) else "", int(replicas) if replicas.isdigit() else None,
            next((w for w in rest if not w.startswith("-") and w != sub), ""),
        )  # fmt: skip


def _texts(runbook: Runbook) -> Iterator[tuple[str, int, StepKind]]:
    for procedure in runbook.procedures:
        if procedure.purpose is Purpose.REFERENCE:
            continue
        for step in procedure.steps:
            if step.kind is not StepKind.MANUAL:
                yield step.poll_command or step.command, step.line, step.kind
    for mitigation in runbook.actions():
        if mitigation.command:
            yield mitigation.command, mitigation.line, StepKind.SHELL


def _with_lines(command: str, start: int, lines: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each line of the command with its own line of the document; continuations stay together."""
    for part in command.replace("\\\n", " ").split("\n"):
        words = part.split()
        if words:
            at = _line_of(lines, start, " ".join(words[:3]))
            yield part, at
            start = at + 1


def _line_of(lines: Sequence[str], start: int, words: str) -> int:
    """The first line at or after `start` that holds the words; `start` when none near does."""
    wanted = " ".join(words.split())
    for number in range(max(start, 1), min(start + 60, len(lines) + 1)):
        if wanted in " ".join(lines[number - 1].split()):
            return number
    return start


def _is_health(url: str) -> bool:
    return bool(re.search(r"/(?:health\w*|ready\w*|live\w*|status|ping|up)\b", url, re.IGNORECASE))


def _calls(command: str) -> list[list[str]]:
    if not _KUBECTL.search(command):
        return []
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return []
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _CONTROL:
            parts.append([])
        elif " " in word and _KUBECTL.search(word):  # `watch 'kubectl ...'`
            parts += [["kubectl", *inner] for inner in _calls(word)]
            parts.append([])
        else:
            parts[-1].append(word)
    return [part[i + 1 :] for part in parts for i, word in enumerate(part) if word in ("kubectl", "oc", "k")]


_VALUED = frozenset({"-n", "--namespace", "--context", "--kubeconfig", "-s", "--server", "--cluster", "--user", "-v"})


def _verb(words: Sequence[str]) -> tuple[str, list[str]]:
    skip = False
    for at, word in enumerate(words):
        if skip:
            skip = False
        elif word in _VALUED:
            skip = True
        elif not word.startswith("-"):
            return word, list(words[at + 1 :])
    return "", []


def _about(words: Sequence[str]) -> tuple[str, str]:
    """The workload that is named: `deployment/x`, or `deployment x`."""
    for at, word in enumerate(words):
        kind, slash, name = word.partition("/")
        if kind in _KINDS and not slash and at + 1 < len(words):
            name = words[at + 1]
        if kind in _KINDS and _NAME.fullmatch(name):
            return _KINDS[kind], name
    return "", ""


def _value(words: Sequence[str], *flags: str) -> str:
    for at, word in enumerate(words):
        head, equals, value = word.partition("=")
        if head in flags:
            return value if equals else words[at + 1] if at + 1 < len(words) else ""
    return ""
