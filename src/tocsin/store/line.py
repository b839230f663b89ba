"""The connection of one transaction, and what PostgreSQL is told ahead on it.

What is told ahead the server carries out while the job goes on deciding: a large job takes the longer of the two times,
not their sum. It is libpq's pipeline mode (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html), without
the driver's: a server that waits inside a pipeline never takes a silent client for frozen, so each statement has to be
a pipeline's end, and the driver waits for the answers there.
"""

from __future__ import annotations

import select
from collections.abc import Iterator

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tocsin.store.errors import of_driver

_BROKEN = (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED)


class Line:
    """Made for one transaction, used by one thread at a time. What was told ahead and failed fails the whole of it:
    nobody knows which job it was of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unanswered = 0
        self._failed: DBAPIError | None = None
        self.dialect = connection.dialect
        self.ahead = self.dialect.name == "postgresql"
        """Whether anything can be told ahead on it."""

    @property
    def connection(self) -> Connection:
        """Free for the next statement, what was told ahead carried out. Raises DBAPIError when any of that failed."""
        self.wait()
        return self._connection

    def tell(self, words: str, value: str) -> None:
        """Has a statement carried out with the value as its `$1`, and does not wait for it. Raises DBAPIError."""
        if self._failed is not None:
            raise self._failed
        server = self._server
        try:
            if not self._unanswered:
                server.enter_pipeline_mode()
            server.send_query_params(words.encode(), [value.encode()])
            server.pipeline_sync()
        except psycopg.Error as exc:
            server.finish()  # what it has heard of this is not known
            self._unanswered = 0
            self._failed = of_driver(self._connection, exc)
            raise self._failed from exc
        self._unanswered += 1

    def wait(self) -> None:
        """Until what was told ahead is carried out. Raises DBAPIError when any of it failed, from then on each time."""
        if self._unanswered:
            self._hear()
        if self._failed is not None:
            raise self._failed

    def _hear(self) -> None:
        server = self._server
        try:
            failed = [result for result in self._answers(server) if result.status in _BROKEN]
            if self._unanswered:
                raise psycopg.OperationalError("the connection was lost")
            server.exit_pipeline_mode()
            if failed:
                raise _error(failed[0])
        except psycopg.Error as exc:
            self._failed = of_driver(self._connection, exc)
        self._unanswered = 0

    def _answers(self, server: PGconn) -> Iterator[PGresult]:
        """What became of each statement, in their order; ends when the connection does."""
        while self._unanswered:
            _wait(server)
            result = server.get_result()
            if result is None and server.status == ConnStatus.BAD:
                return
            if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
                self._unanswered -= 1
            elif result is not None:
                yield result

    @property
    def _server(self) -> PGconn:
        driver: psycopg.Connection[object] = self._connection.connection.driver_connection  # type: ignore[assignment]
        return driver.pgconn


def _error(result: PGresult) -> psycopg.Error:
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    said = result.error_message.decode(errors="replace").strip()
    try:
        return psycopg.errors.lookup(state)(said)
    except KeyError:
        return psycopg.OperationalError(said)


def _wait(server: PGconn) -> None:
    """Until an answer can be read. The library's own waiting would keep every other thread waiting too."""
    waiting = select.poll()
    while server.is_busy():
        waiting.register(server.socket, select.POLLIN | (select.POLLOUT if server.flush() else 0))
        waiting.poll()
        server.consume_input()
