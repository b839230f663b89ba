"""A client of PostgreSQL in a page: the simple query protocol with trust authentication, for the practice programs.

(PostgreSQL documentation, Frontend/Backend Protocol, version 3.0.) They start in a bare interpreter in 50 ms, where
a real driver would take longer to load than they live.
"""

import socket
import struct

CONNECT_TIMEOUT_S = 2.0


class SqlError(Exception):
    """What the server refused; `code` is its SQLSTATE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Connection:
    """One connection to the practice database on loopback."""

    def __init__(self, port: int, *, statement_timeout_ms: int = 0, application: str = "backend") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_TIMEOUT_S)
        self._socket.settimeout(None if not statement_timeout_ms else statement_timeout_ms / 1000 + 5)
        options = {"user": "postgres", "database": "postgres", "application_name": application}
        if statement_timeout_ms:
            options["options"] = f"-c statement_timeout={statement_timeout_ms}"
        body = struct.pack("!I", 196608) + b"".join(f"{k}\0{v}\0".encode() for k, v in options.items()) + b"\0"
        try:
            self._socket.sendall(struct.pack("!I", len(body) + 4) + body)
            self._answer()
        except (OSError, SqlError):
            self._socket.close()
            raise

    def query(self, statement: str) -> list[tuple[str | None, ...]]:
        """The rows of the last result, each value as text.

        Raises:
            SqlError: the server refused.
            OSError: the connection is gone.
        """
        body = statement.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        return self._answer()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _answer(self) -> list[tuple[str | None, ...]]:
        rows: list[tuple[str | None, ...]] = []
        refused: SqlError | None = None
        while True:
            kind = self._exactly(1)
            body = self._exactly(struct.unpack("!I", self._exactly(4))[0] - 4)
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                refused = _error(body)
                if refused.code.startswith(("57P", "28", "3D")):  # the server hangs up after these
                    raise refused
            elif kind == b"Z":
                if refused is not None:
                    raise refused
                return rows

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            chunk = self._socket.recv(count - len(received))
            if not chunk:
                raise ConnectionError("the database closed the connection")
            received += chunk
        return received


def _row(body: bytes) -> tuple[str | None, ...]:
    values: list[str | None] = []
    at = 2
    for _ in range(struct.unpack("!H", body[:2])[0]):
        size = struct.unpack("!i", body[at : at + 4])[0]
        at += 4
        values.append(None if size < 0 else body[at : at + size].decode("utf-8", "replace"))
        at += max(0, size)
    return tuple(values)


def _error(body: bytes) -> SqlError:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    return SqlError(fields.get(b"C", "XX000"), fields.get(b"M", "the database refused"))
