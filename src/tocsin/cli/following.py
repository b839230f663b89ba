"""Runs and mitigations, followed until they end. They run at the server: whoever stops following stops nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat

import msgspec

from tocsin.channels.text import one_line
from tocsin.cli import answers as a
from tocsin.cli import render
from tocsin.cli.choosing import with_values
from tocsin.cli.client import Client, ServerError
from tocsin.cli.complaints import FAILED, INTERRUPTED, complain
from tocsin.cli.live import Listener
from tocsin.cli.responding import at, now, told
from tocsin.cli.terminal import interactive, put, put_json

LOOKS_SECONDS = (0.05, 0.1, 0.2, 0.3)
"""Between the first looks; after them, the longest."""
LONGEST_LOOK_SECONDS = 0.5
UNDER_WAY = ("approved", "running")


def procedures(number: int, *, as_json: bool) -> int:
    return _book(as_json, lambda book: render.procedures(book, number))


def mitigations(number: int, *, as_json: bool) -> int:
    return _book(as_json, lambda book: render.mitigations(book, number))


def _book(as_json: bool, lines: Callable[[a.Book], list[str]]) -> int:
    def show(server: Client) -> int:
        answer = server.get("/runbook")
        book = answer.read(a.Book)
        put_json(answer.body) if as_json else put(lines(book))
        return 0

    return told(show)


def run(number: int, slug: str, *, steps: Sequence[int], values: Mapping[str, str], as_json: bool) -> int:
    """Starts a procedure and prints each step as it ends; 1 when the run failed or its end is not known."""

    def start(server: Client) -> int:
        path = at(number, "procedures", slug)
        answer = with_values(
            server, f"{path}/values", values,
            lambda given: server.post(path, {"steps": list(steps) or None, "values": dict(given) or None}),
        )  # fmt: skip
        started = answer.read(a.RunStarted).run
        return _followed(lambda: _follow_run(server, at(number, "runs", started), as_json=as_json), "the run", number)

    return told(start)


def _follow_run(server: Client, path: str, *, as_json: bool) -> int:
    printed = set() if as_json else _heard(server, f"{path}/stream", _titles(server, path)).ended
    pauses = _pauses()
    while True:
        answer = server.get(path)
        run = answer.read(a.Run)
        for step in run.steps if not as_json else ():
            if step.outcome is not None and step.index not in printed:
                printed.add(step.index)
                put(render.step(step))
        if run.status != "running":
            put_json(answer.body) if as_json else put([f"Run {one_line(run.title)}: {run.status}."])
            return 0 if run.status == "done" else FAILED
        time.sleep(next(pauses))


def _titles(server: Client, path: str) -> dict[int, str]:
    return {s.index: one_line(s.title) for s in server.get(path).read(a.Run).steps}


def _heard(server: Client, path: str, titles: Mapping[int, str]) -> Listener:
    listener = Listener(titles)
    listener.listen(server, path)
    return listener


def cancel(number: int, slug: str | None, *, reason: str, as_json: bool) -> int:
    """Cancels the run of that procedure, or the only one under way; what it had said is kept."""

    def do(server: Client) -> int:
        run = _under_way(server.get(at(number)).read(a.Incident), slug)
        answer = server.post(at(number, "runs", run.id, "cancel"), {"reason": reason})
        if as_json:
            return _said(answer.body)
        put([f"Run {one_line(run.title)}: cancelled."])
        return 0

    return told(do)


def _under_way(incident: a.Incident, slug: str | None) -> a.Run:
    """The run to cancel. Raises ServerError when there is none, or several."""
    running = [r for r in incident.runs if r.status == "running" and slug in (None, r.procedure)]
    if len(running) == 1:
        return running[0]
    if running and slug is not None:
        return running[-1]
    if not running:
        raise ServerError(f"nothing is running{f' of {slug!r}' if slug else ''}: tocsin show {incident.number}")
    names = ", ".join(dict.fromkeys(r.procedure for r in running))
    raise ServerError(f"several are running: name the procedure, one of {names}")


def mitigate(
    number: int, slug: str, *, values: Mapping[str, str], approved: bool, glass: str | None, as_json: bool
) -> int:
    """Proposes a mitigation; `approved` also says yes, and follows it to its outcome.

    With `glass`, the reason, an admin has it run at once, unapproved.
    """

    def propose(server: Client) -> int:
        path = at(number, "mitigations", slug)
        more = {} if glass is None else {"break_glass": True, "reason": glass}
        answer = with_values(
            server, f"{path}/values", values, lambda given: server.post(path, {"values": dict(given) or None, **more})
        )
        found = answer.read(a.Proposed).approval
        if not as_json:
            put(render.approval(found, number, now()))
        if glass is not None:
            return _run_now(server, number, found.id, as_json=as_json)
        if not approved:
            return _said(answer.body if as_json else None)
        return _decide(server, number, found.id, as_json=as_json)

    return told(propose)


def _run_now(server: Client, number: int, approval: str, *, as_json: bool) -> int:
    if not as_json:
        put(["The glass is broken: it runs at the server, and everybody is told ..."])
    return _followed(lambda: _follow_approval(server, number, approval, as_json=as_json), "the mitigation", number)


def approve(number: int, approval: str | None, *, sure: bool, as_json: bool) -> int:
    """Shows exactly what is approved, asks a person at a terminal whether they mean it, and follows it to its end."""

    def do(server: Client) -> int:
        chosen = _pending(server, number, approval)
        if not as_json:
            put(render.approval(chosen, number, now()))
            if chosen.status == "pending" and not sure and interactive() and not _means_it():
                put(["Nothing was approved."])
                return FAILED
        return _decide(server, number, chosen.id, as_json=as_json)

    return told(do)


def _means_it() -> bool:
    try:
        return input("Approve exactly this? [y/N] ").strip().casefold() in ("y", "yes")
    except EOFError:
        return False


def reject(number: int, approval: str | None, *, reason: str, as_json: bool) -> int:
    def do(server: Client) -> int:
        chosen = _pending(server, number, approval)
        body = {"decision": "reject", "reason": reason}
        answer = server.post(at(number, "approvals", chosen.id), body)
        if as_json:
            return _said(answer.body)
        put([f"{one_line(chosen.action)}: {answer.read(a.Proposed).approval.status}."])
        return 0

    return told(do)


def settle(number: int, approval: str, *, outcome: str, reason: str, as_json: bool) -> int:
    """Says what came of a mitigation whose outcome was unknown."""

    def do(server: Client) -> int:
        answer = server.post(at(number, "approvals", approval, "settle"), {"outcome": outcome, "reason": reason})
        if as_json:
            return _said(answer.body)
        found = answer.read(a.Proposed).approval
        put([f"{one_line(found.action)}: {found.status}."])
        return 0

    return told(do)


def _pending(server: Client, number: int, approval: str | None) -> a.Approval:
    """The approval named, else the only one that waits. Raises ServerError when there is none, or several."""
    incident = server.get(at(number)).read(a.Incident)
    if approval is not None:
        found = incident.approval(approval)
        if found is None:
            raise ServerError(f"incident {number} has no approval {approval!r}: tocsin show {number} lists them")
        return found
    waiting = [one for one in incident.approvals if one.status == "pending"]
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        raise ServerError(f"nothing waits for an approval: propose with `tocsin mitigate {number}`")
    names = ", ".join(f"{one.id} ({one.action})" for one in waiting)
    raise ServerError(f"several wait for an approval: name one of {names}")


def _decide(server: Client, number: int, approval: str, *, as_json: bool) -> int:
    answer = server.post(at(number, "approvals", approval), {"decision": "approve"})
    found = answer.read(a.Proposed).approval
    if found.status == "pending":
        return _said(answer.body) if as_json else _another(found, number)
    if not as_json:
        put(["Approved. It runs now ..."])
    return _followed(lambda: _follow_approval(server, number, approval, as_json=as_json), "the mitigation", number)


def _another(found: a.Approval, number: int) -> int:
    put([f"Your yes is recorded. {render.needed(found)}", f"Another person: tocsin approve {number} {found.id}"])
    return 0


def _follow_approval(server: Client, number: int, approval: str, *, as_json: bool) -> int:
    pauses = _pauses()
    heard = False
    if not as_json:
        heard = bool(_heard(server, at(number, "approvals", approval, "stream"), {}).spoken)
    while True:
        answer = server.get(at(number))
        found = answer.read(a.Incident).approval(approval)
        if found is None:
            raise ServerError(f"approval {approval} is gone from incident {number}: tocsin timeline {number}")
        if found.status not in UNDER_WAY:
            return _ended(server, number, found, body=answer.body if as_json else None, heard=heard)
        time.sleep(next(pauses))


def _ended(server: Client, number: int, found: a.Approval, *, body: bytes | None, heard: bool) -> int:
    if body is not None:
        raw = msgspec.json.decode(body)["approvals"]
        one = next(each for each in raw if each["id"] == found.id)
        put_json(json.dumps({"approval": one}, ensure_ascii=False).encode())
    else:
        if found.evidence is not None and not heard:
            kept = server.get(at(number, "evidence", found.evidence)).read(a.Evidence)
            put(
                render.output(
                    "\n".join(t for t in (kept.stdout.rstrip("\n"), kept.stderr) if t.strip()), kept.cut_bytes
                )
            )
        why = f": {one_line(found.reason)}" if found.reason else ""
        put([f"{one_line(found.action)}: {found.status}{why}"])
        put(render.afterwards(found))
        if found.status == "unknown":
            put([f"Look whether it took effect, then: tocsin settle {number} {found.id} done|failed"])
    return 0 if found.status == "done" else FAILED


def _pauses() -> Iterator[float]:
    """Endless: soon at first, since most steps are quick, then twice a second."""
    yield from LOOKS_SECONDS
    yield from repeat(LONGEST_LOOK_SECONDS)


def _followed(follow: Callable[[], int], what: str, number: int) -> int:
    """Ctrl-C ends the following, and says that nothing else ends."""
    try:
        return follow()
    except KeyboardInterrupt:
        return complain(f"no longer following: {what} goes on at the server: tocsin show {number}", code=INTERRUPTED)
    except ServerError as exc:
        raise ServerError(f"{exc}; {what} may go on at the server: tocsin show {number}", status=exc.status) from None


def _said(body: bytes | None) -> int:
    if body is not None:
        put_json(body)
    return 0
