"""Records kept in local files while a database refuses: appended durably, read back in order, each one checked.

    folder/lock                one process a spool
    folder/00000001.spool      a segment: one line that names the spool, then records; the newest is appended to
    folder/set-aside.spool     records that could not be taken in, kept for a person

A record is `MARK`, the length of its payload, how many things it holds, the CRC-32 of these and the payload, and the
payload. That is UTF-8 and `MARK` is not, so no payload can hold it, and a damaged record costs itself alone. What a
kill left half written was never answered for and is cut off at the next opening. Knows nothing of what it keeps.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog
from msgspec import Struct

from tocsin.store.errors import StoreError, StoreUnavailable

log = structlog.get_logger()
MARK = b"\xf0TSP"
SEGMENT_BYTES = 8 * 2**20
SET_ASIDE = "set-aside.spool"
_HEAD = struct.Struct(">III")
_NAME = re.compile(r"([0-9]{8})\.spool")
_TITLE = re.compile(rb"tocsin spool 1 ([0-9a-f]{16})\n")


class SpoolError(StoreError):
    """The spool cannot be opened; `str()` is one sentence with the remedy."""


class SpoolUnavailable(SpoolError, StoreUnavailable):
    """What was to be appended is not kept: the disk refuses."""


class SpoolFull(SpoolUnavailable):
    """It holds as much as it may."""


class Position(Struct, frozen=True, order=True):
    """How far a reader came: everything before `offset` of `segment`, and in the segments before it."""

    segment: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        segment, _, offset = text.partition(":")
        return cls(int(segment), int(offset))


class Record(Struct, frozen=True):
    """What was appended, how many things it holds, and where it ends."""

    payload: bytes
    count: int
    end: Position


class Spool:
    """Safe to use from several threads. Everything that `append` returned from survives kill -9 and loss of power."""

    def __init__(self, folder: Path, *, limit: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Opens or makes the spool; `limit` is the most bytes it may hold. Raises SpoolError."""
        self.folder = folder
        self.limit = limit
        self._segment_bytes = segment_bytes
        self._mutex = threading.Lock()
        self._sizes: dict[int, int] = {}
        self._file: int | None = None
        self._closed = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._locked()
            self.id = self._open()
            self._drained = Position(min(self._sizes))
            self._waiting = self._count()
        except OSError as exc:
            raise SpoolError(f"spool {folder}: {exc.strerror}: let Tocsin's user write there") from exc

    @property
    def waiting(self) -> int:
        """How many things wait to be drained."""
        return self._waiting

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._sizes.values())

    def append(self, payloads: Sequence[tuple[bytes, int]]) -> None:
        """Keeps each (UTF-8 payload, how many things it holds), all of them or none; durable when it returns.

        Raises SpoolFull, or SpoolUnavailable when the disk refuses.
        """
        blob = b"".join(_record(payload, count) for payload, count in payloads)
        with self._mutex:
            if self.size + len(blob) > self.limit:
                raise SpoolFull(f"the spool is full: {self._waiting} alerts wait in {self.size:,} bytes")
            try:
                self._write(blob)
            except OSError as exc:
                raise SpoolUnavailable(f"the spool cannot be written: {exc.strerror}") from exc
            self._waiting += sum(count for _, count in payloads)

    def read(self, most_bytes: int = 2**20) -> list[Record]:
        """The records after the last drained one, in order, at least one and about `most_bytes`; empty when none."""
        with self._mutex:
            for segment in sorted(self._sizes):
                start = self._drained.offset if segment == self._drained.segment else 0
                if segment < self._drained.segment or start >= self._sizes[segment]:
                    continue
                if found := list(self._records(segment, start, most_bytes)):
                    return found
            if self._waiting:
                self._give_up()
        return []

    def drained(self, records: Sequence[Record]) -> None:
        """Forgets these, the next in order: a segment is deleted once nothing of it waits."""
        with self._mutex:
            self._waiting -= sum(record.count for record in records)
            self._move(records[-1].end)

    def resume(self, drained: str) -> None:
        """Forgets what an earlier process drained before it ended: `drained` is the text of the last record's end."""
        with self._mutex:
            position = Position.parse(drained)
            if position > self._drained:
                self._move(position)
                self._waiting = self._count()

    def _give_up(self) -> None:
        """Something waits, and it cannot be read: it was damaged while it lay there."""
        log.error("spool_damaged", folder=str(self.folder), lost=self._waiting)
        self._waiting = 0
        self._move(Position(max(self._sizes), self._sizes[max(self._sizes)]))

    def _move(self, to: Position) -> None:
        last = max(self._sizes)
        end = Position(last, self._sizes[last])
        if to > end or (to == end and end.offset > len(self._title)):
            self._begin(to.segment + 1)  # above every position that was ever told: what comes now stands after it
        self._drained = max(self._drained, to)
        last = max(self._sizes)
        gone = [n for n, size in self._sizes.items() if n != last and Position(n, size) <= to]
        for segment in gone:
            self._path(segment).unlink(missing_ok=True)
            del self._sizes[segment]
        if gone:
            _sync_folder(self.folder)

    def set_aside(self, record: Record) -> None:
        """Keeps a record that cannot be taken in beside the others, for a person; durable when it returns."""
        with (self.folder / SET_ASIDE).open("ab") as file:
            file.write(_record(record.payload, record.count))
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            if self._file is not None:
                os.close(self._file)
            os.close(self._lock)

    def _locked(self) -> int:
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise SpoolError(
                f"spool {self.folder}: another tocsin uses it: give each server a spool of its own"
            ) from None
        return lock

    def _open(self) -> str:
        """The spool's id. Sizes of the segments are known then; the newest is open and ends with a whole record."""
        found = sorted(int(m[1]) for p in self.folder.iterdir() if (m := _NAME.fullmatch(p.name)))
        titles = [_first_line(self._path(segment)) for segment in found]
        named = next((title[1].decode() for t in titles if (title := _TITLE.fullmatch(t))), None)
        id_ = named or secrets.token_hex(8)
        self._title = f"tocsin spool 1 {id_}\n".encode()
        self._sizes = {segment: self._path(segment).stat().st_size for segment in found}
        if found and _TITLE.fullmatch(titles[-1]):
            self._cut(found[-1])
        else:  # a kill came before the newest one's first line was whole: nothing was ever kept in it
            self._begin(found[-1] if found else 1)
        return id_

    def _begin(self, segment: int) -> None:
        """A new, empty segment; durable before anything is appended to it."""
        if self._file is not None:
            os.close(self._file)
        self._file = os.open(self._path(segment), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        _write_all(self._file, self._title)
        os.fsync(self._file)
        _sync_folder(self.folder)
        self._sizes[segment] = len(self._title)

    def _cut(self, segment: int) -> None:
        """Opens the newest segment, and cuts off what a kill left half written."""
        self._file = os.open(self._path(segment), os.O_RDWR)
        data = self._path(segment).read_bytes()
        end = max((at for at, _, _ in _parsed(data)), default=len(self._title))
        if end < len(data):
            log.warning("spool_tail_cut", segment=segment, bytes=len(data) - end)
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        os.lseek(self._file, end, os.SEEK_SET)
        self._sizes[segment] = end

    def _write(self, blob: bytes) -> None:
        last = max(self._sizes)
        if self._closed:
            raise OSError(errno.EBADF, "it is closed")
        full = len(self._title) < self._sizes[last] > self._segment_bytes - len(blob)
        if self._file is None or full:
            last += 1
            self._begin(last)
        file = self._file
        if file is None:
            raise OSError(errno.EBADF, "it is closed")
        try:
            _write_all(file, blob)
            os.fdatasync(file)
        except OSError:
            self._undo(file, last)
            raise
        self._sizes[last] += len(blob)

    def _undo(self, file: int, segment: int) -> None:
        """After a write that failed half-way: what it left must not stand before what is appended later.

        The next append begins a new segment: after a failed sync nobody knows what of this one is on the disk.
        """
        try:
            os.ftruncate(file, self._sizes[segment])
        except OSError as exc:
            log.error("spool_not_cut", segment=segment, reason=exc.strerror)
        os.close(file)
        self._file = None

    def _records(self, segment: int, start: int, most: int) -> Iterator[Record]:
        """At least one record of the segment from `start` on, unless there is none."""
        size = self._sizes[segment]
        while True:
            with self._path(segment).open("rb") as file:
                file.seek(start)
                data = file.read(min(most, size - start))
            found = [Record(payload, count, Position(segment, start + end)) for end, count, payload in _parsed(data)]
            if found or start + len(data) >= size:
                yield from found
                return
            most *= 2

    def _count(self) -> int:
        """How many things stand after the last drained record."""
        total = 0
        for segment, size in self._sizes.items():
            start = self._drained.offset if segment == self._drained.segment else 0
            data = self._path(segment).read_bytes()[start:size] if segment >= self._drained.segment else b""
            total += sum(count for _, count, _ in _parsed(data))
        return total

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:08d}.spool"


def _record(payload: bytes, count: int) -> bytes:
    if MARK in payload:
        raise ValueError("a spooled payload is UTF-8 text")
    told = _HEAD.pack(len(payload), count, zlib.crc32(payload, zlib.crc32(struct.pack(">II", len(payload), count))))
    return MARK + told + payload


def _parsed(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(where it ends, how many things it holds, payload) of each whole record, what is damaged passed over."""
    at = 0
    while (at := data.find(MARK, at)) != -1:
        begin = at + len(MARK) + _HEAD.size
        if begin > len(data):
            return
        length, count, crc = _HEAD.unpack_from(data, at + len(MARK))
        payload = data[begin : begin + length]
        if len(payload) == length and zlib.crc32(payload, zlib.crc32(struct.pack(">II", length, count))) == crc:
            at = begin + length
            yield at, count, payload
        else:
            at += 1


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(100)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    """Makes names that were made or removed in the folder durable."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
