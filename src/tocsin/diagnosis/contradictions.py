"""Is the runbook still true? What it claims, against what production says: contradictions with line and remedy.

Nothing is said of what could not be asked: that is no contradiction, and is told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from tocsin.diagnosis.changes import mutable
from tocsin.diagnosis.claims import Claims, Kubectl, Line, newer_column
from tocsin.diagnosis.facts import Taken, Workload
from tocsin.diagnosis.live import Live
from tocsin.diagnosis.preflight import keeps
from tocsin.runbook import findings
from tocsin.runbook.findings import Code
from tocsin.runbook.model import Finding, Level

NO_METRIC = Code(
    "L001", Level.WARNING, "a metric does not exist",
    "A query over a metric that nobody exports returns nothing, which looks like zero. Write the name that the service "
    "exports now; Prometheus's own pages list them.",
)  # fmt: skip
NO_COLUMN = Code(
    "L002", Level.WARNING, "a column does not exist in this database's version",
    "The statement fails when it is needed. PostgreSQL 13 renamed the times of pg_stat_statements (`mean_time` is "
    "`mean_exec_time`), 17 those of block access; without the extension there is no such view at all.",
)  # fmt: skip
NO_NAMESPACE = Code(
    "L003", Level.WARNING, "a namespace does not exist",
    "Every command with it answers that nothing was found, which looks like calm. Write the namespace that the service "
    "is deployed to.",
)  # fmt: skip
NO_WORKLOAD = Code(
    "L004", Level.WARNING, "a workload does not exist",
    "The command acts on nothing. Write the name and kind that are deployed.",
)  # fmt: skip
MUTABLE_TAG = Code(
    "L005", Level.WARNING, "a rollback would bring back the same image",
    "`rollout undo` restores the template of the revision before; with a tag like `latest` that names the image that "
    "is bad already. Deploy images by version or digest, or write how a rollback is really done.",
)  # fmt: skip
AUTOSCALED = Code(
    "L006", Level.WARNING, "an autoscaler owns the replicas that a command sets",
    "The HorizontalPodAutoscaler writes the number again within seconds. Raise its minimum instead: `kubectl patch "
    "hpa`.",
)  # fmt: skip
SELF_HEALED = Code(
    "L007", Level.WARNING, "what a command changes is put back from Git",
    "Argo CD with self-heal, or Flux, undoes a rollback or scaling done by hand. Pause the synchronisation first, or "
    "revert in Git; write down which.",
)  # fmt: skip
STATIC_HEALTH = Code(
    "L008", Level.WARNING, "a health address answers whatever happens",
    "It answers the same for addresses that do not exist: it is a page or a fixed word of the front end, green while "
    "the service behind it is dead. Ask the service itself.",
)  # fmt: skip
DEAD_HEALTH = Code(
    "L009", Level.WARNING, "a health address is not served",
    "It answers that there is nothing there, or its name is not known. Write the address that the service has now.",
)  # fmt: skip
DEAD_DASHBOARD = Code(
    "L010", Level.WARNING, "a dashboard's link leads nowhere",
    "The page is not found. Write its address as it is now.",
)  # fmt: skip
NO_TOOL = Code(
    "L011", Level.WARNING, "a program that steps start is not installed here",
    "The step fails at once where Tocsin runs. Install it, or put it on the PATH under [procedures].environment.",
)  # fmt: skip
NOT_ALLOWED = Code(
    "L012", Level.WARNING, "a command may not be run with these credentials",
    "The cluster refuses it (`kubectl auth can-i` says no). Give the role the permission, or name other credentials.",
)  # fmt: skip
CATALOGUE: tuple[Code, ...] = (
    NO_METRIC, NO_COLUMN, NO_NAMESPACE, NO_WORKLOAD, MUTABLE_TAG, AUTOSCALED, SELF_HEALED, STATIC_HEALTH, DEAD_HEALTH,
    DEAD_DASHBOARD, NO_TOOL, NOT_ALLOWED,
)  # fmt: skip
_GONE = (404, 410)


def contradictions(said: Claims, live: Live) -> tuple[Finding, ...]:
    """The findings in line order; each contradiction once, at its first line, with the others named."""
    found: list[Finding] = []
    for rule in (
        _metrics,
        _columns,
        _namespaces,
        _workloads,
        _rollbacks,
        _scales,
        _health,
        _links,
        _tools,
        _permissions,
    ):
        found += rule(said, live)
    return tuple(sorted(found, key=lambda f: (f.line, f.code)))


def unasked(live: Live) -> tuple[str, ...]:
    """What could not be compared, and why; nothing is said of it."""
    parts: dict[str, Taken[Any]] = {
        "namespaces": live.namespaces, "workloads": live.workloads, "autoscalers": live.autoscalers,
        "Argo CD": live.applications, "metrics": live.metrics, "databases": live.databases,
        "health addresses": live.addresses, "permissions": live.permissions,
    }  # fmt: skip
    return tuple(
        f"{name}: {part.trouble or part.absent}" for name, part in parts.items() if part.trouble or part.absent
    )


def _metrics(said: Claims, live: Live) -> Iterator[Finding]:
    if not live.metrics.whole or not live.metrics.items:
        return
    there = set(live.metrics.items)
    for name, lines in _grouped(line for line in said.metrics if line.text not in there):
        near = _near(name, live.metrics.items)
        hint = f"Write {near}." if near else "Write the metric that the service exports."
        yield _at(NO_METRIC, lines, f"Prometheus has no metric {name}", hint)


def _near(name: str, there: Iterable[str]) -> str:
    """The metric most like it by its words: `http_requests_total` is near `http_server_requests_seconds_count`."""
    words = set(name.split("_")) - {"total", "count", "sum", "bucket", "seconds"}
    ends = ("_total", "_count")
    listed = [t for t in there if words <= set(t.split("_")) and (t.endswith(ends) or not name.endswith(ends))]
    close = get_close_matches(name, there, n=1, cutoff=0.8)
    return min(listed, key=len) if listed else close[0] if close else ""


def _columns(said: Claims, live: Live) -> Iterator[Finding]:
    if not live.databases.whole or not live.databases.items:
        return
    missing = [d for d in live.databases.items if not d.columns]
    if len(missing) == len(live.databases.items):
        for _, lines in _grouped(said.statements):
            message = f"{missing[0].name} (PostgreSQL {missing[0].version}) has no pg_stat_statements"
            yield _at(NO_COLUMN, lines, message, "Install the extension: CREATE EXTENSION pg_stat_statements.")
        return
    one = next(d for d in live.databases.items if d.columns)
    for name, lines in _grouped(line for line in said.columns if line.text not in one.columns):
        message = f"pg_stat_statements of {one.name} (PostgreSQL {one.version}) has no column {name}"
        yield _at(NO_COLUMN, lines, message, f"Write {newer_column(name)}.")


def _namespaces(said: Claims, live: Live) -> Iterator[Finding]:
    if not live.namespaces.whole:
        return
    for name, lines in _grouped(line for line in said.namespaces if line.text not in live.namespaces.items):
        homes = sorted({w.namespace for k in said.kubectl if k.namespace == name for w in _elsewhere(k, live)})
        where = f"its workloads are in {', '.join(homes)}" if homes else "Write the one that the service is in."
        hint = f"Write {homes[0]}." if len(homes) == 1 else where
        yield _at(NO_NAMESPACE, lines, f"the cluster has no namespace {name}", hint)


def _workloads(said: Claims, live: Live) -> Iterator[Finding]:
    """A workload that is in no namespace at all, or not in the one that is named though that one is there."""
    if not live.workloads.whole:
        return
    missing: dict[str, list[Line]] = {}
    for k in said.kubectl:
        if not k.name or _resolved(k, live) is not None:
            continue
        missing.setdefault(f"{k.kind}/{k.name}", []).append(Line(k.name, k.line))
    for named, lines in missing.items():
        name = named.partition("/")[2]
        kind = next((w.named for w in live.workloads.items if w.name == name), "")
        near = get_close_matches(name, {w.name for w in live.workloads.items}, n=1)
        hint = (
            f"It is a {kind.partition('/')[0]}." if kind else f"Perhaps {near[0]}." if near else "Write its name now."
        )
        yield _at(NO_WORKLOAD, [one.line for one in lines], f"the cluster has no {named}", hint)


def _rollbacks(said: Claims, live: Live) -> Iterator[Finding]:
    for workload, lines in _acted(said, live, "rollout undo"):
        loose = [c.image for c in workload.template.containers if mutable(c.image)]
        if loose:
            message = f"{workload.named} runs {loose[0]}: undo restores the same image"
            yield _at(MUTABLE_TAG, lines, message, "Deploy by version or digest, and name the version to go back to.")
        keeper = _keeper(workload, live)
        if keeper:
            yield _at(SELF_HEALED, lines, f"{keeper} puts {workload.named} back after undo", "Revert in Git instead.")


def _scales(said: Claims, live: Live) -> Iterator[Finding]:
    for workload, lines in _acted(said, live, "scale"):
        owner = next(
            (a for a in live.autoscalers.items if (a.kind, a.workload, a.namespace)
             == (workload.kind, workload.name, workload.namespace)), None,
        )  # fmt: skip
        if owner is not None and live.autoscalers.whole:
            message = f"the autoscaler {owner.name} keeps {workload.named} between {owner.least} and {owner.most}"
            hint = f"Raise its minimum: kubectl patch hpa {owner.name} -n {owner.namespace}."
            yield _at(AUTOSCALED, lines, message, hint)
        keeper = _keeper(workload, live)
        undone = any(w == workload for w, _ in _acted(said, live, "rollout undo"))
        if keeper and not undone and owner is None:
            yield _at(
                SELF_HEALED, lines, f"{keeper} puts {workload.named} back after scale", "Change it in Git instead."
            )


def _keeper(workload: Workload, live: Live) -> str:
    """What puts the workload back; empty when nothing is known to."""
    for app in live.applications.items:
        if keeps(app, workload) or (not app.workloads and app.target == workload.namespace):
            return f"Argo CD application {app.name} (self-heal)" if app.automated and app.self_heal else ""
    return workload.keeper if workload.keeper.startswith("Flux") else ""


def _health(said: Claims, live: Live) -> Iterator[Finding]:
    answers = {a.url: a for a in live.addresses.items}
    for url, lines in _grouped(said.health):
        answer = answers.get(url)
        if answer is None:
            continue
        if answer.anything:
            yield _at(STATIC_HEALTH, lines, f"{url} answers {answer.status} for anything", "Ask the service itself.")
        elif answer.status in _GONE:
            yield _at(DEAD_HEALTH, lines, f"{url} answers {answer.status}", "Write the address it has now.")


def _links(said: Claims, live: Live) -> Iterator[Finding]:
    answers = {a.url: a for a in live.links.items}
    for url, lines in _grouped(said.dashboards):
        answer = answers.get(url)
        if answer is not None and answer.status in _GONE:
            yield _at(DEAD_DASHBOARD, lines, f"{url} answers {answer.status}", "Write the dashboard's address.")


def _tools(said: Claims, live: Live) -> Iterator[Finding]:
    for tool in live.tools.items:
        if not tool.found:
            yield _at(NO_TOOL, [tool.line], f"{tool.name} is not on the PATH of the steps", "Install it here.")


def _permissions(said: Claims, live: Live) -> Iterator[Finding]:
    for one in live.permissions.items:
        if not one.allowed:
            where = f" in {one.namespace}" if one.namespace else ""
            message = f"these credentials may not {one.said}{where}"
            yield _at(NOT_ALLOWED, [one.line], message, "Give the role the permission.")


def _acted(said: Claims, live: Live, verb: str) -> list[tuple[Workload, list[int]]]:
    """Each workload that is really there and that commands of that verb name, with their lines."""
    found: dict[tuple[str, str, str], tuple[Workload, list[int]]] = {}
    for k in said.kubectl:
        workload = _resolved(k, live) if k.verb == verb else None
        if workload is not None:
            found.setdefault((workload.kind, workload.namespace, workload.name), (workload, []))[1].append(k.line)
    return list(found.values())


def _resolved(k: Kubectl, live: Live) -> Workload | None:
    """The workload that the command means: in its namespace, or in the only one that has it when that is not there."""
    named = [w for w in live.workloads.items if (w.kind, w.name) == (k.kind, k.name)]
    here = next((w for w in named if k.namespace in ("", w.namespace)), None)
    if here is not None:
        return here
    gone = live.namespaces.whole and k.namespace not in live.namespaces.items
    return named[0] if gone and len({w.namespace for w in named}) == 1 else None


def _elsewhere(k: Kubectl, live: Live) -> Iterator[Workload]:
    yield from (w for w in live.workloads.items if (w.kind, w.name) == (k.kind, k.name) and k.name)


def _grouped(lines: Iterable[Line]) -> list[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for one in lines:
        found.setdefault(one.text, []).append(one.line)
    return list(found.items())


def _at(code: Code, lines: list[int], message: str, hint: str) -> Finding:
    first, *more = sorted(set(lines))
    also = f" (also line{'s' if len(more) > 1 else ''} {', '.join(map(str, more))})" if more else ""
    return findings.at(code, (first, 1), message + also, hint)
