"""One e-mail as it was received: Alertmanager's, any other monitor's, or a person's. Refuses to receive or to decide.

Sources: RFC 5322, RFC 2047, RFC 3834 (Auto-Submitted); Alertmanager's e-mail template, recorded from 0.25. A mail says
no start of an alert: it began when the mail was written, so that the same mail delivered twice is one beginning.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parseaddr, parsedate_to_datetime

from msgspec import Struct

from tocsin.incident.alert import Alert, AlertStatus, fingerprint
from tocsin.signals.decoding import text, texts
from tocsin.signals.errors import SignalError
from tocsin.signals.keyed import MESSAGE_MARK, link
from tocsin.signals.report import from_report

SOURCE = "email"
HEADER_LIMIT, SUBJECT_LIMIT, BODY_LIMIT = 4000, 300, 1_000_000
TOLD_LIMIT = 4000
MOST_PARTS = 100
MOST_ALERTS = 1000
OLDEST = timedelta(days=7)
"""A mail that says to be older was not under way so long: its clock is wrong."""
OVER = ("resolved", "recovered", "recovery", "ok", "up", "cleared", "closed", "restored", "normal", "back to normal")
TROUBLE = {
    "problem": "", "alert": "", "alarm": "", "alerting": "", "firing": "", "triggered": "", "down": "", "failed": "",
    "failure": "", "error": "", "unreachable": "", "open": "", "new": "", "critical": "critical", "crit": "critical",
    "disaster": "critical", "fatal": "critical", "major": "critical", "warning": "warning", "warn": "warning",
    "minor": "warning",
}  # fmt: skip
"""What monitors commonly call trouble in a subject, and the severity that it says."""

_BOUNDARY = re.compile(rb"boundary[\s*0-9]*=", re.IGNORECASE)
_REPLY = re.compile(r"^(?:(?:re|fwd?|aw|wg|tr|sv|vs|odp)\s*:\s*)+", re.IGNORECASE)
_NAME = re.compile(r"[\w-]+")
_WORD = re.compile(r"[^\W\d_]+")
_SINCE = re.compile(r"\s+(?:in|after)\s+(?:\d+\s*[a-z]{1,8}\s*)+", re.IGNORECASE)
_IS = re.compile(r"\s(?:is|now|is now)\s*$", re.IGNORECASE)
_AROUND = " \t:;,.-–—|*#!()[]"
_ADDRESS = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,190}")
_PAIR = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*) = (.*)$")
_COUNT = re.compile(r"^\[\d+\] (Firing|Resolved)$")
_HREF = re.compile(r"\bhref=[\"']([^\"']{1,4000})[\"']")
_BREAKS = frozenset(("br", "p", "div", "tr", "td", "li", "table", "h1", "h2", "h3", "ul", "ol", "pre", "strong", "a"))
_SILENT = frozenset(("style", "script", "head", "title"))


class Letter(Struct, frozen=True):
    """What counts of a mail. `written_at` is aware UTC; `answers` says that a machine answered a mail of ours.

    `automatic` says that no person wrote it. `lines` are the body's as (text, address it links to), HTML's when there
    is any, `plain` those of the text without.
    """

    subject: str
    sender: str
    name: str
    message_id: str
    written_at: datetime
    list_id: str = ""
    automatic: bool = False
    answers: bool = False
    ours: bool = False
    lines: tuple[tuple[str, str], ...] = ()
    plain: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The text for people, without empty lines at its ends."""
        said = self.plain or [line for line, _ in self.lines]
        return "\n".join(said).strip()


def read(message: bytes, *, at: datetime) -> Letter:
    """The mail that arrived `at` (aware UTC); raises SignalError for one that cannot be taken apart."""
    if len(_BOUNDARY.findall(message)) > MOST_PARTS:
        raise SignalError("the mail's parts are nested too deeply")  # parsing them takes the square of their number
    try:
        parsed = BytesParser(policy=compat32).parsebytes(message)
        marked, plain = _bodies(parsed)
    except RecursionError as exc:
        raise SignalError("the mail's parts are nested too deeply") from exc
    except (MessageError, ValueError, LookupError, TypeError, AttributeError) as exc:
        # the standard library's reader says in many ways that a mail is none
        raise SignalError("the mail cannot be taken apart") from exc
    headers = _headers(parsed)
    name, _ = parseaddr(headers.get("from", ""))
    address = _ADDRESS.search(headers.get("from", ""))
    submitted = headers.get("auto-submitted", "no").casefold()
    bulk = headers.get("precedence", "").casefold() in ("bulk", "junk", "auto_reply", "list")
    return Letter(
        subject=headers.get("subject", "")[:SUBJECT_LIMIT],
        sender=address[0].casefold() if address else "",
        name=" ".join(name.split())[:SUBJECT_LIMIT],
        message_id=headers.get("message-id", "")[:SUBJECT_LIMIT],
        written_at=_written(headers.get("date", ""), at),
        list_id=headers.get("list-id", "")[:SUBJECT_LIMIT],
        automatic=bulk or not submitted.startswith("no"),
        answers=submitted.startswith("auto-replied"),
        ours="x-tocsin-idempotency-key" in headers,
        lines=tuple(_lines(marked)),
        plain=tuple(text(line.rstrip()) for line in plain.splitlines()),
    )


def decode(
    message: bytes, *, at: datetime, resolved: Sequence[str] = OVER, labels: Mapping[str, str] | None = None
) -> list[Alert]:  # fmt: skip
    """The alerts of one mail that arrived `at` (aware UTC); raises SignalError. `labels` join those of each."""
    return alerts(read(message, at=at), resolved=resolved, labels=labels or {})


def alerts(letter: Letter, *, resolved: Sequence[str] = OVER, labels: Mapping[str, str]) -> list[Alert]:
    """Those of Alertmanager's listing; without one the mail is an alert by its subject. Raises SignalError."""
    if not letter.subject:
        raise SignalError("missing; the subject is the alert's name", "Subject")
    listed = list(_listed(letter, labels))
    return listed or [_of_subject(letter, resolved, labels)]


def report(letter: Letter, *, services: Sequence[str] = ()) -> Alert:
    """What a person reports by mail, about the first of `services` that the subject names; raises SignalError."""
    said = _REPLY.sub("", letter.subject)
    named = set(_NAME.findall(said.casefold()))
    service = next((s for s in services if s.casefold() in named), "")
    who = f"{letter.name} <{letter.sender}>" if letter.name and letter.sender else letter.name or letter.sender
    return from_report(said, description=letter.body[:TOLD_LIMIT], reporter=who, at=letter.written_at, service=service)


def _listed(letter: Letter, labels: Mapping[str, str]) -> Iterator[Alert]:
    """The alerts that Alertmanager's template lists, each under "Firing" or "Resolved"."""
    status, part = AlertStatus.FIRING, ""
    found: list[dict[str, dict[str, str]]] = []
    for line, address in (*letter.lines, ("Labels", "")):
        if count := _COUNT.match(line):
            ends, status = status, AlertStatus(count[1].casefold())
            yield from (_of_listing(one, ends, letter, labels) for one in found if one["Labels"])
            found, part = [], ""
        elif line in ("Labels", "Annotations"):
            part = line
            found += [{"Labels": {}, "Annotations": {}, "Source": {}}] if line == "Labels" else []
        elif line == "Source" and found:
            found[-1]["Source"]["url"], part = link(html.unescape(address)), ""
        elif part and found and len(found) <= MOST_ALERTS:
            _add(found[-1][part], line)
    yield from (_of_listing(one, status, letter, labels) for one in found if one["Labels"])


def _add(pairs: dict[str, str], line: str) -> None:
    """`name = value`, or more of the value before it."""
    if pair := _PAIR.match(line):
        pairs[pair[1]] = pair[2]
    elif pairs:
        last = next(reversed(pairs))
        pairs[last] = f"{pairs[last]}\n{line}"


def _of_listing(
    one: Mapping[str, Mapping[str, str]], status: AlertStatus, letter: Letter, labels: Mapping[str, str]
) -> Alert:  # fmt: skip
    own = texts(one["Labels"])
    over = status is AlertStatus.RESOLVED
    told = texts(one["Annotations"])
    return Alert(
        fingerprint=fingerprint(own | {"source": SOURCE}),
        status=status,
        labels={"alertname": _without_marks(letter.subject)} | own | dict(labels),
        annotations={"summary": told.get("description") or own.get("alertname", "alert")} | told,
        starts_at=letter.written_at,
        ends_at=letter.written_at if over else None,
        source=SOURCE,
        generator_url=one["Source"].get("url", ""),
    )


def _of_subject(letter: Letter, resolved: Sequence[str], labels: Mapping[str, str]) -> Alert:
    subject = _REPLY.sub("", letter.subject).strip()
    title, over, severity = _taken_apart(subject, resolved)
    sender = letter.list_id or letter.sender
    told = {"summary": subject, "description": letter.body[:TOLD_LIMIT]}
    named = {"alertname": title, "severity": severity, "from": letter.sender, "list": letter.list_id}
    return Alert(
        fingerprint=fingerprint({"source": SOURCE, "from": sender, "subject": title.casefold()}),
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        labels=texts({name: value for name, value in named.items() if value} | dict(labels)),
        annotations=texts({name: value for name, value in told.items() if value}),
        starts_at=letter.written_at,
        ends_at=letter.written_at if over else None,
        source=SOURCE,
    )


def _taken_apart(subject: str, resolved: Sequence[str]) -> tuple[str, bool, str]:
    """(title without the words that say how it stands, whether those say that it is over, the severity they say)."""
    over_words = {word.casefold() for word in resolved}
    marks = list(_standing(subject, over_words))
    first = marks[0][1] if marks else ""
    severity = next((TROUBLE[word] for _, word in marks if TROUBLE.get(word)), "")
    title, after = "", 0
    for begin, word in marks:
        title += _IS.sub("", subject[after:begin]) + " "
        since = _SINCE.match(subject, begin + len(word))
        after = since.end() if since else begin + len(word)
    words = " ".join(piece for piece in (title + subject[after:]).split() if piece.strip(_AROUND))
    return words.strip(_AROUND) or subject, first in over_words, severity


def _standing(subject: str, over_words: set[str]) -> Iterator[tuple[int, str]]:
    """(place, word) of each word that says how it stands, and not what it is about: by its place, or in capitals."""
    phrases = sorted(over_words | TROUBLE.keys(), key=len, reverse=True)
    taken = 0
    for found in _WORD.finditer(subject):
        begin = found.start()
        word = next((p for p in phrases if _stands(p, subject, begin)), "")
        if begin < taken or not word:
            continue
        end = begin + len(word)
        before, after = subject[:begin].rstrip(), subject[end:].lstrip()
        alone = not before.strip(_AROUND) or not after.strip(_AROUND) or after.startswith((":", "]", ")"))
        said = before.endswith(("[", "(", ":", "*")) or before.rsplit(" ", 1)[-1].casefold() in ("is", "now")
        if alone or said or (len(word) > 1 and subject[begin:end].isupper()):
            taken = end
            yield begin, word


def _stands(phrase: str, subject: str, place: int) -> bool:
    end = place + len(phrase)
    return subject[place:end].casefold() == phrase and not subject[end : end + 1].isalnum()


def _without_marks(subject: str) -> str:
    return MESSAGE_MARK.sub("", subject).strip() or subject


def _headers(parsed: Message) -> dict[str, str]:
    """The first of each header in lower case, decoded, in one line."""
    found: dict[str, str] = {}
    for name, value in parsed.raw_items():
        found.setdefault(name.casefold(), _decoded(str(value)[:HEADER_LIMIT]))
    return found


def _decoded(raw: str) -> str:
    """RFC 2047's words, and bytes that no standard allows, as text; a line break smuggled in is a space."""
    given = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        pieces = decode_header(given)
    except (MessageError, ValueError):
        pieces = [(given, None)]
    said = "".join(_piece(piece, charset) for piece, charset in pieces)
    return text(" ".join("".join(c if c.isprintable() else " " for c in said).split()))


def _piece(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    try:
        return piece.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return piece.decode("utf-8", "replace")


def _bodies(parsed: Message) -> tuple[str, str]:
    """(HTML, plain text) of the first parts that are each; attachments do not count."""
    found = {"text/html": "", "text/plain": ""}
    for number, part in enumerate(parsed.walk()):
        kind = part.get_content_type()
        if number > MOST_PARTS:
            break
        if kind not in found or found[kind] or part.get_content_disposition() == "attachment":
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            found[kind] = _piece(payload[:BODY_LIMIT], part.get_content_charset())
    return found["text/html"], found["text/plain"]


def _lines(marked: str) -> Iterator[tuple[str, str]]:
    """(text, address) of each line of HTML, as far as a reader would see lines. The cost grows with its length."""
    line: list[str] = []
    address = silent = ""
    for piece in marked.split("<"):
        tag, closed, said = piece.partition(">")
        if not closed:
            tag, said = "", piece
        name = tag[:40].split(None, 1)[0].casefold().rstrip("/") if tag[:40].strip() else ""
        if name.lstrip("/") in _BREAKS:
            yield from ((one, address) for one in _seen(line))
            line, address = [], ""
        if name == "a" and (href := _HREF.search(tag[:5000])):
            address = href[1]
        if name in _SILENT:
            silent = name
        elif silent and name == f"/{silent}":
            silent = ""
        if not silent:
            line.append(said)
    yield from ((one, address) for one in _seen(line))


def _seen(pieces: Sequence[str]) -> list[str]:
    lines = (html.unescape(raw).strip() for raw in "".join(pieces).split("\n") if raw.strip())
    return [text(line) for line in lines if line]


def _written(given: str, at: datetime) -> datetime:
    """When the mail says it was written, no later than now; the arrival when it does not, or says nonsense."""
    try:
        found = parsedate_to_datetime(given)
        moment = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return at
    return moment if at - OLDEST <= moment <= at else at
