"""Messages as signed JSON to an address of the team's own. Refuses to decide what is sent."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tocsin.channels.http import TIMEOUT, Poster
from tocsin.channels.text import clean, one_line
from tocsin.engine.ports import Brief, Bundled, Message

SIGNATURE = "X-Tocsin-Signature"
IDEMPOTENCY = "Idempotency-Key"


class Addressee(Struct, frozen=True):
    role: str
    person: str


class Posted(Struct, frozen=True):
    """The body. `to` is null for what concerns the whole team; `acknowledge_url` is there on pages alone, `approve_url`
    where this person may decide a proposed mitigation. `bundle` is there when it stands for several messages: all of
    them, the severest first."""

    kind: str
    idempotency_key: str
    incident: Brief
    to: Addressee | None
    subject: str
    text: str
    possible_duplicate: bool
    acknowledge_url: str | UnsetType = UNSET
    approve_url: str | UnsetType = UNSET
    bundle: tuple[Bundled, ...] | UnsetType = UNSET


class Webhook:
    """Posts each message; with a secret, signed so that the receiver can tell it is ours and whole."""

    def __init__(self, url: str, *, secret: str | None = None, name: str = "webhook", timeout: float = TIMEOUT) -> None:
        self.name = name
        self._poster = Poster(url, what=name, timeout=timeout)
        self._secret = secret

    def __repr__(self) -> str:
        return f"Webhook({self.name!r}, signed={self._secret is not None})"

    def accepts(self, message: Message) -> bool:
        return True

    async def deliver(self, message: Message) -> None:
        body = msgspec.json.encode(posted(message))
        headers = {"Content-Type": "application/json", IDEMPOTENCY: header_safe(message.idempotency_key)}
        if self._secret is not None:
            headers[SIGNATURE] = signature(self._secret, body)
        await self._poster.post(body, headers)

    async def close(self) -> None:
        await self._poster.close()


def posted(message: Message) -> Posted:
    """The message in the words of the webhook's contract."""
    return Posted(
        kind=message.kind,
        idempotency_key=clean(message.idempotency_key),
        incident=_shown(message.incident),
        to=Addressee(one_line(message.to.role), message.to.person.id) if message.to else None,
        subject=one_line(message.subject),
        text=clean(message.text),
        possible_duplicate=message.possible_duplicate,
        acknowledge_url=message.acknowledge_url or UNSET,
        approve_url=message.approve_url or UNSET,
        bundle=tuple(replace(b, incident=_shown(b.incident)) for b in message.bundle) or UNSET,
    )


def _shown(incident: Brief) -> Brief:
    return Brief(
        id=incident.id,
        number=incident.number,
        title=one_line(incident.title),
        severity=one_line(incident.severity),
        status=one_line(incident.status),
        link=incident.link,
    )


def signature(secret: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 of the body as sent, in hex."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def header_safe(key: str) -> str:
    """The key as a header can carry it: printable ASCII as it is, anything else as `?`."""
    return "".join(c if " " < c < "\x7f" else "?" for c in key)
