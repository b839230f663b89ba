"""Ports, certificates and names, asked for real on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
from certificates import certified
from silent import serving

from tocsin.signals.reaching import NotReached, certificate_holds, name_server, opens, resolves

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
WEEK = timedelta(days=7)


async def test_an_open_port_opens_and_a_closed_one_does_not() -> None:
    with serving() as port:
        await opens("127.0.0.1", port)
    with pytest.raises(NotReached):
        await opens("127.0.0.1", port)


@pytest.mark.parametrize(("left", "said"), [(WEEK, "expires in 7 days"), (timedelta(hours=-1), "expires already")])
async def test_a_certificate_that_ends_too_soon_is_refused(tmp_path: Path, left: timedelta, said: str) -> None:
    with serving(certified(tmp_path, ends=NOW + left)) as port, pytest.raises(NotReached, match=said):
        await certificate_holds("127.0.0.1", port, within=WEEK, now=NOW, verify=False)


async def test_a_certificate_that_lasts_a_second_longer_holds(tmp_path: Path) -> None:
    with serving(certified(tmp_path, ends=NOW + WEEK + timedelta(seconds=1))) as port:
        await certificate_holds("127.0.0.1", port, within=WEEK, now=NOW, verify=False)


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(NotReached, match="its certificate is refused: self-signed certificate")
    with serving(certified(tmp_path, ends=NOW + timedelta(days=900))) as port, refused:
        await certificate_holds("127.0.0.1", port, within=WEEK, now=NOW)


async def test_what_speaks_no_tls_is_refused() -> None:
    with serving() as port, pytest.raises(NotReached):
        await certificate_holds("127.0.0.1", port, within=WEEK, now=NOW)


class _Names(asyncio.DatagramProtocol):
    """A name server that knows shop.example, and answers nothing for silent.example."""

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = dns.message.from_wire(data)
        (question,) = asked.question
        answer = dns.message.make_response(asked)
        name = question.name.to_text()
        if name == "shop.example.":
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.1", "192.0.2.2"))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if name != "silent.example.":
            self._transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def server() -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Names, local_addr=("127.0.0.1", 0))
    yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


async def test_a_name_with_the_expected_addresses_resolves(server: str) -> None:
    await resolves("shop.example", "A", expect=("192.0.2.2",), server=server, seconds=5)


@pytest.mark.parametrize(
    ("name", "expect", "said"),
    [
        ("gone.example", (), "there is no such name"),
        ("shop.example", ("192.0.2.9",), r"answered 192.0.2.1, 192.0.2.2 without 192.0.2.9"),
        ("silent.example", (), "no answer within 0.05 s"),
    ],
)
async def test_a_name_that_is_not_as_expected_is_refused(
    server: str, name: str, expect: tuple[str, ...], said: str
) -> None:
    with pytest.raises(NotReached, match=said):
        await resolves(name, "A", expect=expect, server=server, seconds=0.05 if "silent" in name else 5)


async def test_a_server_that_does_not_answer_is_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(NotReached):
        await resolves("shop.example", "A", expect=(), server=f"127.0.0.1:{port}", seconds=0.1)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5", ("::1", 5)),
    ],
)
def test_a_name_server_is_an_address_with_a_port_or_without(given: str, found: tuple[str, int]) -> None:
    assert name_server(given) == found


@pytest.mark.parametrize("given", ["dns.example", "192.0.2.1:x", "192.0.2.1:0", "192.0.2.1:65536"])
def test_anything_else_is_no_name_server(given: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        name_server(given)
