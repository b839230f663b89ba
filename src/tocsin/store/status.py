"""How a database stands: looked at, never changed."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from tocsin.store.database import BUSY_SECONDS, opened, parse
from tocsin.store.errors import StoreError
from tocsin.store.migrate import HEAD, version
from tocsin.store.replicas import Replica
from tocsin.store.sqlite import Sqlite
from tocsin.store.tx import Tx


class Status(Struct, frozen=True):
    """`schema` is its version, None where nothing was made yet; `head` what this version of Tocsin brings it to.

    `server` names the program that keeps it. `replicas` are the servers that say they live; only PostgreSQL has many.
    """

    name: str
    server: str
    schema: str | None
    head: str
    replicas: tuple[Replica, ...]


def status(url: str) -> Status:
    """How it stands now. Raises StoreError with the remedy when it cannot be looked at."""
    database = opened(parse(url), busy_seconds=BUSY_SECONDS)
    if isinstance(database, Sqlite) and not database.path.exists():
        raise StoreError(f"database {database.name} is not there yet: `tocsin serve` makes it")
    try:
        with database.reading.connect() as connection:
            server = f"{database.server} {'.'.join(map(str, connection.dialect.server_version_info or ()))}"
            return Status(database.name, server, version(connection), HEAD, _replicas(connection))
    except DBAPIError as exc:
        raise database.unopened(exc) from exc
    finally:
        database.dispose()


def _replicas(connection: Connection) -> tuple[Replica, ...]:
    return tuple(Tx(connection).replicas()) if inspect(connection).has_table("replica") else ()
