"""What senders sent lately and what came of it: the last few hundred requests, in this process's memory.

A request costs the ingest path a few counters and references; copies are cut short and secrets taken out after it was
answered, and in a storm only the first of each second are kept. Nothing is written to disk, no header is kept.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import lru_cache, wraps
from itertools import count, islice

from msgspec import Struct, field
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tocsin.bootstrap.hearing import Heard
from tocsin.engine.intake import Receipt
from tocsin.incident.alert import Alert
from tocsin.procedures.redaction import clean, redact
from tocsin.web.auth import house_of
from tocsin.web.problems import problem_of

KEPT, KEPT_A_SECOND = 200, 10
MINUTE = timedelta(minutes=1)
SENDERS, OTHERS = 100, "other addresses"
BODY_BYTES, ALERTS, FIELDS, FIELD_CHARACTERS, REASON_CHARACTERS = 16_000, 20, 40, 500, 500
REFUSED, HUNG_UP = 400, 499
_WORDS = (
    "token",
    "secret",
    "passw",
    "credential",
    "authorization",
    "private",
    "_key",
    "-key",
    "apikey",
    "servicekey",
    "routingkey",
)
_KEYS = re.compile(rf'(?i)((?:{"|".join(_WORDS)})[\w.-]{{0,60}}"\s*:\s*)"(?:[^"\\]|\\.)*"?')
_PARAMETERS = re.compile(r"(?i)([?&](?:[a-z_.-]*(?:token|signature|secret|password)|key|sig)=)[^&\s\"'<>\\]+")
_HIDDEN, _NEWLINE, _NAME = "[redacted]", "\u2028", 100


class Seen(Struct, frozen=True):
    """One alert of a request and what came of it; `outcome` and `why` are of the receipt."""

    alert: Alert
    outcome: str
    incident: int | None
    why: str = ""


class Delivery(Struct, frozen=True):
    """One request of a sender, a mail, or what a watch of our own saw: what it brought, as far as it is kept, and the
    answer. `method` and `path` are the request's; of the others, how it came and what it was.

    `size` and `total` are of the whole body and of all its alerts; `took` is seconds; `reason` says why it was refused.
    """

    id: int
    at: datetime
    sender: str
    who: str
    method: str
    path: str
    status: int
    took: float
    size: int = 0
    total: int = 0
    body: str = ""
    seen: tuple[Seen, ...] = ()
    reason: str = ""

    @property
    def refused(self) -> bool:
        return self.status >= REFUSED

    @property
    def cut(self) -> bool:
        """Whether the body is longer than what is kept of it."""
        return self.size > BODY_BYTES


class Tally(Struct):
    """A sender's requests since the process began; `minutes` are the counts of the latest ones, newest last."""

    requests: int = 0
    alerts: int = 0
    errors: int = 0
    last_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str = ""
    last_status: int = 0
    minute: datetime | None = None
    minutes: deque[int] = field(default_factory=lambda: deque(maxlen=60))

    def begin_minute(self, now: datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        passed = 60 if self.minute is None else (minute - self.minute) // MINUTE
        self.minutes.extend([0] * min(passed, 60))
        self.minute = minute

    def in_last(self, length: timedelta, now: datetime) -> int:
        """Requests of the running minute and of those before it, so many in all."""
        if self.minute is None:
            return 0
        wanted = length // MINUTE - max((now - self.minute) // MINUTE, 0)
        return sum(islice(reversed(self.minutes), wanted)) if wanted > 0 else 0


class _Note:
    """What is learnt of a request while it is being answered."""

    def __init__(self) -> None:
        self.who = ""
        self.alerts: Sequence[Alert] = ()
        self.receipts: Sequence[Receipt] = ()


_current: ContextVar[_Note | None] = ContextVar("delivery", default=None)


def saw(alerts: Sequence[Alert], receipts: Sequence[Receipt]) -> None:
    """Notes what the request that is being answered brought, and what came of it. Keeps references only."""
    note = _current.get()
    if note is not None:
        note.alerts, note.receipts = alerts, receipts


def came_from(who: str) -> None:
    """Notes whose credential the request that is being answered carries: a name, never the credential."""
    note = _current.get()
    if note is not None:
        note.who = who


class Inspector:
    """The latest requests, newest first, and a tally of each sender."""

    def __init__(self) -> None:
        self._kept: deque[Delivery] = deque(maxlen=KEPT)
        self._numbers = count(1)
        self._second = 0
        self._in_second = 0
        self.tallies: dict[str, Tally] = {}

    def latest(self, *, sender: str = "", limit: int = KEPT, below: int | None = None) -> list[Delivery]:
        """Newest first; `below` is the id to go on from."""
        found = (d for d in reversed(self._kept) if not sender or d.sender == sender)
        return list(islice((d for d in found if below is None or d.id < below), limit))

    def delivery(self, id_: int) -> Delivery | None:
        return next((d for d in self._kept if d.id == id_), None)

    def watch(self, route: Route) -> Route:
        """The same route, every request of it seen."""
        return Route(route.path, self._watched(route.endpoint), methods=sorted(route.methods or ()), name=route.name)

    def _watched(self, inner: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        @wraps(inner)
        async def endpoint(request: Request) -> Response:
            note = _Note()
            token = _current.set(note)
            begun = time.monotonic()
            status, reason = HUNG_UP, "the sender hung up before it was answered"
            try:
                response = await inner(request)
                status = response.status_code
                reason = _said(response) if status >= REFUSED else ""
            except Exception as exc:
                problem = problem_of(exc)
                status, reason = problem.status, problem.detail
                raise
            finally:
                _current.reset(token)
                took = time.monotonic() - begun
                self._answered(request, note, status, reason, took=took)
            return response

        return endpoint

    def _answered(self, request: Request, note: _Note, status: int, reason: str, *, took: float) -> None:
        at, path = house_of(request).desk.now(), request.scope["path"]
        sender = sender_of(path)
        self._count(sender, at, alerts=len(note.alerts), status=status, reason=reason)
        if not self._room(at):
            return
        body = getattr(request, "_body", b"")  # as far as it was read: nobody unknown is waited for
        delivery = Delivery(0, at, sender, note.who, request.method, path, status, took, reason=reason)
        self._put_by(delivery, body, note.alerts, note.receipts)

    def record(self, delivery: Delivery, body: bytes, alerts: Sequence[Alert], receipts: Sequence[Receipt]) -> None:
        """Counts a request that was answered, and keeps it unless this second has enough; its id is made here."""
        at, status, reason = delivery.at, delivery.status, delivery.reason
        self._count(delivery.sender, at, alerts=delivery.total, status=status, reason=reason)
        if self._room(at):
            self._put_by(delivery, body, alerts, receipts)

    def _room(self, at: datetime) -> bool:
        """Whether one more of this second is kept."""
        second = int(at.timestamp())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        return self._in_second <= KEPT_A_SECOND

    def _put_by(self, delivery: Delivery, body: bytes, alerts: Sequence[Alert], receipts: Sequence[Receipt]) -> None:
        kept = replace(delivery, id=next(self._numbers), size=len(body), total=len(alerts))
        outcomes = {receipt.fingerprint: receipt for receipt in receipts[:ALERTS]}
        loop = asyncio.get_running_loop()
        loop.call_soon(self._keep, kept, body[:BODY_BYTES], tuple(alerts[:ALERTS]), outcomes)

    def overheard(self, heard: Heard, at: datetime) -> None:
        """Counts and keeps what a source of our own heard or saw, like a request."""
        delivery = Delivery(
            0, at, heard.sender, heard.who, heard.how, heard.what, heard.status, heard.took, total=len(heard.alerts),
            reason=heard.reason,
        )  # fmt: skip
        self.record(delivery, heard.raw, heard.alerts, heard.receipts)

    def _count(self, sender: str, now: datetime, *, alerts: int, status: int, reason: str) -> None:
        tally = self.tallies.get(sender)
        if tally is None:
            # anybody may ask for an address that nobody has
            tally = self.tallies.setdefault(sender if len(self.tallies) < SENDERS else OTHERS, Tally())
        tally.requests += 1
        tally.alerts += alerts
        tally.last_at, tally.last_status = now, status
        if tally.minute is None or now - tally.minute >= MINUTE:
            tally.begin_minute(now)
        tally.minutes[-1] += 1
        if status >= REFUSED:
            tally.errors += 1
            tally.last_error_at = now
            tally.last_error = _text(reason.encode("utf-8", "replace"))[:REASON_CHARACTERS]

    def _keep(
        self, delivery: Delivery, body: bytes, alerts: tuple[Alert, ...], receipts: dict[str, Receipt]
    ) -> None:  # fmt: skip
        """After the answer: what is shown later, short and without secrets."""
        seen = []
        for alert, short in zip(alerts, _short(alerts), strict=True):
            receipt = receipts.get(alert.fingerprint)
            seen.append(came_of(short, receipt) if receipt else Seen(short, "", None))
        reason = _text(delivery.reason.encode("utf-8", "replace"))[:REASON_CHARACTERS]
        self._kept.append(replace(delivery, body=_text(body), seen=tuple(seen), reason=reason))


def came_of(alert: Alert, receipt: Receipt) -> Seen:
    return Seen(alert, receipt.outcome, receipt.incident, receipt.why or "")


def _said(response: Response) -> str:
    """Why a sender was refused, as it was told."""
    return bytes(getattr(response, "body", b""))[:FIELD_CHARACTERS].decode("utf-8", "replace")


@lru_cache(maxsize=256)
def sender_of(path: str) -> str:
    """The sender's name, as the sources page calls it, of the address it posts to."""
    if path.startswith("/api/v1/alerts/"):
        return path.removeprefix("/api/v1/alerts/")[:80]
    if path.startswith(("/v2/enqueue", "/generic/")):
        return "pagerduty"
    if "/heartbeats/" in path:
        return "heartbeats"
    return "prometheus" if path.startswith("/api/v2/alerts") else "opsgenie"


def _text(body: bytes) -> str:
    """The body as people may see it: no credential of the sender's, nor any other that it happens to carry."""
    text = clean(body.decode("utf-8", "replace"))
    small = text.lower()
    if not any(word in small for word in (*_WORDS, "sig", "key=")):  # the usual body: two searches less
        return redact(text)
    return _PARAMETERS.sub(rf"\1{_HIDDEN}", redact(_KEYS.sub(rf'\1"{_HIDDEN}"', text)))


def _short(alerts: Sequence[Alert]) -> list[Alert]:
    """The alerts with the first of their fields, each short and without secrets.

    All of them are searched as one text: a search costs the more for being begun two hundred times.
    """
    given = [(alert.labels, alert.annotations, {"url": alert.generator_url}) for alert in alerts]
    lines = [_line(name, value) for three in given for part in three for name, value in _first(part)]
    told = _text("\n".join(lines).encode("utf-8", "replace")).split("\n")
    if len(told) != len(lines):  # something reached over several of them
        told = [_text(line.encode("utf-8", "replace")).replace("\n", _NEWLINE) for line in lines]
    rest = iter(told)
    found = []
    for alert, three in zip(alerts, given, strict=True):
        labels, annotations, url = ({name[:_NAME]: _value(name, next(rest)) for name, _ in _first(p)} for p in three)
        found.append(
            replace(
                alert, labels=labels, annotations=annotations, generator_url=url["url"],
                group=alert.group[:FIELD_CHARACTERS], fingerprint=alert.fingerprint[:FIELD_CHARACTERS],
            )
        )  # fmt: skip
    return found


def _first(part: dict[str, str]) -> list[tuple[str, str]]:
    return list(islice(part.items(), FIELDS))


def _line(name: str, value: str) -> str:
    return f'{name[:_NAME]}="{value[:FIELD_CHARACTERS]}"'.replace("\r", "").replace("\n", _NEWLINE)


def _value(name: str, line: str) -> str:
    """What stands in the line between the quotes; a field whose name speaks of a secret stands without them."""
    begin = len(_line(name, "")) - 1
    whole = line.endswith('"') and line[begin - 1 : begin] == '"'
    return line[begin:-1].replace(_NEWLINE, "\n") if whole else _HIDDEN
