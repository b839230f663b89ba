"""Syslog over UDP and TCP, in the forms that programs really write."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening import running, until

from tocsin.signals.errors import SourceError
from tocsin.signals.syslog import LONGEST_FRAME, Message, SyslogLines, SyslogServer, parse


@pytest.mark.parametrize(
    ("datagram", "message"),
    [
        (
            b'<165>1 2026-11-23T08:00:00.003Z web-1 nginx 8710 ID47 [x@1 a="b\\]" c="d"][y@2] upstream timed out',
            Message("upstream timed out", "nginx", "web-1", "8710", 5),
        ),
        (b"<34>1 2026-11-23T08:00:00Z web-1 su - - - \xef\xbb\xbffailed", Message("failed", "su", "web-1", "", 2)),
        (b"<11>Nov 23 08:00:00 web-1 cart[42]: no price", Message("no price", "cart", "web-1", "42", 3)),
        (b"<11>Nov  3 08:00:00 web-1 cart: no price\n", Message("no price", "cart", "web-1", "", 3)),
        (b"<13>cart[42]: no price", Message("no price", "cart", "", "42", 5)),
        (b"no form at all", Message("no form at all")),
        (b"\xff\xfe\x00", Message("\ufffd\ufffd")),
    ],
)
def test_messages_are_read_in_both_forms(datagram: bytes, message: Message) -> None:
    assert parse(datagram) == message


@given(
    st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: b"<11>1 2026-11-23T08:00:00Z h a - - [" + rest)
)
def test_no_datagram_whatever_does_harm(datagram: bytes) -> None:
    assert "\x00" not in parse(datagram).text


async def read(lines: SyslogLines, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += await lines.more()
    return found


async def test_udp_and_both_framings_of_tcp_are_heard() -> None:
    server = SyslogServer("127.0.0.1", 0)
    lines = server.lines()
    async with running(server.run()):
        await until(lambda: server.trouble is None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(b"<11>cart: one", ("127.0.0.1", server.port))
        assert await read(lines, 1) == ["one"]
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"<11>cart: two\n11 <11>cart: 3<11>cart: four\n")
        writer.write_eof()
        assert await read(lines, 3) == ["two", "3", "four"]
        writer.close()


async def test_each_listener_hears_its_own_program() -> None:
    server = SyslogServer("127.0.0.1", 0)
    server.trouble = None
    own, every = server.lines("cart"), server.lines(mark=True)
    for name in (b"cart", b"mail"):
        server.heard(b"<11>Nov 23 08:00:00 web-1 " + name + b"[7]: hello")
    assert await own.more() == ["hello"]
    assert await every.more() == ["[stream/web-1/cart/7] hello", "[stream/web-1/mail/7] hello"]


async def test_a_length_that_nobody_sends_ends_that_connection_alone() -> None:
    server = SyslogServer("127.0.0.1", 0)
    lines = server.lines()
    async with running(server.run()):
        await until(lambda: server.trouble is None)
        for garbage in (f"{LONGEST_FRAME + 1} x", "12345678 x", "1x "):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(garbage.encode())
            assert await reader.read() == b""
            writer.close()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"<11>cart: still here\n")
        assert await read(lines, 1) == ["still here"]
        writer.close()


async def test_an_address_that_is_taken_is_trouble_and_no_end() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = SyslogServer("127.0.0.1", taken.getsockname()[1])
        lines = server.lines()
        async with running(server.run()) as task:
            await until(lambda: "cannot listen" in (server.trouble or ""))
            with pytest.raises(SourceError, match="cannot listen on"):
                await lines.more()
            assert not task.done()


async def test_lines_that_had_to_be_dropped_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.signals.syslog.MOST_WAITING", 2)
    server = SyslogServer("127.0.0.1", 0)
    server.trouble = None
    lines = server.lines()
    for n in range(3):
        server.heard(b"<11>cart: %d" % n)
    with pytest.raises(SourceError, match="passed over"):
        await lines.more()
    assert await lines.more() == ["0", "1"]
