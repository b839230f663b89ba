"""Where in a TOML text each key stands. Refuses to judge the text: `tomllib` has read it before."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

KeyPath: TypeAlias = tuple[str | int, ...]

_PART = r"\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[A-Za-z0-9_-]+"
_KEY = rf"(?:{_PART})(?:[ \t]*\.[ \t]*(?:{_PART}))*"
_SPLIT = re.compile(_PART)
_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_HEADER = re.compile(rf"\[(?P<array>\[)?[ \t]*(?P<key>{_KEY})[ \t]*\]\]?")
_ASSIGN = re.compile(rf"(?P<key>{_KEY})[ \t]*=")
_TOKEN = re.compile(
    r"\"\"\"(?:\\.|(?!\"\"\").)*\"{3,5}|'''.*?'{3,5}|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|#[^\n]*|[^\"'#\[\]{}\n]+|.|\n",
    re.DOTALL,
)


class Lines(Struct, frozen=True):
    """1-based lines of the `[tables]` and of the keys; a list of tables is addressed by index from 0."""

    tables: Mapping[KeyPath, int] = {}
    keys: Mapping[KeyPath, int] = {}

    def of(self, path: KeyPath) -> int:
        """The line of `path`, else of the nearest thing around it, else 1."""
        for length in range(len(path), 0, -1):
            line = self.tables.get(path[:length]) or self.keys.get(path[:length])
            if line:
                return line
        return 1

    def table(self, path: KeyPath) -> KeyPath:
        """The innermost `[table]` that holds `path` or is it; empty for the top of the file."""
        return next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.tables), ())


def lines(text: str) -> Lines:
    """The places of all keys of a valid TOML text."""
    tables: dict[KeyPath, int] = {}
    keys: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, path, kind in _statements(text):
        if kind == "key":
            full = table + path
            for length in range(len(table) + 1, len(full) + 1):
                keys.setdefault(full[:length], line)
            continue
        table = _indexed(path, counts)
        if kind == "array":
            counts[table] = counts.get(table, -1) + 1
            table = (*table, counts[table])
        tables[table] = line
        for length in range(1, len(table)):
            keys.setdefault(table[:length], line)
    return Lines(tables, keys)


def _statements(text: str) -> Iterator[tuple[int, tuple[str, ...], str]]:
    position = _BLANK.match(text).end()  # type: ignore[union-attr]  # the pattern matches the empty text too
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        if header := _HEADER.match(text, position):
            yield line, _parts(header["key"]), "array" if header["array"] else "table"
            position = header.end()
        elif assign := _ASSIGN.match(text, position):
            yield line, _parts(assign["key"]), "key"
            position = _end_of_value(text, assign.end())
        else:
            return
        position = _BLANK.match(text, position).end()  # type: ignore[union-attr]


def _end_of_value(text: str, position: int) -> int:
    depth = 0
    while token := _TOKEN.match(text, position):
        if token[0] == "\n" and depth == 0:
            break
        depth += (token[0] in "[{") - (token[0] in "]}")
        position = token.end()
    return position


def _parts(key: str) -> tuple[str, ...]:
    return tuple(str(tomllib.loads(f"k={p}")["k"]) if p[0] in "\"'" else p for p in _SPLIT.findall(key))


def _indexed(path: tuple[str, ...], counts: Mapping[KeyPath, int]) -> KeyPath:
    """The path with the current index behind every list of tables it passes through."""
    full: KeyPath = ()
    for place, part in enumerate(path):
        full = (*full, part)
        if full in counts and place < len(path) - 1:
            full = (*full, counts[full])
    return full
