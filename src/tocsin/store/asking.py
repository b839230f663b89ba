"""The questions that every batch of alerts asks: put together once, in the driver's own words, a list as one value."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Integer,
    Select,
    Text,
    bindparam,
    func,
    select,
)

from tocsin.store import rows
from tocsin.store import schema as t

OURS = t.incident.c.rev <= rows.REV
"""Incidents that no newer version of Tocsin has written."""
_c = t.incident.c
DUE = (
    select(_c.id, _c.state, _c.next_due_at)
    .where(_c.next_due_at <= bindparam("now", type_=_c.next_due_at.type), OURS)
    .order_by(_c.next_due_at)
    .limit(bindparam("most", type_=Integer))
)
"""At most `most` incidents whose clock has something to do by `now`, longest waiting first."""
NEWER = "newer"
"""In the place of an incident's state: a newer version of Tocsin has written it."""
_STATE = f"CASE WHEN rev <= {rows.REV} THEN state ELSE '{NEWER}' END"
_ALERTS = (
    "alert.fingerprint, alert.incident_id, alert.first_seen_at, alert.last_seen_at, alert.data, "
    "incident.number, incident.status",
    "FROM alert LEFT JOIN incident ON incident.id = alert.incident_id WHERE alert.fingerprint",
)
_OPEN = (f"number, id, service, {_STATE}", f"FROM incident WHERE {t.ALIVE} AND service")
_STATES = (f"id, {_STATE}", "FROM incident WHERE id")
_STATES_AS_ONE = f"SELECT json_group_array(json_array(id, {_STATE})) {_STATES[1]}"
Row = Sequence[Any]


def alerts(connection: Connection, fingerprints: Collection[str]) -> Sequence[Row]:
    """(fingerprint, incident's id, first and last seen, data, incident's number and status) of those that are known."""
    return _among(connection, _ALERTS, fingerprints)


def open_incidents(connection: Connection, services: Collection[str]) -> Sequence[Row]:
    """(number, id, service, state) of the incidents of these services that are not over, in order of their number."""
    return sorted(_among(connection, _OPEN, services), key=lambda row: row[0])


def states(connection: Connection, ids: Collection[str]) -> Sequence[Row]:
    """(id, state) of incidents; as one value where `everything` is."""
    if connection.dialect.name == "postgresql":
        return _among(connection, _STATES, ids)
    told: Sequence[Row] = msgspec.json.decode(_execute(connection, _STATES_AS_ONE, ids).scalar_one())
    return told


def silences(connection: Connection, now: int) -> Sequence[str]:
    """The silences that are not over, the soonest to end first."""
    wanted = f"SELECT data FROM silence WHERE ends_at > {int(now)} ORDER BY ends_at, id"  # noqa: S608
    return connection.exec_driver_sql(wanted).scalars().all()


def seen_again(connection: Connection, fingerprints: Collection[str], at: int) -> None:
    """Alerts that were told again as they are known."""
    _execute(connection, f"UPDATE alert SET last_seen_at = {int(at)} WHERE fingerprint", fingerprints)  # noqa: S608


def everything(connection: Connection, wanted: Select[Any], given: Mapping[str, object] | None = None) -> Sequence[Any]:
    """All rows of it, by the names of its columns, in no order; `given` are the values of its parameters.

    SQLite gives them as one value: its driver lets go of the interpreter for every row that it reads, and in a storm
    waits for it again each time.
    """
    if connection.dialect.name == "postgresql":
        return connection.execute(wanted, given).all()
    told = connection.execute(_as_one_value(wanted), given).scalar_one()
    row = _named(tuple(wanted.selected_columns.keys()))
    return [row(*values) for values in msgspec.json.decode(told)]


@lru_cache(maxsize=64)
def _as_one_value(wanted: Select[Any]) -> Select[Any]:
    return select(func.json_group_array(func.json_array(*wanted.subquery().c)))


@lru_cache(maxsize=64)
def _named(columns: tuple[str, ...]) -> Callable[..., Any]:
    return namedtuple("Row", columns)


def among(dialect: str, column: Column[Any]) -> ColumnElement[bool]:
    """Whether the column has one of the values that the parameter `ids` tells: see `as_ids`."""
    if dialect == "postgresql":
        return column.in_(select(func.unnest(bindparam("ids", type_=ARRAY(column.type)))))
    return column.in_(select(func.json_each(bindparam("ids", type_=Text)).table_valued("value").c.value))


def as_ids(connection: Connection, values: Collection[object]) -> object:
    """The values as one, for `among`: a statement for any number of them."""
    return list(values) if connection.dialect.name == "postgresql" else rows.json(list(values))


def _among(connection: Connection, question: tuple[str, str], wanted: Collection[str]) -> Sequence[Row]:
    columns, source = question
    return _execute(connection, f"SELECT {columns} {source}", wanted).all()


def _execute(connection: Connection, words: str, wanted: Collection[str]) -> CursorResult[Any]:
    if connection.dialect.name == "postgresql":
        # joined with: = ANY goes through the list for every row when a prepared plan reads the whole of a young table
        return connection.exec_driver_sql(f"{words} IN (SELECT unnest(%s::text[]))", (list(wanted),))
    among = f"{words} IN (SELECT value FROM json_each(?))"  # noqa: S608  none of the words is anybody's input
    return connection.exec_driver_sql(among, (rows.json(list(wanted)),))
