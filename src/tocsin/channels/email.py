"""Messages as e-mail. Refuses to decide what is sent; the conversation with the server is `smtp`'s."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from functools import partial
from html import escape

from tocsin.channels.smtp import Conversation, hand_over, smtp_server
from tocsin.channels.text import one_line
from tocsin.channels.wording import headline, said
from tocsin.engine.ports import DeliveryError, Message

TIMEOUT = 15.0
THREADS = 16
"""As many as a channel has hands, and of our own: a server that stalls keeps nobody else's work waiting."""
_BUTTON = "background:#b91c1c;color:#fff;padding:12px 24px;border-radius:6px;text-decoration:none;font-weight:bold"


class Email:
    """Mails a person, or `team` what concerns everybody. All mails of an incident are one thread.

    `smtp` is an address as `smtp_server` reads it, `password` goes above the one in it, `sender` is who they come from.
    Raises ValueError for an address that is none; no password shows in `repr`.
    """

    def __init__(
        self,
        smtp: str,
        *,
        sender: str,
        team: str | None = None,
        password: str | None = None,
        name: str = "email",
        timeout: float = TIMEOUT,
    ) -> None:
        self.name = name
        self._server = smtp_server(smtp, password=password)
        self._sender = address(sender, what="from")
        self._team = address(team, what="to") if team else None
        self._timeout = timeout
        self._threads: ThreadPoolExecutor | None = None

    def __repr__(self) -> str:
        return f"Email({self._server!r}, sender={self._sender.addr_spec!r})"

    def accepts(self, message: Message) -> bool:
        return bool(message.to.person.email) if message.to else self._team is not None

    async def deliver(self, message: Message) -> None:
        mail = composed(message, sender=self._sender, to=self._addressee(message), at=datetime.now(UTC))
        talk = Conversation()
        job = partial(
            hand_over, self._server, mail, helo=_domain(self._sender), timeout=self._timeout, talk=talk
        )  # fmt: skip
        try:
            self._threads = self._threads or ThreadPoolExecutor(THREADS, thread_name_prefix=f"tocsin-{self.name}")
            await asyncio.get_running_loop().run_in_executor(self._threads, job)
        except asyncio.CancelledError:
            talk.cut()  # else the thread would wait on, for a server that answers now and then
            raise

    async def close(self) -> None:
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    def _addressee(self, message: Message) -> Address:
        if message.to is None:
            if self._team is None:
                raise DeliveryError("email: there is no team address", permanent=True)
            return self._team
        person = message.to.person
        try:
            return address(person.email or "", what=f"address of {person.id}", shown=one_line(person.name))
        except ValueError as exc:
            raise DeliveryError(str(exc), permanent=True) from exc


def address(text: str, *, what: str, shown: str | None = None) -> Address:
    """The one address in `text`, `ana@example.com` or `Ana <ana@example.com>`; raises ValueError naming `what`."""
    given = getaddresses([text])
    try:
        name, spec = given[0]
        found = Address(display_name=one_line(shown or name), addr_spec=spec)
        _domain(found)
    except (ValueError, IndexError, HeaderParseError) as exc:
        raise ValueError(f"email: {what} is not an e-mail address") from exc
    if not found.username or not found.domain or len(given) != 1 or "\n" in text or "\r" in text:
        raise ValueError(f"email: {what} is not an e-mail address")
    return found


def composed(message: Message, *, sender: Address, to: Address, at: datetime) -> EmailMessage:
    """The mail as it goes out at `at`.

    The Message-ID follows from the idempotency key, so that a mail sent twice is one to who looks (RFC 5322 3.6.4).
    Every mail of an incident answers the same mail, which was never sent: that makes them one thread.
    Auto-Submitted (RFC 3834) keeps holiday notices away.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = headline(message)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{_digest(message.idempotency_key)}@{_domain(sender)}>"
    root = f"<incident-{_digest(message.incident.id)}@{_domain(sender)}>"
    mail["In-Reply-To"] = root
    mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Tocsin-Idempotency-Key"] = one_line(message.idempotency_key)
    if message.kind == "page":
        mail["Importance"] = "high"
        mail["X-Priority"] = "1"
    mail.set_content(_plain(message), cte="quoted-printable")
    mail.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    return mail


def _plain(message: Message) -> str:
    lines = ["(This may have been sent before.)", ""] if message.possible_duplicate else []
    lines += [said(message), ""]
    if message.acknowledge_url:
        lines.append(f"Acknowledge: {one_line(message.acknowledge_url, limit=2000)}")
    if message.approve_url:
        lines.append(f"Approve or reject: {one_line(message.approve_url, limit=2000)}")
    lines.append(f"Incident: {one_line(message.incident.link, limit=2000)}")
    return "\n".join(lines) + "\n"


def _html(message: Message) -> str:
    again = "<p><em>This may have been sent before.</em></p>" if message.possible_duplicate else ""
    button = ""
    if message.kind == "page" and _is_web(message.acknowledge_url):
        url = escape(message.acknowledge_url or "")
        button = f'<p style="margin:24px 0"><a href="{url}" style="{_BUTTON}">Acknowledge</a></p>'
    if _is_web(message.approve_url):
        url = escape(message.approve_url or "")
        button += f'<p style="margin:24px 0"><a href="{url}" style="{_BUTTON}">Approve or reject</a></p>'
    link = escape(message.incident.link) if _is_web(message.incident.link) else ""
    footer = f'<p><a href="{link}">Open incident #{message.incident.number}</a></p>' if link else ""
    return (
        '<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif">'
        f"<h2>{escape(headline(message))}</h2>{again}"
        f'<div style="white-space:pre-wrap">{escape(said(message))}</div>{button}{footer}</body></html>\n'
    )


def _is_web(url: str | None) -> bool:
    return (url or "").startswith(("https://", "http://"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _domain(sender: Address) -> str:
    """The sender's domain in ASCII: a Message-ID takes nothing else."""
    return sender.domain.encode("idna").decode("ascii")
