"""A layer's rows sent to the database, set by set, in the order that their references need.

PostgreSQL is given a set as one JSON value in one statement: its rows one by one cost several times as much. SQLite is
given many rows as one table of values: its driver lets go of the interpreter for every row that it executes, and in a
storm waits for it again each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Dialect,
    Table,
    bindparam,
    case,
    column,
    func,
    literal_column,
    null,
    select,
    true,
    update,
)
from sqlalchemy import table as table_clause
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.engine.records import AlertRecord
from tocsin.incident.alert import Alert
from tocsin.store import asking, rows
from tocsin.store import schema as t
from tocsin.store.line import Line
from tocsin.store.staging import Layer
from tocsin.store.times import to_db

SEEN_MICROSECONDS = 1_000_000
"""When an alert was last seen is kept to the second: in a storm it is told again many times in one."""
_ONE: ColumnElement[int] = literal_column("1")
_ROWS, _GIVEN = "rows", "given"
_LARGE, _SMALL = (256, 64, 32), 16
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
Given: TypeAlias = Mapping[str, ColumnElement[Any]]
"""What a row says, by the name of its value."""
Many: TypeAlias = Callable[["_Kind", Sequence[rows.Values]], None]


class Told(Struct, frozen=True):
    """How the database has an alert: its incident, its description, and when it was last seen."""

    incident_id: str | None
    alert: Alert
    last_seen_at: int


class _Kind(Struct, frozen=True):
    """One kind of rows; `build` makes the statement from what a row says. A value's name is its column's, or that and
    `_`."""

    name: str
    table: Table
    build: Callable[[Dialect, Given], ClauseElement]


def _inserted(table: Table, *, unless_there: str = "") -> Callable[[Dialect, Given], ClauseElement]:
    """A row is left alone when one stands there already with the same value in `unless_there`."""

    def build(dialect: Dialect, given: Given) -> ClauseElement:
        insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        chosen = insert(table).from_select(list(given), select(*given.values()).where(true()))
        return chosen.on_conflict_do_nothing(index_elements=[unless_there]) if unless_there else chosen

    return build


def _updated(table: Table, key: str) -> Callable[[Dialect, Given], ClauseElement]:
    def build(_: Dialect, given: Given) -> ClauseElement:
        values = {name: value for name, value in given.items() if name != f"{key}_"}
        return update(table).where(table.c[key] == given[f"{key}_"]).values(values)

    return build


def _ended(_: Dialect, given: Given) -> ClauseElement:
    c = t.work.c
    uncertain = case((given["uncertain_"] == _ONE, _ONE), else_=c.uncertain)
    return (
        update(t.work)
        .where(c.id == given["id_"])
        .values(
            state=given["state_"],
            error=given["error_"],
            next_at=func.coalesce(given["next_at_"], c.next_at),
            uncertain=uncertain,
            lease_until=null(),
            owner=null(),
        )
    )


_OPENED = _Kind("opened", t.incident, _inserted(t.incident))
_CHANGED = _Kind("changed", t.incident, _updated(t.incident, "id"))
_FIRST = _Kind("first", t.alert, _inserted(t.alert))
_ANEW = _Kind("anew", t.alert, _updated(t.alert, "fingerprint"))
_EVENTS = _Kind("events", t.event, _inserted(t.event))
_WORK = _Kind("work", t.work, _inserted(t.work, unless_there="idempotency_key"))
_ENDED = _Kind("ended", t.work, _ended)
_EVIDENCE = _Kind("evidence", t.evidence, _inserted(t.evidence))


def send(line: Line, layer: Layer, *, told: Mapping[str, Told], ahead: bool = False) -> None:
    """`told` is how the database has alerts: one told alike was only seen again. `ahead` is without waiting for it,
    where the line can."""
    many = partial(_ahead if ahead and line.ahead else _now, line)
    opened = [
        rows.opened_row(incident) | rows.incident_row(incident, due())
        for incident, due in (layer.incidents[id_] for id_ in layer.opened)
    ]
    changed = [
        rows.incident_row(incident, due()) | {"id_": id_}
        for id_, (incident, due) in layer.incidents.items()
        if id_ not in layer.opened
    ]
    many(_OPENED, opened)
    many(_CHANGED, changed)
    if layer.alerts:
        _send_alerts(line, layer, told, many)
    many(_EVENTS, layer.events)
    many(_WORK, list(layer.work.values()))
    many(_ENDED, [ended.values for ended in layer.finished.values()])
    many(_EVIDENCE, list(layer.evidence.values()))


def _send_alerts(line: Line, layer: Layer, told: Mapping[str, Told], many: Many) -> None:
    first, anew = [], []
    again: dict[int, list[str]] = {}
    for fingerprint, record in layer.alerts.items():
        known = told.get(fingerprint)
        if fingerprint in layer.first_seen:
            first.append(rows.alert_row(record) | {"fingerprint": fingerprint})
        elif known is None or not _told_alike(known, record):
            anew.append(rows.alert_row(record) | {"fingerprint_": fingerprint})
        else:
            at = to_db(record.last_seen_at)
            if not 0 <= at - known.last_seen_at < SEEN_MICROSECONDS:
                again.setdefault(at, []).append(fingerprint)
    many(_FIRST, first)
    many(_ANEW, anew)
    for at, seen in again.items():
        asking.seen_again(line.connection, seen, at)


def _told_alike(known: Told, record: AlertRecord) -> bool:
    return known.incident_id == record.incident_id and known.alert == record.alert


def _now(line: Line, kind: _Kind, values: Sequence[rows.Values]) -> None:
    """Executes it for each of the values, which all have the same keys and need no conversion.

    Compiled once and handed to the driver as it is: the toolkit's own way costs more than the database does.
    """
    if not values:
        return
    keys = tuple(values[0])
    connection = line.connection
    sql = _compiled(connection.dialect, kind, keys)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(sql, {_ROWS: _as_json(values)})
        return
    for rows_ in _portions(values):
        told = tuple([row[key] for row in rows_ for key in keys])
        connection.exec_driver_sql(_table_of(keys, len(rows_)) + sql, told)


def _ahead(line: Line, kind: _Kind, values: Sequence[rows.Values]) -> None:
    """The same, not waited for."""
    if values:
        sql = _compiled(line.dialect, kind, tuple(values[0]))
        line.tell(_numbered(sql), _as_json(values))


@lru_cache(maxsize=64)
def _numbered(sql: str) -> str:
    """The statement as the server takes it: the driver's way to name a value is its own."""
    return sql % {_ROWS: "$1"}


def _portions(values: Sequence[rows.Values]) -> Iterator[Sequence[rows.Values]]:
    """All of them, in few sizes, so that there are few statements to prepare; a small set at once."""
    done = 0
    while done < len(values):
        left = len(values) - done
        size = left if left <= _SMALL else next((size for size in _LARGE if size <= left), _SMALL)
        yield values[done : done + size]
        done += size


@lru_cache(maxsize=256)
def _table_of(keys: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(keys))})"
    return f"WITH {_GIVEN}({', '.join(keys)}) AS (VALUES {', '.join([row] * count)}) "


def _as_json(values: Sequence[rows.Values]) -> str:
    """PostgreSQL has no NUL in its texts, which people may paste; its picture stands for it."""
    text = rows.json(values)
    return _NUL.sub(r"\1\\u2400", text) if "\\u0000" in text else text


_KNOWN: dict[tuple[str, str, tuple[str, ...]], str] = {}


def _compiled(dialect: Dialect, kind: _Kind, keys: tuple[str, ...]) -> str:
    """The driver's words, which take the rows from a table `given`."""
    key = (dialect.name, kind.name, keys)
    known = _KNOWN.get(key)
    if known is None:
        built = kind.build(dialect, _given(dialect, kind.table, keys))
        known = _KNOWN[key] = str(built.compile(dialect=dialect))
    return known


def _given(dialect: Dialect, table: Table, keys: Sequence[str]) -> Given:
    columns = [column(key, table.c[key.removesuffix("_")].type) for key in keys]
    if dialect.name != "postgresql":
        given = table_clause(_GIVEN, *columns)
        return {key: given.c[key] for key in keys}
    record = func.json_to_recordset(bindparam(_ROWS)).table_valued(*columns, name=_GIVEN)
    derived = record.render_derived(name=_GIVEN, with_types=True)
    return {key: derived.c[key] for key in keys}
