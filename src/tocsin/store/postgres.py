"""PostgreSQL for any number of replicas. One of them writes at a time: who begins a write transaction takes the pen.

The pen is an advisory lock of the transaction: it goes back with the commit, or with the connection, however that ends.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import psycopg
from psycopg import adapt, errors
from psycopg.types.string import StrDumper, StrDumperUnknown
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from tocsin.store.clocks import DatabaseClock, elapsed
from tocsin.store.errors import StoreError, StoreUnavailable, of_driver, reason

PEN = 0x746F6373696E  # "tocsin"
TRANSACTION = "tocsin_transaction"
"""Where a connection keeps the id of the transaction that it is in (`Connection.info`)."""
NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_BEGIN = f"BEGIN; SELECT pg_advisory_xact_lock({PEN}), {NOW}, pg_current_xact_id()::text"
_CONNECT: dict[str, object] = {
    "application_name": "tocsin",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
"""Milliseconds and seconds as libpq takes them; what the URL says counts more. A host that vanished is noticed soon."""
_SESSION: dict[str, str] = {
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "idle_in_transaction_session_timeout": "2000",
    "client_connection_check_interval": "1000",
}
"""The server's side of the same. A replica that froze with the pen in hand loses it after two seconds."""
_WRITING: dict[str, str] = {"statement_timeout": "30000"}
_READING: dict[str, str] = {"default_transaction_read_only": "on", "statement_timeout": "15000"}
_SETTLE_SECONDS = 5.0
Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class Postgres:
    """A database on a server, shared with other replicas."""

    server = "PostgreSQL"

    def __init__(self, url: URL, *, busy_seconds: float) -> None:
        """Connects to nothing yet. `busy_seconds` is how long to wait for the pen. Raises StoreError for no name."""
        self.url = url.set(drivername="postgresql+psycopg")
        self.name = shown(url)
        if not url.database:
            raise StoreError(f"database {self.name} names no database: write {self.name.rstrip('/')}/tocsin")
        self.clock = DatabaseClock()
        self._witness: Driver | None = None
        """Stands by, and can tell what became of a transaction whose own connection is lost."""
        patience = {"lock_timeout": str(round(busy_seconds * 1000))}
        self.writing = _engine(self.url, _SESSION | _WRITING | patience, pool_size=1, max_overflow=0)
        self.reading = _engine(self.url, _SESSION | _READING, pool_size=4, max_overflow=8)
        event.listen(self.writing, "begin", self._take_pen)

    def connect(self) -> Driver:
        """A connection beside the pools, each statement its own transaction. Raises psycopg.Error."""
        arguments = self.writing.dialect.create_connect_args(self.url)[1]
        connection = psycopg.connect(**{**_CONNECT, **arguments}, autocommit=True)
        _prepare(connection, _SESSION | {"synchronous_commit": "off"})
        return connection

    def refused(self, exc: DBAPIError) -> bool:
        """Whether the database as a whole refuses (gone, busy, read-only, full), not this one statement."""
        return exc.connection_invalidated or isinstance(
            exc.orig, errors.OperationalError | psycopg.InterfaceError | errors.ReadOnlySqlTransaction
        )

    def unopened(self, exc: DBAPIError) -> StoreError:
        """Why it cannot be opened, with the remedy; StoreUnavailable when waiting may help."""
        words = _sentence(reason(exc))
        remedy, wait = _remedy(words, self.url)
        return (StoreUnavailable if wait else StoreError)(f"database {self.name}: {words}: {remedy}")

    def transaction(self, connection: Connection) -> str:
        """The id of the transaction that the connection is in."""
        return str(connection.info.get(TRANSACTION, ""))

    def was_committed(self, transaction: str) -> bool | None:
        """What became of a transaction whose commit was not answered; None when nobody can tell.

        Only a connection that stood when it began can: after a crash of the server, ids that were never written down
        are given out again, and another transaction may bear this one's.
        """
        witness, self._witness = self._witness, None
        if witness is None:
            return None
        deadline = time.monotonic() + _SETTLE_SECONDS
        with suppress(psycopg.Error):
            while time.monotonic() < deadline:
                row = witness.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
                if row is not None and row[0] != "in progress":
                    self._witness = witness
                    return None if row[0] is None else bool(row[0] == "committed")
                time.sleep(0.05)
        witness.close()
        return None

    def dispose(self) -> None:
        """Ends every connection, those that are still read on as soon as they are given back."""
        event.listen(self.reading, "checkin", lambda connection, _: connection and connection.close())
        self.writing.dispose()
        self.reading.dispose()
        if self._witness is not None:
            self._witness.close()

    def _take_pen(self, connection: Connection) -> None:
        """Begins, waits for the pen, and hears the time and the transaction's id: one round trip."""
        driver: Driver = connection.connection.driver_connection  # type: ignore[assignment]
        if self._witness is None:
            with suppress(psycopg.Error):
                self._witness = self.connect()
        asked = elapsed()
        try:
            cursor = driver.execute(_BEGIN.encode())
            cursor.nextset()
            row = cursor.fetchone()
        except psycopg.Error as exc:
            failed = of_driver(connection, exc)
            if not failed.connection_invalidated:
                driver.rollback()
            raise failed from exc
        if row is not None:
            self.clock.heard(row[1], asked=asked)
            connection.info[TRANSACTION] = row[2]


def shown(url: URL) -> str:
    """The database as a person may see it: no password, however it was given."""
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    host = url.host or ",".join(_told(url, "host"))
    return f"postgresql://{user}{host}{port}/{url.database or ''}"


def _told(url: URL, key: str) -> tuple[str, ...]:
    found = url.query.get(key, ())
    return (found,) if isinstance(found, str) else tuple(found)


class _WithoutNul(StrDumper):
    """Text as PostgreSQL can keep it: it has no NUL, which people may paste; its picture stands for it."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\u2400") if "\0" in obj else obj)


class _UnknownWithoutNul(StrDumperUnknown):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\u2400") if "\0" in obj else obj)


def _engine(url: URL, session: Mapping[str, str], *, pool_size: int, max_overflow: int) -> Engine:
    """Its own BEGIN is never sent: writers send theirs with the pen, a reader's statement is its own transaction."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=max_overflow,
        isolation_level="AUTOCOMMIT",
        connect_args={k: v for k, v in _CONNECT.items() if k not in url.query},
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        _prepare(connection.driver_connection if hasattr(connection, "driver_connection") else connection, session)

    return engine


def _prepare(connection: psycopg.Connection[Any], session: Mapping[str, str]) -> None:
    adapters: adapt.AdaptersMap = connection.adapters
    adapters.register_dumper(str, _WithoutNul)
    adapters.register_dumper(str, _UnknownWithoutNul)
    asked = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in session.items())
    connection.execute(f"SELECT {asked}".encode())


def _sentence(words: str) -> str:
    """libpq's words: of several addresses tried, the last; without its hints."""
    last = words.split("Multiple connection attempts failed")[0].split(" Is the server running")[0]
    return last.strip().rstrip(".")


def _remedy(words: str, url: URL) -> tuple[str, bool]:
    """What to do, and whether waiting may do it."""
    user, name = url.username, url.database
    lasting = {
        "password authentication failed": "check user and password in the database URL",
        "no password supplied": 'give the password in the database URL, or keep the URL in a file: "file:PATH"',
        "no pg_hba.conf entry": "let this user in from here: pg_hba.conf on the server",
        f'database "{name}" does not exist': f"create it: createdb {name}",
        f'role "{user}" does not exist': f"create it: createuser {user}",
        "permission denied for schema": f"let it make tables there: GRANT CREATE ON SCHEMA public TO {user}",
        "permission denied": "let this user read and write Tocsin's tables, or use the user who made them",
        "invalid connection option": "check what follows the ? in the database URL",
    }
    passing = {
        "Connection refused": "start the server, or check host and port",
        "No such file or directory": "start the server, or check the socket's folder",
        "starting up": "it will answer soon",
        "shutting down": "start the server again",
        "too many clients": "raise max_connections (a replica takes up to 15)",
        "remaining connection slots": "raise max_connections (a replica takes up to 15)",
        "translate host name": "check the host's name",
        "resolve host": "check the host's name",
        "closed the connection": "look at the server's log",
        "timeout": "check host, port and what stands between",
        "read-only transaction": "it is a standby: name the primary, or add ?target_session_attrs=read-write",
    }
    for remedies, wait in ((lasting, False), (passing, True)):
        for said, remedy in remedies.items():
            if said in words:
                return remedy, wait
    return "check the server", False
