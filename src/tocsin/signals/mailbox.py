"""An SMTP listener: mail to one address is an alert, mail to another a person's report. Refuses to decide or to relay.

A mail is taken (2xx) only once what it says is durable. 451 has its sender keep it and try again: the database refuses;
550 is for a recipient that is none of ours, 552 for a mail that is too large, 554 for one that cannot be read.
Source: RFC 5321; RFC 3834 for what answers by itself, which may never be answered by an incident.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException
from msgspec import Struct, field

from tocsin.engine.errors import Unavailable
from tocsin.engine.intake import Receipt
from tocsin.engine.ports import Clock
from tocsin.incident.alert import Alert
from tocsin.signals import mail
from tocsin.signals.errors import SignalError
from tocsin.signals.mail import OVER, Letter
from tocsin.signals.restraint import Restraint
from tocsin.signals.watching import OnTrouble, Trouble, backoff, log_trouble

NAME = "email"
MOST_CONNECTIONS, MOST_READ_AT_ONCE = 50, 4
IDLE_SECONDS = 60.0
TAKEN = "250 2.0.0 taken"
NOT_OURS = "550 5.1.1 no such address here, or its token is wrong"
FROM_ELSEWHERE = "550 5.7.1 without a token in [sources.email] alerts are taken from this machine only"
ENOUGH = "450 4.7.1 many reports have come in already and people are looking: try again later"
REFUSING = "451 4.3.0 cannot be stored now: try again"
BROKEN = "451 4.3.0 something went wrong inside: try again"
NO_TLS = "454 4.7.0 TLS could not be begun"
BUSY = b"421 4.7.0 too many connections: try again\r\n"
REPLY_LIMIT = 200

Take = Callable[[str, Sequence[Alert]], Awaitable[Sequence[Receipt]]]
"""Takes the alerts of the mail of that id (empty when it has none); returns once they are durable, with what came of
each. The same id again changes nothing. Raises Unavailable."""


class Posted(Struct, frozen=True):
    """A mail and how it was answered. `to` are our addresses' names, without tokens; `said` is the whole reply."""

    sender: str
    to: str
    raw: bytes
    said: str
    took: float = 0.0
    alerts: Sequence[Alert] = ()
    receipts: Sequence[Receipt] = ()

    @property
    def status(self) -> int:
        return int(self.said[:3])


def _unheard(_: Posted) -> None:
    """What becomes of news of mails when nobody asked for them."""


class Box(Struct, frozen=True):
    """Who may send what: `alerts` and `reports` are addresses before the "+", in lower case; `token` empty is none.

    `domains` empty takes every one; `services` are those that a report may name. `certificate` and `key` are PEM
    files, for STARTTLS.
    """

    host: str = "127.0.0.1"
    port: int = 2525
    token: str = ""
    alerts: str = "alerts"
    reports: str = "reports"
    public_reports: bool = True
    domains: tuple[str, ...] = ()
    resolved: tuple[str, ...] = OVER
    services: tuple[str, ...] = ()
    largest: int = 5_000_000
    certificate: Path | None = None
    key: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Box({self.host!r}, {self.port})"


class Mailbox:
    """Listens until cancelled; `port` is the one that is listened on."""

    def __init__(
        self,
        box: Box,
        take: Take,
        *,
        clock: Clock,
        on_trouble: OnTrouble = log_trouble,
        on_mail: Callable[[Posted], None] = _unheard,
    ) -> None:
        self._box = box
        self._take = take
        self._on_mail = on_mail
        self._clock = clock
        self._trouble = Trouble(NAME, on_trouble)
        self._restraint = Restraint()
        self._reading = asyncio.Semaphore(MOST_READ_AT_ONCE)
        self._open: set[_Conversation] = set()
        self.port = 0

    async def run(self) -> None:
        """An address that cannot be had, or a certificate that cannot be read, is tried again and again."""
        pauses = backoff(timedelta(seconds=1), timedelta(seconds=30))
        while True:
            try:
                await self._listen()
            except OSError as exc:
                self._trouble.is_now(f"mail cannot be listened for: {exc.strerror or exc}")
                await asyncio.sleep(next(pauses).total_seconds())

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        context = _context(self._box)
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # at INFO it writes every address, tokens and all
        server = await loop.create_server(lambda: _Conversation(self, context), self._box.host, self._box.port)
        self.port = int(server.sockets[0].getsockname()[1])
        self._trouble.is_now(None)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for conversation in tuple(self._open):
                conversation.hang_up()

    def enters(self, conversation: _Conversation) -> bool:
        """Whether one more may be held; with STARTTLS one begins a second time."""
        if conversation not in self._open and len(self._open) >= MOST_CONNECTIONS:
            return False
        self._open.add(conversation)
        return True

    def leaves(self, conversation: _Conversation) -> None:
        self._open.discard(conversation)

    @property
    def largest(self) -> int:
        return self._box.largest

    # what the protocol asks; the names are aiosmtpd's

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        refused = self._refused(address, session)
        if refused:
            self._on_mail(Posted(self._shown(envelope.mail_from or ""), self._shown(address), b"", refused))
            return refused
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        message = content if isinstance(content, bytes) else (content or "").encode("utf-8", "surrogateescape")
        begun = time.monotonic()
        found: list[Alert] = []
        receipts: Sequence[Receipt] = ()
        try:
            async with self._reading:
                letter = await asyncio.to_thread(mail.read, message, at=self._clock.now())
            said = self._read(letter, envelope, found)
            if found:
                receipts = await self._take(letter.message_id, found)
        except SignalError as exc:
            said = _reply(f"554 5.6.0 {exc}")
        except Unavailable:
            said = REFUSING
        to = ", ".join(dict.fromkeys(self._meant(address)[0] for address in envelope.rcpt_tos))
        raw = message.replace(self._box.token.encode(), b"[redacted]") if self._box.token else message
        took = time.monotonic() - begun
        self._on_mail(Posted(self._shown(envelope.mail_from or ""), to, raw, said, took, tuple(found), receipts))
        return said

    async def handle_exception(self, error: Exception) -> str:
        """What nobody expected is logged, and the sender keeps the mail. A sender that cannot do TLS is no news."""
        if isinstance(error, TLSSetupException):
            return NO_TLS
        logging.getLogger(__name__).error("mail not taken", exc_info=error)
        return BROKEN

    def _read(self, letter: Letter, envelope: Envelope, found: list[Alert]) -> str:
        """The reply to a mail once what it says, put into `found`, is durable."""
        asked = {self._meant(address)[0] for address in envelope.rcpt_tos}
        if letter.ours or letter.answers:
            return TAKEN  # a mail of our own that came back, or a machine's answer to one: no news of production
        if self._box.alerts in asked:
            found += mail.alerts(letter, resolved=self._box.resolved, labels=self._box.labels)
        if self._box.reports in asked and not letter.automatic and (envelope.mail_from or "").strip("<>"):
            if not self._trusted(envelope) and not self._restraint.allows(letter.sender, self._clock.now()):
                found.clear()
                return ENOUGH
            found.append(mail.report(letter, services=self._box.services))
        return TAKEN

    def _refused(self, address: str, session: Session) -> str:
        """Why nothing is taken for this address; empty when it is."""
        name, token, domain = self._meant(address)
        if self._box.domains and domain not in self._box.domains:
            return NOT_OURS
        right = bool(self._box.token) and hmac.compare_digest(
            token.encode("utf-8", "replace"), self._box.token.encode()
        )
        if name == self._box.alerts:
            if self._box.token:
                return "" if right else NOT_OURS
            return "" if _is_local(session.peer) else FROM_ELSEWHERE
        if name == self._box.reports:
            return "" if self._box.public_reports or right else NOT_OURS
        return NOT_OURS

    def _shown(self, address: str) -> str:
        """The address as people may read it: without what follows its "+", which may be a token."""
        local, at, domain = address.strip("<>").rpartition("@")
        return f"{local.partition('+')[0]}{at}{domain}"[:REPLY_LIMIT]

    def _trusted(self, envelope: Envelope) -> bool:
        """Whether the mail was sent with the token to any of our addresses."""
        tokens = [self._meant(address)[1] for address in envelope.rcpt_tos]
        own = self._box.token
        return bool(own) and any(hmac.compare_digest(t.encode("utf-8", "replace"), own.encode()) for t in tokens)

    def _meant(self, address: str) -> tuple[str, str, str]:
        """(name, token, domain); only the token's case counts."""
        local, _, domain = address.strip("<>").rpartition("@")
        name, _, token = local.strip('"').partition("+")
        return name.casefold(), token, domain.casefold()


class _Conversation(SMTP):
    """One connection."""

    def __init__(self, mailbox: Mailbox, context: ssl.SSLContext | None) -> None:
        super().__init__(
            mailbox,
            data_size_limit=mailbox.largest,
            enable_SMTPUTF8=True,
            hostname="tocsin",
            ident="Tocsin",
            tls_context=context,
            timeout=IDLE_SECONDS,
        )
        self._mailbox = mailbox

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._mailbox.enters(self):
            if isinstance(transport, asyncio.WriteTransport):
                transport.write(BUSY)
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._mailbox.leaves(self)
        if self.session is not None:
            super().connection_lost(error)

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()


def _context(box: Box) -> ssl.SSLContext | None:
    if box.certificate is None or box.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(box.certificate, box.key)
    return context


def _is_local(peer: object) -> bool:
    """Whether a program on this machine speaks: `peer` is what the socket says."""
    try:
        address = ip_address(str(peer[0])) if isinstance(peer, tuple) else None
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address is not None and (mapped or address).is_loopback


def _reply(said: str) -> str:
    """One line in ASCII, as SMTP's replies are."""
    return " ".join(said.encode("ascii", "replace").decode().split())[:REPLY_LIMIT]
