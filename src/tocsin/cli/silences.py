"""`tocsin silence`: what is to disturb nobody for a while."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from msgspec import Struct

from tocsin.cli.client import Answer, Client, ServerError
from tocsin.cli.complaints import FAILED, complain
from tocsin.incident.wording import one_line


class Silence(Struct, frozen=True):
    id: str
    status: str
    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    holding: int = 0


class Planned(Struct, frozen=True):
    name: str
    matchers: tuple[str, ...]
    open_until: datetime | None = None
    holding: int = 0


class Listed(Struct, frozen=True):
    silences: tuple[Silence, ...]
    maintenance: tuple[Planned, ...] = ()


def add(matchers: list[str], *, length: str, starts_in: str, comment: str, as_json: bool) -> int:
    """The new one's id; 1 when the server refuses."""
    body = {"matchers": matchers, "lasts": length, "starts_in": starts_in, "comment": comment}
    try:
        with Client.from_environment() as client:
            answer = client.post("/silences", body)
            made = answer.read(Silence)
    except ServerError as exc:
        return complain(str(exc), code=FAILED)
    return _raw(answer) if as_json else _say(f"{made.id}  {made.status} until {_at(made.ends_at)}")


def listing(*, every: bool, as_json: bool) -> int:
    """One line a silence, the soonest to end first, then the maintenance windows."""
    try:
        with Client.from_environment() as client:
            answer = client.get("/silences")
            found = answer.read(Listed)
    except ServerError as exc:
        return complain(str(exc), code=FAILED)
    if as_json:
        return _raw(answer)
    shown = [s for s in found.silences if every or s.status != "expired"]
    for s in shown:
        why = one_line(s.comment) + _held(s.holding)
        print(f"{s.id}  {s.status:8}  until {_at(s.ends_at)}  {_written(s.matchers)}  {why}")
    for p in found.maintenance:
        when = f"open until {_at(p.open_until)}" if p.open_until else "shut"
        print(f"maintenance {one_line(p.name)}  {when}  {_written(p.matchers)}{_held(p.holding)}")
    return 0 if shown or found.maintenance else _say("No silence stands.")


def expire(id_: str, *, as_json: bool) -> int:
    """Ends it now."""
    try:
        with Client.from_environment() as client:
            answer = client.delete(f"/silences/{id_}")
    except ServerError as exc:
        return complain(str(exc), code=FAILED)
    return _raw(answer) if as_json else _say("Ended.")


def _held(count: int) -> str:
    return f"  (holds back {count})" if count else ""


def _written(matchers: tuple[str, ...]) -> str:
    return one_line(", ".join(matchers))


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _say(line: str) -> int:
    print(line)
    return 0


def _raw(answer: Answer) -> int:
    sys.stdout.write(answer.body.decode() + "\n")
    return 0
