"""What can go wrong with a database.

StoreError             one sentence with the remedy; `str()` is for a person
└── StoreUnavailable   it refuses now (locked, read-only, full, gone): what was asked was not done, ask again later
    └── NewerVersion   a newer version has brought this incident further than this one can read: ask another replica
"""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tocsin.engine.errors import Newer, Unavailable


class StoreError(Exception):
    pass


class StoreUnavailable(StoreError, Unavailable):
    pass


class NewerVersion(StoreUnavailable, Newer):
    pass


def of_driver(connection: Connection, exc: psycopg.Error) -> DBAPIError:
    """What PostgreSQL's driver said when it was asked directly; a connection that is lost is not used again."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    lost = driver.closed or driver.broken
    if lost:
        connection.invalidate(exc)
    found = DBAPIError.instance(
        None, None, exc, psycopg.Error, connection_invalidated=lost, dialect=connection.dialect
    )  # fmt: skip
    assert isinstance(found, DBAPIError)
    return found


def reason(exc: DBAPIError) -> str:
    """The driver's own words, on one line, without the statement and its values."""
    return " ".join(str(exc.orig).split()) or type(exc.orig).__name__
