"""A PostgreSQL of our own: fresh data in a folder that goes away again, on loopback, never run as root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

PATIENCE = 30.0
ABSENT = "no PostgreSQL server programs (apt install postgresql): initdb and postgres are not on PATH"
_SPEEDY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""For what is thrown away at the end anyway; never for a measurement."""


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None when this machine has none. Debian keeps them off PATH."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    folders = [Path(on_path).resolve().parent, *debian] if on_path else debian
    return next((f for f in folders if (f / "postgres").exists() and (f / "initdb").exists()), None)


class Cluster:
    """One server. `durable` syncs to the disk as a real one does. Its users may connect without a password."""

    def __init__(self, *, durable: bool) -> None:
        found = programs()
        if found is None:
            raise RuntimeError(ABSENT)
        self._programs = found
        self._durable = durable
        self._user, self._group = _ordinary()
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
        if self._user is not None and self._group is not None:
            os.chown(self.folder, self._user, self._group)
        self.port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [str(found / "initdb"), "-D", str(self.data), "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--locale=C",
             "--no-sync"],
            check=True, capture_output=True, cwd=self.folder, user=self._user, group=self._group,
            extra_groups=[] if self._user is not None else None,
        )  # fmt: skip

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The first of its processes. Raises RuntimeError when it is not running."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return self._server.pid

    def url(self, database: str, *, user: str = "tocsin", password: str = "") -> str:
        """As it stands in `tocsin.toml`."""
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Comes back once it answers."""
        told = ["listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.folder}"]
        told += [] if self._durable else _SPEEDY
        options = [word for one in told for word in ("-c", one)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.data), *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, user=self._user, group=self._group,
                extra_groups=[] if self._user is not None else None,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > deadline or self._server.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends sessions and tidies up, SIGQUIT is a crash (pg_ctl's fast and immediate)."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(timeout=PATIENCE)
            self._server = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def remove(self) -> None:
        """Nothing is left of it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, database: str, *, template: str = "template0") -> str:
        """The URL of a new database, a copy of `template`."""
        self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Whoever is still connected is sent away."""
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _ordinary() -> tuple[int | None, int | None]:
    """(user, group) to run as when we are root, which PostgreSQL refuses; None when we are somebody else."""
    if os.geteuid() != 0:
        return None, None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    return 65534, 65534


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def cluster(*, durable: bool) -> Iterator[Cluster]:
    """A running server, removed at the end."""
    made = Cluster(durable=durable)
    try:
        made.start()
        yield made
    finally:
        made.remove()
