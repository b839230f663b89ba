"""Whether a port opens, a certificate holds, a name resolves: why not, in one line. Refuses to ask more than once."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.resolver
from cryptography import x509

RECORDS = ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")
DNS_PORT = 53


class NotReached(Exception):
    """`reason` is one line for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def opens(host: str, port: int) -> None:
    """Returns when a TCP connection can be made; raises NotReached."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as exc:
        raise NotReached(_said(exc)) from exc
    writer.transport.abort()


async def certificate_holds(
    host: str, port: int, *, within: timedelta, now: datetime, verify: bool = True
) -> None:  # fmt: skip
    """Returns when the server's certificate is good and does not expire `within`, inclusive; raises NotReached.

    With `verify` its chain and its name are checked as a browser would.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError as exc:
        raise NotReached(f"its certificate is refused: {exc.verify_message}") from exc
    except OSError as exc:
        raise NotReached(_said(exc)) from exc
    given = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    try:
        ends = x509.load_der_x509_certificate(given or b"").not_valid_after_utc
    except ValueError as exc:
        raise NotReached("its certificate cannot be read") from exc
    if ends - now <= within:
        days = (ends - now) // timedelta(days=1)
        when = f"in {days} days" if ends > now else "already"
        raise NotReached(f"its certificate expires {when}, on {ends:%Y-%m-%d %H:%M} UTC")


async def resolves(name: str, record: str, *, expect: Sequence[str], server: str, seconds: float) -> None:
    """Returns when the name has such a record, every one of `expect` among them; raises NotReached.

    `server` is `ADDRESS` or `ADDRESS:PORT` of a name server; empty asks those of this machine.
    """
    try:
        answer = await _resolver(server).resolve(name, record, lifetime=seconds, search=False)
    except dns.resolver.NXDOMAIN as exc:
        raise NotReached("there is no such name") from exc
    except dns.resolver.NoAnswer as exc:
        raise NotReached(f"the name has no {record} record") from exc
    except dns.exception.Timeout as exc:
        raise NotReached(f"no answer within {seconds:g} s") from exc
    except (dns.exception.DNSException, OSError) as exc:
        raise NotReached(" ".join(str(exc).split()) or type(exc).__name__) from exc
    found = {_plain(item.to_text()) for item in answer}
    missing = [wanted for wanted in expect if _plain(wanted) not in found]
    if missing:
        raise NotReached(f"answered {', '.join(sorted(found))} without {', '.join(missing)}")


def name_server(server: str) -> tuple[str, int]:
    """(address, port) of `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; raises ValueError for anything else."""
    host, mark, port = server.rpartition(":")
    if not mark or "]" in port or (server.count(":") > 1 and not server.startswith("[")):
        host, port = server, str(DNS_PORT)
    address = str(ip_address(host.strip("[]")))
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"there is no port {port}")
    return address, int(port)


def _resolver(server: str) -> dns.asyncresolver.Resolver:
    if not server:
        return dns.asyncresolver.Resolver()
    resolver = dns.asyncresolver.Resolver(configure=False)
    address, resolver.port = name_server(server)
    resolver.nameservers = [address]
    return resolver


def _plain(answer: str) -> str:
    return answer.strip('"').rstrip(".").casefold()


def _said(exc: OSError) -> str:
    """In the system's words; asyncio's own name the address, which the alert does already."""
    if isinstance(exc, ConnectionError | TimeoutError) and exc.errno:
        return os.strerror(exc.errno)
    return exc.strerror or str(exc) or type(exc).__name__
