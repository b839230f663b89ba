"""The database's pod: a real PostgreSQL when its binaries are there, else a listener that accepts and says nothing.

PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`, in a directory of its own that ends with it.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from tocsin.lab import lifeline
from tocsin.lab.apps.container import Container, enter
from tocsin.lab.apps.postgres import Connection, SqlError

_SETTINGS = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=16MB",
    "log_lock_waits=on", "deadlock_timeout=300ms", "log_line_prefix='%m [%p] %e '", "wal_level=minimal",
    "max_wal_senders=0", "autovacuum=off",
)  # fmt: skip
_SCHEMA = """
CREATE TABLE scenarios (id serial PRIMARY KEY, project_id int, title text, created_at timestamptz DEFAULT now());
CREATE TABLE runs (id serial PRIMARY KEY, scenario_id int, status text, finished_at timestamptz);
CREATE TABLE schema_migrations (version text PRIMARY KEY, dirty boolean NOT NULL DEFAULT false);
INSERT INTO schema_migrations VALUES ('20261101_init', false);
INSERT INTO scenarios (project_id, title) SELECT n % 7, 'scenario ' || n FROM generate_series(1, 50) n;
INSERT INTO runs (scenario_id, status) SELECT n, 'queued' FROM generate_series(1, 50) n;
"""


class Programs(NamedTuple):
    """PostgreSQL's own programs."""

    initdb: str
    postgres: str


def programs() -> Programs | None:
    """Where they are: on PATH, or where Debian keeps them; None when they are not here."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/bin", *map(str, folders)])
    initdb, postgres = shutil.which("initdb", path=path), shutil.which("postgres", path=path)
    return Programs(initdb, postgres) if initdb and postgres else None


def owner() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as when this process is root; None when it may run as who we are."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def main(arguments: list[str]) -> int:
    """Serve until stopped; the one argument is what `container.Given` says, as JSON."""
    container = enter(arguments[0])
    found = programs()
    if found is None or container.given["env"].get("REAL") != "1":
        container.log.line("INFO", "database system is ready to accept connections")
        _accept(container)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="tocsin-lab-pg-"))
    try:
        return _serve(container, found, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _accept(container: Container) -> None:
    """Take connections and drop them: only the port is open."""
    listener = socket.socket(fileno=container.given["descriptor"])
    listener.settimeout(0.2)
    while not container.ended.is_set():
        try:
            listener.accept()[0].close()
        except TimeoutError:
            continue


def _serve(container: Container, found: Programs, folder: Path) -> int:
    who = owner()
    user = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}
    if who:
        os.chown(folder, who.pw_uid, who.pw_gid)
    data = folder / "data"
    made = [found.initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    done = subprocess.run(made, capture_output=True, text=True, check=False, cwd=folder, **user)  # type: ignore[call-overload]
    if done.returncode:
        container.log.write(done.stderr, stream="stderr")
        return 1
    port = int(container.given["env"]["PORT_ON_LOOPBACK"])
    os.close(container.given["descriptor"])  # PostgreSQL opens its own socket; the port stays the same
    settings = [word for each in (*_SETTINGS, "listen_addresses=127.0.0.1", f"port={port}") for word in ("-c", each)]
    settings += ["-c", f"unix_socket_directories={folder}"]
    if (Path(found.postgres).resolve().parents[1] / "lib" / "pg_stat_statements.so").exists():
        settings += ["-c", "shared_preload_libraries=pg_stat_statements"]
    server = subprocess.Popen(
        [found.postgres, "-D", str(data), *settings],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, cwd=folder,
        start_new_session=True, **user,
    )  # type: ignore[call-overload]  # fmt: skip
    threading.Thread(target=_tell, args=(container, server), daemon=True).start()
    _watch_parent(server, folder)
    _prepare(container, port)
    while server.poll() is None and not container.ended.wait(0.1):
        continue
    _end(server)
    return 0 if container.ended.is_set() else 1


def _end(server: "subprocess.Popen[str]") -> None:
    """Stop at once: nothing of it is kept. Its other processes end with its first one."""
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(1)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _watch_parent(server: "subprocess.Popen[str]", folder: Path) -> None:
    """PostgreSQL must not outlive the lab either: replaces the plain lifeline, which would leave it alone."""

    def end() -> None:
        _end(server)
        shutil.rmtree(folder, ignore_errors=True)

    lifeline.before_the_end(end)


def _tell(container: Container, server: "subprocess.Popen[str]") -> None:
    assert server.stdout is not None
    for line in server.stdout:
        container.log.write(line.rstrip("\n"), stream="stderr")


def _prepare(container: Container, port: int) -> None:
    """The extension, then the tables as the application has them: all at once, so whoever sees one finds all done."""
    for _ in range(100):
        try:
            connection = Connection(port, application="init")
        except (OSError, SqlError):
            if container.ended.wait(0.05):
                return
            continue
        try:
            connection.query("CREATE EXTENSION pg_stat_statements")
        except SqlError as exc:
            print(exc, file=sys.stderr)
        connection.query(_SCHEMA)
        connection.close()
        return
