"""What the responder's commands do: ask the server, say what came of it. Typer's wiring is in `respond`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from tocsin.channels.text import clean, one_line
from tocsin.cli import answers as a
from tocsin.cli import render
from tocsin.cli.client import Answer, Client, ServerError
from tocsin.cli.complaints import FAILED, REFUSED, complain
from tocsin.cli.terminal import interactive, put, put_json
from tocsin.runbook.durations import parse

PAGE = 500
LINE = 2_000


def told(job: Callable[[Client], int]) -> int:
    """The exit code of `job` with the configured server; what the server refuses is one line and exit 1."""
    try:
        with Client.from_environment() as server:
            return job(server)
    except ServerError as exc:
        return complain(one_line(str(exc), limit=LINE), code=FAILED)


def command(
    number: int, what: str | Sequence[str], body: Mapping[str, object] | None = None, *, as_json: bool, said: str = ""
) -> int:  # fmt: skip
    """One command to an incident, `what` below it; prints where it stands now."""
    path = at(number, *((what,) if isinstance(what, str) else what))
    return told(lambda server: _after(server.post(path, body), as_json=as_json, said=said))


def declare(body: Mapping[str, object], *, as_json: bool) -> int:
    return told(lambda server: _after(server.post("/incidents", body), as_json=as_json, said="Declared."))


def listing(*, every: bool, severity: str, text: str, limit: int, as_json: bool) -> int:
    def show(server: Client) -> int:
        status = "all" if every else "open"
        answer = server.get("/incidents", status=status, severity=severity, q=text, limit=limit)
        return shown(answer, as_json, lambda: render.listed(answer.read(a.Incidents)))

    return told(show)


def incident(number: int, *, as_json: bool) -> int:
    def show(server: Client) -> int:
        answer = server.get(at(number))
        return shown(answer, as_json, lambda: render.shown(answer.read(a.Incident), now()))

    return told(show)


def timeline(number: int, *, after: int, as_json: bool) -> int:
    """Every entry after `after`; JSON is one list, or a line for each thousand entries."""

    def show(server: Client) -> int:
        seq, day = after, ""
        while True:
            answer = server.get(at(number, "timeline"), after=seq or None, limit=PAGE)
            found = answer.read(tuple[a.Entry, ...])
            if as_json and (found or seq == after):
                put_json(answer.body)
            elif found:
                put(list(render.entries(found, day=day)))
                day = f"{found[-1].at.astimezone(UTC):%Y-%m-%d}"
            if len(found) < PAGE:
                return 0
            seq = found[-1].seq

    return told(show)


def severities(number: int, *, as_json: bool) -> int:
    """The runbook's levels and their indicators, to choose a severity by."""

    def show(server: Client) -> int:
        answer = server.get("/runbook")
        return shown(answer, as_json, lambda: render.indicators(answer.read(a.Book), number))

    return told(show)


def answer_question(
    number: int, reply: str | None, *, question: str | None, reason: str, as_json: bool
) -> int:  # fmt: skip
    """Answers the question that the incident stands at, or the one named; without a reply shows the way so far."""

    def reply_to(server: Client) -> int:
        current = server.get(at(number))
        decision = current.read(a.Incident).decision
        if reply is None:
            lines = render.decided(decision, number) or ["The runbook has no decision tree."]
            return shown(current, as_json, lambda: lines)
        asked = question or (decision.question.slug if decision.question else None)
        if asked is None:
            why = "the tree's end is reached" if decision.leaf else "the runbook has no decision tree"
            return complain(f"no question is open: {why}: name one with --question to answer it again", code=FAILED)
        said = server.post(at(number, "answers"), {"question": asked, "answer": reply, "reason": reason})
        return shown(said, as_json, lambda: _decided(said.read(a.Incident)))

    return told(reply_to)


def _decided(incident: a.Incident) -> list[str]:
    lines = render.decided(incident.decision, incident.number)
    leaf = incident.decision.leaf
    for one in incident.approvals:
        if leaf is not None and one.status == "pending" and one.slug == leaf.mitigation:
            lines += ["Proposed:", *render.approval(one, incident.number, now())]
    return lines


def tick(
    number: int, wanted: Sequence[str], *, every: bool, done: bool, note: str, as_json: bool
) -> int:  # fmt: skip
    """Ticks items by their number in the list, id or text; without any shows the list."""

    def do(server: Client) -> int:
        answer = server.get(at(number))
        items = answer.read(a.Incident).checklist
        chosen = [i.id for i in items if i.group == "verification" and i.done != done] if every else []
        chosen += [_item(name, items) for name in wanted]
        for item in chosen:
            answer = server.post(at(number, "checklist"), {"item": item, "done": done, "note": note})
        return shown(answer, as_json, lambda: _ticked(answer.read(a.Incident)))

    return told(do)


def _ticked(incident: a.Incident) -> list[str]:
    left = sum(i.group == "verification" and not i.done for i in incident.checklist)
    said = f"{left} to tick before it is resolved." if left else "Everything that resolving asks for is ticked."
    lines = render.checklist(incident.checklist)
    return [*lines, "", said] if lines else ["The runbook has no checklist."]


def _item(name: str, items: Sequence[a.Item]) -> str:
    """The id of the item that a person means; what is not known is left for the server to refuse."""
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(items):
        return items[int(name) - 1].id
    return name


def update(
    number: int, *, text: str, template: str, fields: Mapping[str, str], as_json: bool
) -> int:  # fmt: skip
    """Posts an update; blanks that are missing are asked for on a terminal, else named."""

    def post(server: Client) -> int:
        given = dict(fields)
        while True:
            body: dict[str, object] = {"text": text, "template": template, "fields": given}
            try:
                return _after(server.post(at(number, "updates"), body), as_json=as_json, said="Posted.")
            except ServerError as exc:
                missing = [n for n in exc.fields if n not in given and n not in ("text", "template", "fields")]
                if exc.status != 422 or not missing:
                    raise
                if not interactive():
                    raise ServerError(f"{exc}: {_how_to_give(missing)}") from None
                given |= {name: _ask(name) for name in missing}

    return told(post)


def _how_to_give(missing: Sequence[str]) -> str:
    own = ("progress", "next", "eta")
    return "give " + " ".join(f'--{n} "..."' if n in own else f'--field "{n}=..."' for n in missing)


def _ask(name: str) -> str:
    """A line from the person at the terminal; an end of input gives up."""
    try:
        return input(f"{one_line(name).replace('_', ' ').capitalize()}: ").strip()
    except EOFError:
        raise ServerError(f"nothing was posted: {name} is still missing") from None


def resolve(number: int, *, reason: str, as_json: bool) -> int:
    """Says it is over, and what still keeps it from being resolved."""

    def do(server: Client) -> int:
        answer = server.post(at(number, "resolve"), {"reason": reason})
        return shown(answer, as_json, lambda: _resolved(answer.read(a.Incident)))

    return told(do)


def _resolved(incident: a.Incident) -> list[str]:
    if incident.status in render.OVER:
        return [f"#{incident.number} is {incident.status}.", *render.brief(incident, now())[1:]]
    missing = [line for m in incident.missing for line in render.wrapped(f"- {m}", indent="  ")]
    return [
        f"#{incident.number} is not resolved yet: the verification runs. Missing:",
        *missing,
        f"It resolves by itself once nothing is: tocsin tick {incident.number}",
        f'Or say why it may be resolved all the same: tocsin resolve {incident.number} --because "..."',
    ]


def postmortem(number: int, *, format: str, file: Path | None) -> int:
    """The postmortem on stdout, or in `file`."""

    def fetch(server: Client) -> int:
        body = server.get(at(number, "postmortem"), format=format).body
        if file is None:
            if format == "json":
                put_json(body)
            else:
                put(clean(body.decode(errors="replace"), limit=len(body)).splitlines())
            return 0
        try:
            file.write_bytes(body)
        except OSError as exc:
            return complain(f"{file} cannot be written: {exc.strerror}: name another with -o", code=FAILED)
        put([f"Written to {file}."])
        return 0

    return told(fetch)


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """`name=value` of each. Raises ValueError with the line to show."""
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name.strip() or not equals:
            raise ValueError(f"{option} {one!r}: write it like {option} name=value")
        found[name.strip()] = value
    return found


def due(text: str) -> dict[str, str | int]:
    """When an action item is due, as the API takes it. Raises ValueError with the line to show."""
    length = parse(text)
    if length is not None:
        return {"due_in": round(length.total_seconds())}
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--due {text!r}: write a length like 7d or an instant like 2026-03-01T12:00Z") from None
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return {"due_at": aware.isoformat()}


def refused(reason: str) -> int:
    """A usage error, said as one line."""
    return complain(one_line(reason, limit=LINE), code=REFUSED)


def at(number: int, *rest: str) -> str:
    """The path of an incident, and of what is below it."""
    return "/".join((f"/incidents/{number}", *(quote(part, safe="") for part in rest)))


def now() -> datetime:
    return datetime.now(UTC)


def _after(answer: Answer, *, as_json: bool, said: str = "") -> int:
    """What is printed after a command: where the incident stands now."""
    return shown(answer, as_json, lambda: ([said] if said else []) + render.brief(answer.read(a.Incident), now()))


def shown(answer: Answer, as_json: bool, lines: Callable[[], list[str]]) -> int:
    if as_json:
        answer.read(object)  # garbage is refused, not passed on
        put_json(answer.body)
    else:
        put(lines())
    sys.stdout.flush()
    return 0
