"""The questions that every batch of alerts asks: put together once, in the driver's own words, a list as one value."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, CursorResult, Select, func, select

from tocsin.store import rows
from tocsin.store import schema as t

OURS = t.incident.c.rev <= rows.REV
"""Incidents that no newer version of Tocsin has written."""
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
Row = Sequence[Any]


def alerts(connection: Connection, fingerprints: Collection[str]) -> Sequence[Row]:
    """(fingerprint, incident's id, first and last seen, data, incident's number and status) of those that are known."""
    return _among(connection, _ALERTS, fingerprints)


def open_incidents(connection: Connection, services: Collection[str]) -> Sequence[Row]:
    """(number, id, service, state) of the incidents of these services that are not over, in order of their number."""
    return sorted(_among(connection, _OPEN, services), key=lambda row: row[0])


def states(connection: Connection, ids: Collection[str]) -> Sequence[Row]:
    """(id, state) of incidents."""
    return _among(connection, _STATES, ids)


def silences(connection: Connection, now: int) -> Sequence[str]:
    """The silences that are not over, the soonest to end first."""
    wanted = f"SELECT data FROM silence WHERE ends_at > {int(now)} ORDER BY ends_at, id"  # noqa: S608
    return connection.exec_driver_sql(wanted).scalars().all()


def seen_again(connection: Connection, fingerprints: Collection[str], at: int) -> None:
    """Alerts that were told again as they are known."""
    _execute(connection, f"UPDATE alert SET last_seen_at = {int(at)} WHERE fingerprint", fingerprints)  # noqa: S608


def everything(connection: Connection, wanted: Select[Any]) -> Sequence[Any]:
    """All rows of it, by the names of its columns, in no order.

    SQLite gives them as one value: its driver lets go of the interpreter for every row that it reads, and in a storm
    waits for it again each time.
    """
    if connection.dialect.name == "postgresql":
        return connection.execute(wanted).all()
    found = wanted.subquery()
    told = connection.execute(select(func.json_group_array(func.json_array(*found.c)))).scalar_one()
    row = _named(tuple(found.c.keys()))
    return [row(*values) for values in msgspec.json.decode(told)]


@lru_cache(maxsize=64)
def _named(columns: tuple[str, ...]) -> Callable[..., Any]:
    return namedtuple("Row", columns)


def _among(connection: Connection, question: tuple[str, str], wanted: Collection[str]) -> Sequence[Row]:
    columns, source = question
    return _execute(connection, f"SELECT {columns} {source}", wanted).all()


def _execute(connection: Connection, words: str, wanted: Collection[str]) -> CursorResult[Any]:
    if connection.dialect.name == "postgresql":
        return connection.exec_driver_sql(f"{words} = ANY(%s)", (list(wanted),))
    among = f"{words} IN (SELECT value FROM json_each(?))"  # noqa: S608  none of the words is anybody's input
    return connection.exec_driver_sql(among, (rows.json(list(wanted)),))
