"""Syslog heard over UDP and TCP: RFC 5424, and RFC 3164 as programs really write it. Refuses to read meaning.

Framing over TCP is RFC 6587's: a length before each message, or one message a line.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct

from tocsin.signals.errors import SourceError
from tocsin.signals.lines import LINE_LIMIT, POLL, marked
from tocsin.signals.watching import backoff

MOST_WAITING = 20_000
"""Lines that wait to be looked at; further ones are dropped, and that is said."""
MOST_CONNECTIONS = 200
LONGEST_FRAME = 64 * 1024
EVERY_PROGRAM = "*"

_PRI = re.compile(rb"<(\d{1,3})>")
_5424 = re.compile(
    r"1 (?P<at>\S{1,48}) (?P<host>\S{1,255}) (?P<app>\S{1,128}) (?P<proc>\S{1,128}) \S{1,64} (?P<rest>.*)", re.DOTALL
)
_3164 = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?P<host>\S{1,255}) (?P<rest>.*)", re.DOTALL)
_TAG = re.compile(r"(?P<app>[^\s:\[]{1,64})(?:\[(?P<proc>[^\]]{0,32})\])?: ?")
_ELEMENT = re.compile(r'\[[^\s\]"=]{1,64}(?: [^\s\]"=]{1,64}="(?:[^"\\\]]|\\.){0,4000}")*\]')


class Message(Struct, frozen=True):
    """One message. `severity` is 0 (emergency) to 7 (debug), 5 when it says none; `process` is as sent, maybe empty."""

    text: str
    app: str = ""
    host: str = ""
    process: str = ""
    severity: int = 5


def parse(datagram: bytes) -> Message:
    """The message of one datagram or frame; whatever has no known form is all text."""
    mark = _PRI.match(datagram[:5])
    severity = int(mark[1]) % 8 if mark else 5
    text = datagram[mark.end() if mark else 0 :][: LINE_LIMIT * 2].decode("utf-8", "replace").strip("\r\n\x00 ")
    if found := _5424.fullmatch(text):
        said = _without_elements(found["rest"])
        return Message(_clean(said), _word(found["app"]), _word(found["host"]), _word(found["proc"]), severity)
    host = ""
    if found := _3164.fullmatch(text):
        host, text = found["host"], found["rest"]
    tag = _TAG.match(text) if mark else None
    if tag is None:
        return Message(_clean(text), host=host, severity=severity)
    return Message(_clean(text[tag.end() :]), tag["app"], host, tag["proc"] or "", severity)


class SyslogServer:
    """Listens on one address, UDP and TCP; `lines` gives what one program says. Runs until cancelled."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._readers: list[SyslogLines] = []
        self._connections: set[asyncio.Task[None]] = set()
        self.trouble: str | None = "syslog is not listened to yet"
        self.port = port
        """The port that is listened on: another than asked for when that was 0."""

    def lines(self, app: str = EVERY_PROGRAM, *, mark: bool = False) -> SyslogLines:
        """What programs of that name say from now on; with `mark` each line carries its stream before it."""
        reader = SyslogLines(self, app, mark=mark)
        self._readers.append(reader)
        return reader

    async def run(self) -> None:
        """Listens until cancelled; an address that cannot be had is asked for again and again."""
        pauses = backoff(timedelta(seconds=1), timedelta(seconds=30))
        while True:
            try:
                await self._listen()
            except OSError as exc:
                self.trouble = f"cannot listen on {self._host}:{self._port}: {exc.strerror or exc}"
                await asyncio.sleep(next(pauses).total_seconds())

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, self._host, self._port, limit=LONGEST_FRAME)
        try:
            self.port = int(server.sockets[0].getsockname()[1])
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(self._host, self.port)
            )
            try:
                self.trouble = None
                await asyncio.Event().wait()
            finally:
                transport.close()
        finally:
            self.trouble = "syslog is not listened to any more"
            server.close()
            for connection in tuple(self._connections):
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= MOST_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            while frame := await _frame(reader):
                self.heard(frame)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return  # what is no frame any more cannot be found the beginning of the next one in
        finally:
            self._connections.discard(task)
            writer.close()

    def heard(self, datagram: bytes) -> None:
        """Hands one message to those who listen for its program."""
        if datagram.strip(b"\r\n\x00 "):
            message = parse(datagram)
            for reader in self._readers:
                reader.hear(message)


class SyslogLines:
    """The text of each message of one program, or of all."""

    def __init__(self, server: SyslogServer, app: str, *, mark: bool) -> None:
        self._server = server
        self._app = app
        self._mark = mark
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._came = asyncio.Event()

    def hear(self, message: Message) -> None:
        if self._app not in (EVERY_PROGRAM, message.app):
            return
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
            return
        stream = "/".join(part for part in (message.host, message.app, message.process) if part)
        self._waiting.append(marked(stream, message.text) if self._mark else message.text)
        self._came.set()

    async def more(self) -> list[str]:
        """The lines since the last call; raises SourceError while nobody listens, and when lines had to be dropped."""
        if self._server.trouble and not self._waiting:
            await asyncio.sleep(POLL.total_seconds())
            if self._server.trouble:
                raise SourceError(self._server.trouble)
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL.total_seconds()):
                await self._came.wait()
        self._came.clear()
        if self._dropped:
            self._dropped = 0
            raise SourceError("more syslog came than could be looked at: some lines were passed over")
        found = list(self._waiting)
        self._waiting.clear()
        return found

    async def close(self) -> None:
        self._waiting.clear()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: SyslogServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._server.heard(data)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The next message; empty at the end. Raises ValueError for a length that nobody sends."""
    first = await reader.read(1)
    if not first.isdigit():
        return first + await _line(reader) if first.strip() else first
    length = first
    while (byte := await reader.readexactly(1)) != b" ":
        length += byte
        if not byte.isdigit() or len(length) > 6:
            raise ValueError("no length of a message")
    if int(length) > LONGEST_FRAME:
        raise ValueError("a message longer than anybody needs")
    return await reader.readexactly(int(length))


async def _line(reader: asyncio.StreamReader) -> bytes:
    """To the end of the line, or of the connection."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as exc:
        return exc.partial


def _without_elements(rest: str) -> str:
    """What follows the structured data, which is `-` or elements in brackets."""
    if rest.startswith("-"):
        return rest[1:].lstrip(" ")
    at = 0
    while element := _ELEMENT.match(rest, at):
        at = element.end()
    return rest[at:].lstrip(" ")


def _clean(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\x00", "\ufffd")[:LINE_LIMIT]


def _word(given: str) -> str:
    return "" if given == "-" else given
