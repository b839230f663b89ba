"""Lines of text as they are written: a file followed through rotation, or a command's output. Refuses to read meaning.

`more` returns about once every poll even when there is nothing new, so that its caller sees time go by.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from tocsin.signals.errors import SourceError
from tocsin.signals.watching import backoff

LINE_LIMIT = 8192
"""Bytes of a line that are looked at: bounds what a slow pattern can cost."""

CHUNK = 64 * 1024
COMPLAINT_LIMIT = 300
GRACE = 2.0
POLL = timedelta(seconds=0.5)
FIRST_RESTART = timedelta(seconds=1)
LONGEST_RESTART = timedelta(seconds=60)


class Lines(Protocol):
    async def more(self) -> list[str]:
        """The lines since the last call, empty when there were none; raises SourceError when it cannot read."""
        ...

    async def close(self) -> None: ...


_MARK = re.compile(r"^\[(?P<stream>(?:pod|stream)/[^\]\s]{1,300})\] ?")


def marked(stream: str, line: str) -> str:
    """The line with its stream before it, as `kubectl logs --prefix` writes it."""
    return f"[stream/{re.sub(r'[^!-Z^-~]+', '_', stream)[:200] or '-'}] {line}"


def unmarked(line: str) -> tuple[str, str]:
    """(stream, line) of a line that is marked with its stream; ("", line) of any other."""
    mark = _MARK.match(line)
    return (mark["stream"], line[mark.end() :]) if mark else ("", line)


class Splitter:
    """Bytes in, whole lines out; the rest waits for its end. What goes past LINE_LIMIT of a line is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:LINE_LIMIT]
        return [_as_text(line) for line in whole]

    def drop(self) -> list[str]:
        """The unfinished line, as a last one, when its source has ended."""
        rest, self._rest = self._rest, b""
        return [_as_text(rest)] if rest else []


class FileTail:
    """A file followed: `read` gives what was written since, through rotation by rename and truncation in place.

    A file that exists at the start is read from its end, one that appears later from its beginning. A file that was
    truncated and had grown past the old place again between two reads cannot be told from one that only grew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._splitter = Splitter()
        self._first = True

    def read(self) -> list[str]:
        """At most a few chunks of new lines; raises OSError when there is no file to read."""
        if self._file is None:
            self._open()
        lines = self._more()
        if not lines and self._replaced():
            lines = self._more() + self._splitter.drop()
            self.close()
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _open(self) -> None:
        first, self._first = self._first, False
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        self._file = self._path.open("rb", buffering=0)
        if first:
            self._file.seek(0, os.SEEK_END)

    def _more(self) -> list[str]:
        file = self._file
        if file is None:
            return []
        if os.fstat(file.fileno()).st_size < file.tell():
            self._splitter = Splitter()
            file.seek(0)
        return self._splitter.feed(file.read(CHUNK))

    def _replaced(self) -> bool:
        """Whether the path names another file by now. While it names none, the writer may still hold ours."""
        if self._file is None:
            return False
        ours = os.fstat(self._file.fileno())
        try:
            theirs = self._path.stat()
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino)


class FileLines:
    """The lines of a followed file; one that is missing or may not be read is waited for."""

    def __init__(self, path: Path, *, poll: timedelta = POLL) -> None:
        self._path = path
        self._poll = poll.total_seconds()
        self._tail = FileTail(path)

    async def more(self) -> list[str]:
        try:
            lines = await asyncio.to_thread(self._tail.read)
        except OSError as exc:
            await asyncio.sleep(self._poll)
            raise SourceError(f"cannot read {self._path}: {exc.strerror or exc}") from exc
        if not lines:
            await asyncio.sleep(self._poll)
        return lines

    async def close(self) -> None:
        self._tail.close()


class CommandLines:
    """The lines a command writes to standard output; started again, with growing pauses, whenever it ends.

    The command runs in a process group of its own, without input; the whole group is killed by `close`. One that
    depends on when it is started is given as a function. `environment` is added to ours.
    """

    def __init__(
        self,
        command: Sequence[str] | Callable[[], Sequence[str]],
        *,
        poll: timedelta = POLL,
        first_restart: timedelta = FIRST_RESTART,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command if callable(command) else partial(tuple, tuple(command))
        self._environment = environment
        self._poll = poll.total_seconds()
        self._first_restart = first_restart
        self._pauses = backoff(first_restart, LONGEST_RESTART)
        self._splitter = Splitter()
        self._running: _Running | None = None
        self._start_at = 0.0
        self._reason = self._program = ""

    async def more(self) -> list[str]:
        running = self._running or await self._start()
        try:
            # not wait_for: in Python 3.11 it can lose a cancel that comes with the data
            async with asyncio.timeout(self._poll):
                data = await running.stdout.read(CHUNK)
        except TimeoutError:
            return []
        if data:
            return self._splitter.feed(data)
        lines = self._splitter.drop()
        await self._ended(running)
        return lines

    async def close(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.stop()

    async def _start(self) -> _Running:
        now = asyncio.get_running_loop().time()
        if now < self._start_at:
            await asyncio.sleep(min(self._poll, self._start_at - now))
            raise SourceError(self._reason)
        command = self._command()
        self._program = command[0]
        try:
            self._running = await _Running.start(command, self._environment)
        except (OSError, ValueError) as exc:
            self._wait_because(f"cannot start {self._program}: {getattr(exc, 'strerror', None) or exc}")
            raise SourceError(self._reason) from exc
        return self._running

    async def _ended(self, running: _Running) -> None:
        await self.close()
        if asyncio.get_running_loop().time() - running.began >= LONGEST_RESTART.total_seconds():
            self._pauses = backoff(self._first_restart, LONGEST_RESTART)
        self._wait_because(f"{self._program} {running.epitaph()}")

    def _wait_because(self, reason: str) -> None:
        self._reason = reason
        self._start_at = asyncio.get_running_loop().time() + next(self._pauses).total_seconds()


async def said_by(
    command: Sequence[str], environment: Mapping[str, str] | None, patience: timedelta
) -> tuple[int, str, str]:  # fmt: skip
    """(exit code, output, last line of its complaint) of a command that ends by itself.

    Raises OSError when there is no such program, TimeoutError when it does not end; it is killed then.
    """
    running = await _Running.start(command, environment)
    try:
        async with asyncio.timeout(patience.total_seconds()):
            printed = await running.stdout.read()
            return await running.end(), printed.decode("utf-8", "replace"), running.complaint
    finally:
        await running.stop()


class _Running:
    """One process and its group; `began` is in the loop's seconds."""

    def __init__(self, process: asyncio.subprocess.Process, stdout: asyncio.StreamReader, began: float) -> None:
        self._process = process
        self._complaint = b""
        self._listener = asyncio.create_task(self._listen())
        self.stdout = stdout
        self.began = began

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str] | None = None) -> _Running:
        """Raises OSError when there is no such program, ValueError for an argument no program can take."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=os.environ | environment if environment else None,
        )
        stdout = process.stdout or asyncio.StreamReader()
        return cls(process, stdout, asyncio.get_running_loop().time())

    async def stop(self) -> None:
        """Kills what is left of the group. Following has nothing to finish, so nobody is asked politely."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._process.wait()
                await self._listener

    async def end(self) -> int:
        """The exit code, once it has ended by itself."""
        await self._listener
        return await self._process.wait()

    @property
    def complaint(self) -> str:
        """The last line it wrote to standard error."""
        return _as_text(self._complaint.strip().rsplit(b"\n", 1)[-1])

    def epitaph(self) -> str:
        """How it ended, with its complaint."""
        said = self.complaint
        return f"ended with exit code {self._process.returncode}" + (f": {said}" if said else "")

    async def _listen(self) -> None:
        while self._process.stderr is not None and (data := await self._process.stderr.read(CHUNK)):
            self._complaint = (self._complaint + data)[-COMPLAINT_LIMIT:]


def _as_text(line: bytes) -> str:
    return line[:LINE_LIMIT].decode("utf-8", "replace").rstrip("\r").replace("\x00", "\ufffd")
