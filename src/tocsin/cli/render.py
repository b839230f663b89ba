"""The API's answers as text for a terminal: plain, aligned, made for 80 columns. Pure: `now` is an argument.

Every word that comes from the server is cleaned: an alert's summary or a pod's log may carry escape codes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from tocsin.channels.text import clean, one_line
from tocsin.cli import answers as a

WIDTH = 80
OUTPUT_LIMIT = 1_000_000
OVER = ("resolved", "closed")
_INDENT = "  "
_STATUS = {"unknown": "outcome unknown"}
_HARM = {
    "read": "It only reads: ",
    "change": "It changes production: ",
    "destructive": "It may destroy what cannot be brought back: ",
}


def listed(found: a.Incidents) -> list[str]:
    """A line an incident, newest first."""
    if not found.incidents:
        return ["No incident."]
    rows = [(f"#{i.number}", i.severity, i.status, stamp(i.opened_at), one_line(i.title)) for i in found.incidents]
    more = ["There are more: ask with a higher --limit."] if found.next else []
    return [*table([("", "", "", "OPENED (UTC)", ""), *rows] if rows else []), *more]


def related(found: a.RelatedOnes, number: int) -> list[str]:
    """What may be one trouble with the incident, and how to say so."""
    if not found.related:
        return [f"Nothing else that is open looks like a part of #{number}."]
    lines: list[str] = []
    for one in found.related:
        i = one.incident
        lines += [
            f"#{i.number} {i.severity} {i.status}: {one_line(i.title)}",
            *wrapped(", ".join(one.reasons), indent="  "),
        ]
    first = found.related[0].incident.number
    return [*lines, f"Merge with: tocsin merge {first} {number}", f"Or not:     tocsin related {number} --not {first}"]


def alerts(found: a.Alerts, number: int) -> list[str]:
    """An alert a line, with what to name it by."""
    if not found.alerts:
        return [f"#{number} has no alerts."]
    rows = [(one_line(x.fingerprint), x.status, one_line(x.name), one_line(x.summary)) for x in found.alerts]
    more = ["There are more: the API gives them all."] if found.next else []
    return [*table([("FINGERPRINT", "", "", ""), *rows]), *more, f"Split off: tocsin split {number} FINGERPRINT..."]


def shown(incident: a.Incident, now: datetime) -> list[str]:
    """An incident in full: head, what is owed, what was found, what was decided, who was told."""
    parts: list[tuple[str, Sequence[str]]] = [
        ("Owed next (UTC)", owed(incident.deadlines, now)),
        ("Missing before it is resolved", [f"- {one_line(m)}" for m in incident.missing]),
        ("Facts", [f"{one_line(k)}: {one_line(v)}" for k, v in incident.facts.items()]),
        *((f"{one_line(r.title)} ({r.status}, run {one_line(r.id)})", outcomes(r)) for r in incident.runs),
        ("Decision", decided(incident.decision, incident.number)),
        ("Mitigations", [line for one in incident.approvals for line in approval(one, incident.number, now)]),
        ("Verification", _verified(incident)),
        ("Pages (UTC)", _pages(incident.pages)),
        ("Action items", _actions(incident.action_items, now)),
    ]
    lines = _head(incident, now)
    for heading, rows in parts:
        if rows and not (heading.startswith("Missing") and incident.status in ("open", *OVER)):
            lines += ["", one_line(heading), *(f"{_INDENT}{row}" for row in rows)]
    return lines


def brief(incident: a.Incident, now: datetime) -> list[str]:
    """Where an incident stands, in a line or two: what is shown after a command."""
    first = incident.deadlines[:1]
    lines = [f"#{incident.number} {incident.severity} {incident.status}: {one_line(incident.title)}"]
    return lines + [f"Next: {one_line(d.what)}, {_when(d, now)}{_by(d.who)}" for d in first]


def owed(deadlines: Iterable[a.Deadline], now: datetime) -> list[str]:
    return table(
        [(_when(d, now), stamp(d.owed_at or d.due_at, now), one_line(d.what), one_line(d.who)) for d in deadlines]
    )


def outcomes(run: a.Run) -> list[str]:
    """A step with what came of it, the reason where it is not simply well."""
    heads = table([(_outcome(s), f"{s.index}.", ".") for s in run.steps])
    lines: list[str] = []
    for head, found in zip(heads, run.steps, strict=True):
        before = head[:-1]
        said = one_line(found.title) + (f" - {_reason(found)}" if _reason(found) else "")
        room = WIDTH - len(_INDENT)
        lines += textwrap.wrap(said, room, initial_indent=before, subsequent_indent=" " * len(before)) or [before]
    return lines


def step(found: a.Step) -> list[str]:
    """One step of a run with its output."""
    head = f"{found.index}. {one_line(found.title)}: {_outcome(found)}"
    code = f" (exit {found.exit_code})" if found.exit_code else ""
    lines = [head + code, *wrapped(_reason(found), indent="   ")]
    return [*lines, *output(found.output, found.cut_bytes)]


def output(text: str, cut_bytes: int = 0) -> list[str]:
    """What a command wrote, set off by a bar; never wrapped, so that its columns stay."""
    lines = clean(text, limit=OUTPUT_LIMIT).expandtabs().rstrip().splitlines() if text.strip() else []
    cut = [f"({cut_bytes} bytes were left out)"] if cut_bytes else []
    return [f"   | {line}".rstrip() for line in [*lines, *cut]]


def decided(decision: a.Decision, number: int) -> list[str]:
    """The way through the tree so far, and what comes next."""
    lines = []
    for one in decision.path:
        said = f"{one_line(one.question)} {one.answer.upper()}{_by(one.by)}"
        lines += wrapped(said + (f": {one_line(one.reason)}" if one.reason else ""))
    if decision.question is not None:
        lines += wrapped(f"Now: {one_line(decision.question.question)}")
        lines.append(f"     tocsin answer {number} yes|no|unknown")
    if decision.leaf is not None:
        lines += _leaf(decision.leaf, number)
    return lines


def approval(one: a.Approval, number: int, now: datetime) -> list[str]:
    """A proposal with its command as it would run, and whose yes is still needed."""
    lines = [f"{one_line(one.id)}. {one_line(one.action)}: {_STATUS.get(one.status, one.status)}"]
    lines += [f"   $ {line}" for line in clean(one.command).splitlines()]
    beside = [*one.values.items(), ("Cluster", one.context), ("Acts on", one.target)]
    lines += [f"   {one_line(k)} = {one_line(v, limit=500)}" for k, v in beside if v]
    if one.broken_glass:
        lines += wrapped(f"BREAK-GLASS by {one_line(one.requested_by)}: {one.broken_glass}", indent="   ")
    if one.reason:
        lines += wrapped(one.reason, indent="   ")
    if one.status in ("pending", "approved", "running", "done", "failed"):
        lines += afterwards(one)
    if one.status == "pending":
        lines += wrapped(f"{needed(one)} It expires {_in(one.expires_at - now)}.", indent="   ")
        lines.append(f"   tocsin approve {number} {one_line(one.id)}")
    if one.status == "unknown":
        lines.append(f"   tocsin settle {number} {one_line(one.id)} done|failed")
    return lines


def afterwards(one: a.Approval) -> list[str]:
    """What to look at after it, how to take it back, what to do when it failed."""
    said = (("Watch after it", one.watch), ("To take it back", one.undo), ("Now", one.advice))
    return [line for name, text in said if text for line in wrapped(f"{name}: {text}", indent="   ")]


def pick(one: a.Asked) -> list[str]:
    """What there is to choose from for a value, numbered; then what the alerts' labels say."""
    rows = [f"{n:>4}. {one_line(value)}" for n, value in enumerate(one.choices, start=1)]
    none = wrapped(f"{one.name}: {one.reason}") if one.reason and not one.choices else []
    hints = [f"      an alert's label {one_line(s.label)} says {one_line(s.value)}" for s in one.suggestions]
    return [one_line(one.name), *rows, *hints] if one.choices else [*none, *hints]


def needed(one: a.Approval) -> str:
    """Who must still approve, in a sentence."""
    who = f" (approved by {', '.join(map(one_line, one.approved_by))})" if one.approved_by else ""
    harm = _HARM.get(one.step_class, "")
    if one.needs > 1:
        return f"{harm}{one.needs} different people must approve{who}."
    return f"{harm}one responder must approve{who}."


def checklist(items: Sequence[a.Item]) -> list[str]:
    """Every item with its number for `tocsin tick`, under its list's title."""
    lines: list[str] = []
    title = None
    for n, item in enumerate(items, start=1):
        if item.checklist != title:
            lines += ([""] if lines else []) + [one_line(item.checklist)]
            title = item.checklist
        said = f"{one_line(item.text)}{_by(item.by or '') if item.done else ''}"
        mark = f"{n:>3} [{'x' if item.done else ' '}] "
        lines += textwrap.wrap(said, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark)) or [mark]
        if item.note:
            lines += wrapped(item.note, indent=" " * len(mark))
    return lines


def entries(found: Iterable[a.Entry], *, day: str = "") -> Iterator[str]:
    """The timeline's lines, with a line for each day; `day` is the one already shown."""
    for entry in found:
        at = entry.at.astimezone(UTC)
        if f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            yield f"{day} (UTC)"
        head = f"{at:%H:%M:%S}  "
        yield from textwrap.wrap(
            one_line(entry.text, limit=2_000), WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
        ) or [head.rstrip()]


def procedures(book: a.Book, number: int) -> list[str]:
    """The procedures that can be run, with the values they ask for."""
    everything = [*book.procedures, *(p for d in book.linked for p in d.procedures)]
    if not everything:
        return ["The runbook has no procedures."]
    lines = _procedures(book.procedures)
    for document in book.linked:
        lines += ["", f"{one_line(document.title or document.target)} ({one_line(document.target)})"]
        lines += _procedures(document.procedures)
    change = next((f"{p.slug}#{n}" for p in everything for n, s in enumerate(p.steps, 1) if _changes(s)), None)
    lines += [""] if book.linked else []
    lines.append(f"Run one: tocsin run {number} {one_line(everything[0].slug)}")
    if change is not None:
        lines.append(f"Propose a step that changes production: tocsin mitigate {number} '{one_line(change)}'")
    return lines


def _procedures(found: Sequence[a.BookProcedure]) -> list[str]:
    rows = []
    for p in found:
        asked = dict.fromkeys(x if isinstance(x, str) else x.name for s in p.steps for x in s.placeholders)
        wanted = " ".join(f"--value {one_line(name)}=..." for name in asked)
        changing = ", ".join(f"#{n}" for n, s in enumerate(p.steps, start=1) if _changes(s))
        said = [one_line(p.title), wanted, f"(changes: {changing})" if changing else ""]
        rows.append((one_line(p.slug), _steps(len(p.steps)), "  ".join(filter(None, said))))
    return table(rows)


def _changes(step: a.BookStep) -> bool:
    return step.kind == "shell" and step.step_class not in ("", "read")


def mitigations(book: a.Book, number: int) -> list[str]:
    """The mitigations that can be proposed, each with its command."""
    can = [m for m in (*book.mitigations, *book.leaf_actions) if m.command]
    if not can:
        return ["The runbook has no mitigation with a command."]
    lines: list[str] = []
    for m in can:
        lines += [
            f"{one_line(m.slug)}  {one_line(m.when or m.action)}",
            *(f"   $ {c}" for c in clean(m.command or "").splitlines()),
        ]
    return [*lines, f"Propose one: tocsin mitigate {number} {one_line(can[0].slug)}"]


def indicators(book: a.Book, number: int) -> list[str]:
    """Every severity and what speaks for it, and how one is chosen."""
    about = {s.name: s.description for s in book.severities}
    lines: list[str] = []
    for name in dict.fromkeys((*about, *(i.severity for i in book.indicators))):
        lines += wrapped(one_line(name) + (f": {one_line(about[name])}" if about.get(name) else ""))
        for i in book.indicators:
            lines += wrapped(f"- {one_line(i.text)}", indent=_INDENT) if i.severity == name else []
    if not lines:
        return ["The runbook names no severities."]
    return [*lines, f"Change it: tocsin severity {number} LEVEL"]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows in columns; the last column is as wide as it likes."""
    if not rows:
        return []
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
    lined = ("  ".join([*(f"{cell:{w}}" for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in rows)
    return [line.rstrip() for line in lined]


def wrapped(text: str, *, indent: str = "") -> list[str]:
    said = one_line(text, limit=4_000)
    return textwrap.wrap(said, WIDTH - len(_INDENT), initial_indent=indent, subsequent_indent=indent + _INDENT)


def stamp(at: datetime, now: datetime | None = None) -> str:
    """`13:04` for the same day as `now`, else with its date; always UTC."""
    at = at.astimezone(UTC)
    same = now is not None and at.date() == now.astimezone(UTC).date()
    return f"{at:%H:%M}" if same else f"{at:%Y-%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """`45s`, `12m`, `2h 05m`, `3d 4h`."""
    seconds = int(abs(length.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes}m"
    return f"{hours}h {minutes % 60:02}m" if hours < 48 else f"{days}d {hours % 24}h"


def _head(i: a.Incident, now: datetime) -> list[str]:
    lines = textwrap.wrap(f"#{i.number} {one_line(i.severity)} {i.status.upper()}  {one_line(i.title)}", WIDTH)
    ended = i.resolved_at or now
    about = [
        ("Opened", f"{stamp(i.opened_at, now)} UTC, {span(ended - i.opened_at)} {'long' if i.resolved_at else 'ago'}"),
        ("Acknowledged", _acknowledged(i, now)),
        ("Mitigated", f"{stamp(i.mitigated_at, now)} UTC" if i.mitigated_at else ""),
        ("Resolved", f"{stamp(i.resolved_at, now)} UTC" if i.resolved_at else ""),
        ("Service", one_line(i.service)),
        ("Commander", one_line(i.commander or "")),
        ("Alerts", f"{i.alerts_firing} firing of {i.alerts_total}" if i.alerts_total else ""),
        ("Quiet", _quiet(i, now)),
        ("Merged into", f"#{i.merged_into}" if i.merged_into else ""),
        ("Merged in", _numbers(i.absorbed)),
        ("Split from", f"#{i.split_from}" if i.split_from else ""),
        ("Split off", _numbers(i.split_off)),
        ("Public", one_line(i.public.status or "")),
        ("Severity", one_line(f"{i.severity}, {i.severity_reason}") if i.severity_reason else ""),
        ("Page", one_line(i.link, limit=500)),
    ]
    return [*lines, *table([(k, v) for k, v in about if v])]


def _quiet(i: a.Incident, now: datetime) -> str:
    if i.resolve_proposed_at is None or i.quiet_since is None or i.resolved_at is not None:
        return ""
    return f"all signals ended {span(now - i.quiet_since)} ago: resolve? (tocsin resolve {i.number})"


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(f"#{n}" for n in numbers)


def _acknowledged(i: a.Incident, now: datetime) -> str:
    due = f"due {stamp(i.acknowledge_due_at, now)} UTC" if i.acknowledge_due_at else ""
    if i.acknowledged_at is None:
        return "nobody yet" + (f", {due}" if due else "")
    kept = f" ({i.sla}, {due})" if due and i.sla in ("met", "missed") else ""
    return f"{stamp(i.acknowledged_at, now)} UTC{_by(i.acknowledged_by or '')}{kept}"


def _leaf(leaf: a.Leaf, number: int) -> list[str]:
    lines = wrapped(f"So: {one_line(leaf.action)}")
    lines += [f"     $ {line}" for line in clean(leaf.command or "").splitlines()]
    if leaf.see:
        lines += wrapped(f"     See {one_line(leaf.see)}")
    if leaf.escalate:
        lines.append(f"     tocsin escalate {number}")
    return lines


def _verified(incident: a.Incident) -> list[str]:
    v = incident.verification
    if v is None or (v.status == "watching" and incident.status in OVER):
        return []
    until = f": until {stamp(v.earliest_at)} UTC at the earliest, {stamp(v.latest_at)} at the latest"
    return wrapped(v.status + (until if v.status == "watching" else f": {v.reason}" if v.reason else ""))


def _pages(pages: Iterable[a.Page]) -> list[str]:
    return table([(stamp(p.at), one_line(p.role), one_line(p.person), _delivery(p)) for p in pages])


def _delivery(p: a.Page) -> str:
    way = "informed" if p.informed else "paged"
    sent = f" by {', '.join(map(one_line, p.delivered))}" if p.delivered else ""
    return way + sent + (f", FAILED: {', '.join(map(one_line, p.failed))}" if p.failed else "")


def _actions(items: Iterable[a.ActionItem], now: datetime) -> list[str]:
    rows = []
    for i in items:
        late = "OVERDUE" if i.due_at < now else "due"
        state = "done" if i.done_at else f"{late} {stamp(i.due_at, now)}"
        rows.append((f"{one_line(i.id)}.", state, one_line(i.owner), one_line(i.title)))
    return table(rows)


def _outcome(found: a.Step) -> str:
    return one_line(found.outcome or {"running": "...", "not_run": "not run"}.get(found.status, found.status))


def _reason(found: a.Step) -> str:
    return one_line(found.reason) if found.outcome not in ("ok", "manual") else ""


def _when(d: a.Deadline, now: datetime) -> str:
    owed_at = d.owed_at or d.due_at
    return f"OVERDUE {span(now - owed_at)}" if d.overdue or owed_at < now else _in(owed_at - now)


def _in(length: timedelta) -> str:
    return f"in {span(length)}"


def _by(who: str) -> str:
    return f" by {one_line(who)}" if who else ""


def _steps(count: int) -> str:
    return f"{count} step" + ("" if count == 1 else "s")
