"""A mail server's address, and one conversation with it in a thread. Refuses to know what a mail says."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct

from tocsin.channels.text import one_line
from tocsin.engine.ports import DeliveryError

PORTS = {"smtp": 25, "smtps": 465}
GO_ON = 354
"""The answer to DATA: start mail input (RFC 5321 4.2.3)."""
REASON_LIMIT = 200


class SmtpServer(Struct, frozen=True):
    """Where mail is handed over. `implicit_tls` is smtps; `starttls` takes TLS when it is offered."""

    host: str
    port: int
    implicit_tls: bool = False
    starttls: bool = True
    verify: bool = True
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host!r}, {self.port})"


def smtp_server(url: str, *, password: str | None = None) -> SmtpServer:
    """The server of `smtp://user:password@host:587` or `smtps://...`; raises ValueError without showing the password.

    `?starttls=no` never asks for TLS on smtp://; `?verify=no` takes a certificate nobody vouches for. Both say no to
    something one should have, so there is no other value. In the address a password is percent-encoded, in `password`
    it stands as it is.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError("email: smtp is not an address such as smtp://user:password@mail.example.com:587") from exc
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("email: smtp must begin with smtp:// or smtps:// and name a host")
    refused = _refused(parts)
    return SmtpServer(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        implicit_tls=parts.scheme == "smtps",
        starttls="starttls" not in refused,
        verify="verify" not in refused,
        user=unquote(parts.username) if parts.username else None,
        password=password or (unquote(parts.password) if parts.password else None),
    )


def _refused(parts: SplitResult) -> frozenset[str]:
    given = parse_qsl(parts.query, keep_blank_values=True)
    for name, value in given:
        if name not in ("starttls", "verify") or value != "no":
            raise ValueError(f"email: smtp: ?{name}=... is unknown; there are starttls=no and verify=no")
    return frozenset(name for name, _ in given)


class Conversation:
    """How far it came: `said` is whether the whole mail may be with the server, whose answer has not come yet; `over`
    whether nobody waits for it any more."""

    def __init__(self) -> None:
        self.said = False
        self._client: _Plain | None = None
        self.over = False

    def begin(self, client: _Plain) -> None:
        """It is `client` who talks."""
        self._client = client

    def cut(self) -> None:
        """Ends it from another thread: whoever waits for the server stops waiting."""
        self.over = True
        sock = self._client.sock if self._client is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def hand_over(
    server: SmtpServer, mail: EmailMessage, *, helo: str, timeout: float, talk: Conversation | None = None
) -> None:  # fmt: skip
    """Returns once the server has taken the mail; raises DeliveryError. Blocks: call it in a thread.

    Answers 5xx are permanent, 4xx (greylisting) and the network are worth another try (RFC 5321 4.2.1). A connection
    lost once the text of the mail goes out leaves the outcome unknown (4.5.3.2.6: the server may have taken it).
    What goes wrong after the mail was taken is not told, so that it is not sent twice. `helo` is the name to say hello
    with: ours would have to be asked of the DNS, which may be what is down.
    """
    talk = talk or Conversation()
    try:
        client = _connected(server, helo, timeout, talk)
        try:
            _introduced(client, server)
            client.send_message(mail)
        finally:
            _part(client)
    except smtplib.SMTPRecipientsRefused as exc:
        code, said = next(iter(exc.recipients.values()))
        raise _answered("recipient refused", code, said) from exc
    except smtplib.SMTPResponseException as exc:
        raise _answered("refused", exc.smtp_code, exc.smtp_error) from exc
    except smtplib.SMTPNotSupportedError as exc:
        raise DeliveryError(f"email: {one_line(str(exc), limit=REASON_LIMIT)}", permanent=True) from exc
    except (smtplib.SMTPException, OSError) as exc:
        reason = one_line(str(exc) or type(exc).__name__, limit=REASON_LIMIT)
        raise DeliveryError(f"email: {server.host}: {reason}", uncertain=talk.said) from exc


class _Plain(smtplib.SMTP):
    """Marks when the text of the mail goes out. The server's answer to DATA itself is 354: nothing was said before."""

    def __init__(self, talk: Conversation, *args: Any, **named: Any) -> None:
        self.talk = talk
        talk.begin(self)
        super().__init__(*args, **named)

    def getreply(self) -> tuple[int, bytes]:
        if self.talk.over:
            self.close()
            raise smtplib.SMTPServerDisconnected("nobody waits for it any more")
        code, said = super().getreply()
        self.talk.said = code == GO_ON
        return code, said


class _Tls(_Plain, smtplib.SMTP_SSL):
    """The same, over TLS from the beginning."""


def _connected(server: SmtpServer, helo: str, timeout: float, talk: Conversation) -> _Plain:
    if server.implicit_tls:
        return _Tls(talk, server.host, server.port, helo, timeout=timeout, context=_tls(server))
    return _Plain(talk, server.host, server.port, helo, timeout=timeout)


def _introduced(client: smtplib.SMTP, server: SmtpServer) -> None:
    """Says hello, takes TLS when offered, signs in. A password goes over TLS or loopback, else nowhere."""
    client.ehlo_or_helo_if_needed()
    secure = server.implicit_tls
    if not secure and server.starttls and client.has_extn("starttls"):
        client.starttls(context=_tls(server))
        secure = True
    if server.user is None:
        return
    if not secure and not _is_loopback(server.host):
        raise DeliveryError(
            f"email: {server.host} offers no TLS and the password is not sent without: use smtps:// or another port",
            permanent=True,
        )
    client.login(server.user, server.password or "")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _part(client: smtplib.SMTP) -> None:
    with suppress(smtplib.SMTPException, OSError):
        client.quit()
    client.close()


def _tls(server: SmtpServer) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not server.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _answered(what: str, code: int, said: bytes | str) -> DeliveryError:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    reason = one_line(f"email: {what}: {code} {text}", limit=REASON_LIMIT)
    return DeliveryError(reason, permanent=500 <= code < 600)
