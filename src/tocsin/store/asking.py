"""The questions that every batch of alerts asks: put together once, in the driver's own words, a list as one value."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult

from tocsin.store import rows
from tocsin.store import schema as t

OURS = t.incident.c.rev <= rows.REV
"""Incidents that no newer version of Tocsin has written."""
NEWER = "newer"
"""In the place of an incident's state: a newer version of Tocsin has written it."""
_STATE = f"CASE WHEN rev <= {rows.REV} THEN state ELSE '{NEWER}' END AS state"
_ALERTS = """SELECT alert.fingerprint, alert.incident_id, alert.first_seen_at, alert.last_seen_at, alert.data,
incident.number, incident.status AS over FROM alert LEFT JOIN incident ON incident.id = alert.incident_id
WHERE alert.fingerprint"""
_OPEN = f"SELECT id, service, {_STATE} FROM incident WHERE {t.ALIVE} AND service"  # noqa: S608
_STATES = f"SELECT id, {_STATE} FROM incident WHERE id"  # noqa: S608


def alerts(connection: Connection, fingerprints: Collection[str]) -> Sequence[Any]:
    """Rows of the alerts that are known, with the number of their incident and its status (`over`)."""
    return _among(connection, _ALERTS, fingerprints)


def open_incidents(connection: Connection, services: Collection[str]) -> Sequence[Any]:
    """(id, service, state) of the incidents of these services that are not over, in order of their number."""
    return _among(connection, _OPEN, services, then=" ORDER BY number")


def states(connection: Connection, ids: Collection[str]) -> Sequence[Any]:
    """(id, state) of incidents."""
    return _among(connection, _STATES, ids)


def silences(connection: Connection, now: int) -> Sequence[str]:
    """The silences that are not over, the soonest to end first."""
    wanted = f"SELECT data FROM silence WHERE ends_at > {int(now)} ORDER BY ends_at, id"  # noqa: S608
    return connection.exec_driver_sql(wanted).scalars().all()


def seen_again(connection: Connection, fingerprints: Collection[str], at: int) -> None:
    """Alerts that were told again as they are known."""
    _execute(connection, f"UPDATE alert SET last_seen_at = {int(at)} WHERE fingerprint", fingerprints)  # noqa: S608


def _among(connection: Connection, question: str, wanted: Collection[str], *, then: str = "") -> Sequence[Any]:
    return _execute(connection, question, wanted, then=then).all()


def _execute(connection: Connection, words: str, wanted: Collection[str], *, then: str = "") -> CursorResult[Any]:
    if connection.dialect.name == "postgresql":
        return connection.exec_driver_sql(f"{words} = ANY(%s){then}", (list(wanted),))
    among = f"{words} IN (SELECT value FROM json_each(?)){then}"  # noqa: S608  none of the words is anybody's input
    return connection.exec_driver_sql(among, (rows.json(list(wanted)),))
