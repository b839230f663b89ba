"""A layer's rows sent to the database, set by set, in the order that their references need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, bindparam, case, func, insert, literal_column, null, update
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.engine.records import AlertRecord
from tocsin.store import rows
from tocsin.store import schema as t
from tocsin.store.staging import Layer
from tocsin.store.times import to_db

_OPENED, _FIRST, _EVENTS = insert(t.incident), insert(t.alert), insert(t.event)
_CHANGED = update(t.incident).where(t.incident.c.id == bindparam("id_"))
_TOLD = update(t.alert).where(t.alert.c.fingerprint == bindparam("fingerprint_"))
_WORK_SQLITE = sqlite.insert(t.work).on_conflict_do_nothing(index_elements=["idempotency_key"])
_WORK_POSTGRES = postgresql.insert(t.work).on_conflict_do_nothing(index_elements=["idempotency_key"])
_ONE: ColumnElement[int] = literal_column("1")
_ENDED = (
    update(t.work)
    .where(t.work.c.id == bindparam("id_"))
    .values(
        state=bindparam("state_"),
        error=bindparam("error_"),
        next_at=func.coalesce(bindparam("next_", type_=t.work.c.next_at.type), t.work.c.next_at),
        uncertain=case((bindparam("unsure", type_=t.work.c.uncertain.type) == _ONE, _ONE), else_=t.work.c.uncertain),
        lease_until=null(),
        owner=null(),
    )
)


def send(connection: Connection, layer: Layer, *, told: Mapping[str, tuple[str | None, str]]) -> None:
    """`told` is how the database has alerts, (incident, description): one told alike was only seen again."""
    opened = [
        rows.opened_row(incident) | rows.incident_row(incident, due())
        for incident, due in (layer.incidents[id_] for id_ in layer.opened)
    ]
    changed = [
        rows.incident_row(incident, due()) | {"id_": id_}
        for id_, (incident, due) in layer.incidents.items()
        if id_ not in layer.opened
    ]
    _many(connection, _OPENED, opened)
    _many(connection, _CHANGED, changed)
    _send_alerts(connection, layer, told)
    _many(connection, _EVENTS, layer.events)
    _many(connection, _unless_there(connection), list(layer.work.values()))
    _many(connection, _ENDED, [ended.values for ended in layer.finished.values()])


def _send_alerts(connection: Connection, layer: Layer, told: Mapping[str, tuple[str | None, str]]) -> None:
    first, anew, again = [], [], list[AlertRecord]()
    for fingerprint, record in layer.alerts.items():
        if fingerprint in layer.first_seen:
            first.append(rows.alert_row(record) | {"fingerprint": fingerprint})
        elif told.get(fingerprint) == (record.incident_id, rows.json(record.alert)):
            again.append(record)
        else:
            anew.append(rows.alert_row(record) | {"fingerprint_": fingerprint})
    _many(connection, _FIRST, first)
    _many(connection, _TOLD, anew)
    for at in {record.last_seen_at for record in again}:
        seen = [r.alert.fingerprint for r in again if r.last_seen_at == at]
        connection.execute(update(t.alert).where(t.alert.c.fingerprint.in_(seen)).values(last_seen_at=to_db(at)))


def _unless_there(connection: Connection) -> Any:
    """A row whose idempotency key stands there already is left alone."""
    return _WORK_POSTGRES if connection.dialect.name == "postgresql" else _WORK_SQLITE


def _many(connection: Connection, statement: Any, values: list[rows.Values]) -> None:
    """Executes it once for each of the values, which all have the same keys and need no conversion.

    Compiled once and handed to the driver as it is: the toolkit's own way costs more than the database does.
    """
    if not values:
        return
    sql, order = _compiled(connection.dialect, statement, tuple(values[0]))
    given = [tuple([row[name] for name in order]) for row in values] if order else values
    connection.exec_driver_sql(sql, given)


_KNOWN: dict[tuple[str, int, tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}


def _compiled(dialect: Dialect, statement: Any, keys: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The driver's words, and the order of its positional parameters; empty where they are named."""
    key = (dialect.name, id(statement), keys)
    known = _KNOWN.get(key)
    if known is None:
        compiled = statement.compile(dialect=dialect, column_keys=list(keys))
        known = _KNOWN[key] = (str(compiled), tuple(compiled.positiontup or ()))
    return known
