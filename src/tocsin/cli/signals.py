"""`tocsin signals`: what senders sent lately, and what came of it."""

from __future__ import annotations

import sys

from msgspec import Struct

from tocsin.cli.client import Client, ServerError
from tocsin.cli.complaints import FAILED, complain
from tocsin.incident.wording import one_line


class Seen(Struct, frozen=True):
    status: str
    summary: str
    outcome: str
    because: str
    service: str
    service_by: str
    severity_by: str
    severity: str | None = None
    incident: int | None = None


class Signal(Struct, frozen=True):
    id: int
    at: str
    sender: str
    status: int
    alerts_total: int
    alerts: tuple[Seen, ...]
    who: str = ""
    reason: str | None = None
    body: str | None = None


class Signals(Struct, frozen=True):
    signals: tuple[Signal, ...]


def listing(*, sender: str, limit: int, as_json: bool) -> int:
    """One line a request, newest first; 1 when the server refuses."""
    try:
        with Client.from_environment() as client:
            answer = client.get("/signals", sender=sender, limit=limit)
            found = answer.read(Signals).signals
    except ServerError as exc:
        return complain(str(exc), code=FAILED)
    if as_json:
        return _raw(answer.body)
    for s in found:
        print(f"{s.id:>5}  {s.at}  {s.status}  {s.sender:14}  {_brief(s)}")
    if not found:
        print("Nothing was sent since the server began.")
    return 0


def show(number: int, *, as_json: bool) -> int:
    """One request: each alert with its outcome and the rules, then the body."""
    try:
        with Client.from_environment() as client:
            answer = client.get(f"/signals/{number}")
            found = answer.read(Signal)
    except ServerError as exc:
        return complain(str(exc), code=FAILED)
    if as_json:
        return _raw(answer.body)
    print(f"{found.sender}  {found.status}  {found.at}  by {found.who or 'nobody known'}")
    if found.reason:
        print(f"refused: {one_line(found.reason)}")
    for seen in found.alerts:
        number_ = f" #{seen.incident}" if seen.incident else ""
        print(f"{seen.status}: {one_line(seen.summary)}")
        print(f"  {seen.outcome}{number_}: {seen.because}")
        print(f"  service {seen.service or 'none'}: {seen.service_by}")
        print(f"  severity {seen.severity or 'none'}: {seen.severity_by}")
    if len(found.alerts) < found.alerts_total:
        print(f"and {found.alerts_total - len(found.alerts)} more alerts")
    if found.body:
        print(found.body)
    return 0


def _brief(signal: Signal) -> str:
    if not signal.alerts:
        return one_line(signal.reason or "")
    first = signal.alerts[0]
    more = f" and {signal.alerts_total - 1} more" if signal.alerts_total > 1 else ""
    outcomes = ", ".join(dict.fromkeys(f"{a.outcome}{f' #{a.incident}' if a.incident else ''}" for a in signal.alerts))
    return f"{outcomes}: {one_line(first.summary)}{more}"


def _raw(body: bytes) -> int:
    sys.stdout.write(body.decode() + "\n")
    return 0
