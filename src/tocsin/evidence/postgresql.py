"""What a PostgreSQL server says of itself: connections, who waits for whom, slow statements, replication. Only reads.

Version-aware, 10 to 18: `mean_time` became `mean_exec_time` in 13, `pg_locks.waitstart` came with 14. Source: the
manual's chapters "The Cumulative Statistics System" and "pg_locks".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.diagnosis.facts import Database, Holder, Session, Statement, Taken
from tocsin.engine.ports import EvidenceError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

Redact = Callable[[str], str]
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_OPTIONS = (
    "-c statement_timeout=3000 -c lock_timeout=500 -c default_transaction_read_only=on"
    " -c idle_in_transaction_session_timeout=10000"
)
_FIRST = """
SELECT current_setting('server_version_num')::int, current_setting('max_connections')::int, pg_is_in_recovery(),
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')
"""
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
_WAITING = """
SELECT a.pid, pg_blocking_pids(a.pid), extract(epoch FROM clock_timestamp() - {since})::float8, a.state, a.query
FROM pg_stat_activity a {locks}
WHERE a.wait_event_type = 'Lock' AND cardinality(pg_blocking_pids(a.pid)) > 0 ORDER BY 3 DESC NULLS LAST LIMIT 200
"""
_LOCKS = (
    "LEFT JOIN (SELECT pid, min(waitstart) AS since FROM pg_locks WHERE NOT granted GROUP BY pid) l ON l.pid = a.pid"
)
_HOLDERS = """
SELECT pid, coalesce(state, ''), extract(epoch FROM clock_timestamp() - xact_start)::float8, query
FROM pg_stat_activity WHERE pid = ANY(%s) AND NOT pid = ANY(%s) ORDER BY 3 DESC NULLS LAST LIMIT 20
"""
_DEADLOCKS = "SELECT deadlocks, stats_reset FROM pg_stat_database WHERE datname = current_database()"
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('pg_stat_statements') AND attnum > 0"
_SLOW = "SELECT query, calls, {mean}::float8 FROM pg_stat_statements ORDER BY {mean} DESC LIMIT 5"
_BEHIND = """
SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
       ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 END
"""
_REPLICAS = "SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_stat_replication"


class Server(Struct, frozen=True):
    """One to ask. `url` holds a password and is never shown."""

    name: str
    url: str

    def __repr__(self) -> str:
        return f"Server({self.name})"


class PostgreSql:
    """Asks each server, side by side, on a connection of its own that it closes."""

    def __init__(self, servers: tuple[Server, ...], *, timeout: float = 5.0, redact: Redact) -> None:
        self._servers = servers
        self._timeout = timeout
        self._redact = redact

    async def look(self, at: datetime) -> Taken[Database]:
        if not self._servers:
            return Taken(at=at, absent="no database is set up: add [[evidence.postgresql]]")
        found = await asyncio.gather(*(self._one(s) for s in self._servers), return_exceptions=True)
        for one in found:
            if isinstance(one, EvidenceError):
                return Taken(at=at, error=one.reason)
            if isinstance(one, BaseException):
                raise one
        return Taken(tuple(one for one in found if isinstance(one, Database)), at)

    async def _one(self, server: Server) -> Database:
        """Raises EvidenceError with the reason; the server's own words never hold the password."""
        import psycopg  # takes a third of a second, and only who has a database needs it

        try:
            async with asyncio.timeout(self._timeout):
                connection = await psycopg.AsyncConnection.connect(
                    server.url, autocommit=True, application_name="tocsin", options=_OPTIONS, connect_timeout=5
                )
                try:
                    return await self._asked(server.name, connection)
                finally:
                    await connection.close()
        except TimeoutError as exc:
            raise EvidenceError(f"{server.name}: no answer within {self._timeout:g} s") from exc
        except psycopg.Error as exc:
            raise EvidenceError(f"{server.name}: {self._redact(' '.join(str(exc).split()))[:200]}") from exc

    async def _asked(self, name: str, connection: AsyncConnection[Any]) -> Database:
        number, most, replica, statements = (await _rows(connection, _FIRST))[0]
        version = number // 10_000
        waiting = await self._waiting(connection, version)
        blocked = [s.pid for s in waiting]
        heads = sorted({pid for s in waiting for pid in s.blockers})
        holders = await _rows(connection, _HOLDERS, (heads, blocked)) if heads else []
        deadlocks, since = (await _rows(connection, _DEADLOCKS))[0]
        behind = (await _rows(connection, _BEHIND if replica else _REPLICAS))[0][0]
        slow, columns = await self._slow(connection) if statements else ((), ())
        return Database(
            name,
            version,
            (await _rows(connection, _CONNECTIONS))[0][0],
            most,
            tuple(waiting),
            tuple(Holder(pid, state, _length(seconds), self._shown(query)) for pid, state, seconds, query in holders),
            slow,
            deadlocks or 0,
            since,
            _length(behind) if behind is not None else None,
            replica,
            columns=columns,
        )

    async def _waiting(self, connection: AsyncConnection[Any], version: int) -> list[Session]:
        """Who waits, the longest first."""
        since, locks = ("coalesce(l.since, a.query_start)", _LOCKS) if version >= 14 else ("a.query_start", "")
        rows = await _rows(connection, _WAITING.format(since=since, locks=locks))
        return [
            Session(pid, tuple(sorted(set(blockers))), _length(seconds), state or "", self._shown(query))
            for pid, blockers, seconds, state, query in rows
        ]

    async def _slow(self, connection: AsyncConnection[Any]) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
        """The slowest statements, and the columns that the view has in this version."""
        columns = tuple(row[0] for row in await _rows(connection, _COLUMNS))
        mean = "mean_exec_time" if "mean_exec_time" in columns else "mean_time"
        if mean not in columns:
            return (), columns
        rows = await _rows(connection, _SLOW.format(mean=mean))
        shown = (Statement(self._shown(q), calls, timedelta(milliseconds=ms or 0)) for q, calls, ms in rows)
        return tuple(shown), columns

    def _shown(self, query: str | None) -> str:
        """A statement without its values: they are other people's data."""
        return self._redact(_LITERAL.sub("?", " ".join((query or "").split())))[:200]


async def _rows(connection: AsyncConnection[Any], query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(query.encode(), values or None)
    return await cursor.fetchall()


def _length(seconds: float | None) -> timedelta:
    return timedelta(seconds=max(float(seconds or 0.0), 0.0))
