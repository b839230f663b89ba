"""What is PostgreSQL's own: opened or refused in one line, written through its restarts, migrated by many at once."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from databases import MIGRATED, Databases, elsewhere
from sqlalchemy import create_engine, make_url

from tocsin.engine.records import AlertRecord
from tocsin.incident.alert import Alert, AlertStatus
from tocsin.incident.events import Entry, Opened
from tocsin.incident.fold import begin
from tocsin.store.database import Store
from tocsin.store.errors import StoreError, StoreUnavailable
from tocsin.store.migrate import HEAD, current, upgrade, walk
from tocsin.store.postgres import Postgres
from tocsin.store.schema import metadata
from tocsin.store.tx import Tx

SECRET = "hunter2"


def record(fingerprint: str) -> AlertRecord:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return AlertRecord(
        Alert(fingerprint, AlertStatus.FIRING, {"alertname": "Slow"}, {}, at, None, "test"), None, at, at
    )


def refused(url: str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert "\n" not in str(caught.value)
    assert SECRET not in f"{caught.value!s} {caught.value!r}"
    return caught.value


def with_password(databases: Databases, name: str) -> str:
    """A database whose user must give a password, which is another one."""
    hba = databases.server.data / "pg_hba.conf"
    hba.write_text(f"host all {name} 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    databases.server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'another'; SELECT pg_reload_conf()")
    return databases.server.url("postgres", user=name, password=SECRET)


def test_a_wrong_password_is_refused_and_not_repeated(databases: Databases) -> None:
    said = str(refused(with_password(databases, "locked")))
    assert said.endswith('failed for user "locked": check user and password in the database URL')


def test_a_database_that_is_not_there_is_refused_with_the_command_that_makes_it(databases: Databases) -> None:
    said = str(refused(databases.server.url("absent", password=SECRET)))
    assert said.endswith('database "absent" does not exist: create it: createdb absent')


def test_a_user_who_may_make_no_tables_is_told_what_to_grant(databases: Databases) -> None:
    url = databases.fresh()
    databases.server.execute("CREATE ROLE visitor LOGIN")
    said = str(refused(url.replace("tocsin@", f"visitor:{SECRET}@")))
    assert "let it make tables there: GRANT CREATE ON SCHEMA public TO visitor" in said


def test_a_server_that_is_not_there_may_come_up_yet() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = refused(f"postgresql://tocsin:{SECRET}@127.0.0.1:{unused.getsockname()[1]}/tocsin")
    assert isinstance(found, StoreUnavailable)
    assert str(found).endswith("Connection refused: start the server, or check host and port")


def test_the_short_scheme_is_understood_and_the_name_shows_no_password(postgres_url: str) -> None:
    short = postgres_url.replace("postgresql://tocsin@", f"postgres://tocsin:{SECRET}@")
    with closing(Store(short)) as store:
        assert store.name == postgres_url
        assert store.read(lambda tx: tx.next_number()) == 1
        with pytest.raises(StoreError, match="is on a server, not in a file"):
            _ = store.path


def test_a_url_that_names_no_database_is_refused() -> None:
    assert "names no database: write postgresql://db.example.com/tocsin" in str(refused("postgresql://db.example.com"))


def test_the_schema_is_the_same_at_once_and_through_history(databases: Databases) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    tables = "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r' ORDER BY 1"
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef !~ 'alembic' ORDER BY 1"
    packed = "SELECT attcompression FROM pg_attribute WHERE attrelid = 'incident'::regclass AND attname = 'state'"
    known = "SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'"
    seen = []
    for bring in (walk, upgrade):
        url = databases.fresh()
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        bring(engine)
        assert current(engine) == HEAD
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()
        seen.append(
            (
                elsewhere(url, tables),
                elsewhere(url, indexes),
                elsewhere(url, packed),
            )
        )
    assert seen[0] == seen[1]
    assert seen[0][2] == [("l" if "lz4" in elsewhere(url, known)[0][0] else "",)]
    assert [name for name, _ in seen[0][0]] == ["incident", "work"]


def test_replicas_that_start_together_on_an_empty_database_make_it_once(databases: Databases) -> None:
    url = databases.fresh()
    with ThreadPoolExecutor(4) as pool:
        for store in pool.map(Store, [url] * 4):
            store.close()
    assert elsewhere(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_what_no_database_can_keep_in_a_text_is_kept_as_its_picture(postgres_url: str) -> None:
    with closing(Store(postgres_url)) as store:
        store.write(lambda tx: tx.put_setting("a", "zero \0 byte")).result()
        assert store.read(lambda tx: tx.setting("a")) == "zero \u2400 byte"


def test_writing_and_reading_go_on_after_every_connection_was_cut(postgres_url: str) -> None:
    with closing(Store(postgres_url)) as store:
        store.write(lambda tx: tx.put_setting("a", "1")).result()
        store.read(lambda tx: tx.setting("a"))
        elsewhere(postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        assert store.read(lambda tx: tx.setting("a")) == "1"
        store.write(lambda tx: tx.put_setting("a", "2")).result()
        assert store.read(lambda tx: tx.setting("a")) == "2"


def test_a_connection_cut_half_way_keeps_nothing_and_is_unavailable(postgres_url: str) -> None:
    with closing(Store(postgres_url)) as store:

        def cut(tx: Tx) -> None:
            tx.put_setting("a", "half")
            elsewhere(
                postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )

        with pytest.raises(StoreUnavailable, match="the database went away while it wrote"):
            store.write(cut).result(10)
        assert store.read(lambda tx: tx.setting("a")) is None
        store.write(lambda tx: tx.put_setting("a", "whole")).result(10)


def test_a_commit_whose_answer_is_lost_is_looked_up_and_told_as_what_it_was(postgres_url: str) -> None:
    url = make_url(postgres_url)
    with (
        losing_answers(url.port or 0) as (port, lose),
        closing(Store(url.set(port=port).render_as_string())) as store,
    ):
        lose.set()
        store.write(lambda tx: tx.put_setting("a", "1")).result(20)
        assert not lose.is_set()
        assert elsewhere(postgres_url, "SELECT value FROM setting") == [("1",)]


def test_it_is_known_of_a_transaction_whether_it_was_kept(postgres_url: str) -> None:
    database = Postgres(make_url(postgres_url), busy_seconds=1)
    database.writing.connect().begin().close()
    names = []
    with closing(psycopg.connect(postgres_url)) as connection:
        for end in (connection.commit, connection.rollback):
            row = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
            names.append(row[0] if row else "")
            end()
    assert [database.was_committed(name) for name in names] == [True, False]
    database.dispose()


def test_after_a_crash_nobody_can_tell_for_its_id_may_be_anothers(databases: Databases) -> None:
    database = Postgres(make_url(databases.emptied()), busy_seconds=1)
    with database.writing.connect() as connection:
        connection.begin()
        name = database.transaction(connection)
        databases.server.restart(signal.SIGQUIT)
        for _ in range(3):  # others are given ids meanwhile, this one's among them
            databases.server.execute("CREATE TABLE once (x int); DROP TABLE once", database=MIGRATED)
        assert database.was_committed(name) is None
        connection.invalidate()
    database.dispose()


@contextmanager
def losing_answers(server: int) -> Iterator[tuple[int, threading.Event]]:
    """A port that leads to the server. Once the event is set, the next COMMIT's answer is lost with its connection."""
    lose = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def lead(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", server)) as behind:
            back = threading.Thread(target=pump, args=(behind, client))
            back.start()
            while data := receive(client):
                if b"COMMIT" in data and lose.is_set():
                    lose.clear()
                    client.shutdown(socket.SHUT_RDWR)  # nothing of what follows arrives
                behind.sendall(data)
            behind.shutdown(socket.SHUT_WR)
            back.join(5)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=lead, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], lose
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def pump(source: socket.socket, target: socket.socket) -> None:
    while data := receive(source):
        try:
            target.sendall(data)
        except OSError:
            return


@pytest.mark.parametrize(
    ("said", "kept"),
    [("zero \0 byte", "zero \u2400 byte"), ("\\\0", "\\\u2400"), ("\\u0000", "\\u0000"), ("é\u2028", "é\u2028")],
)
def test_a_set_of_rows_keeps_texts_as_they_are_but_for_nul(postgres_url: str, said: str, kept: str) -> None:
    opened = Entry(
        1, datetime(2026, 1, 5, tzinfo=UTC), said, Opened("Trouble", "SEV1", "said", "shop", "declared", "d")
    )

    def keep(tx: Tx) -> None:
        tx.save(begin("id1", 1, opened), lambda: None, new=True)
        tx.append("id1", [opened])

    with closing(Store(postgres_url)) as store:
        store.write(keep).result()
        assert [entry.actor for entry in store.read(lambda tx: tx.timeline("id1"))] == [kept]


def test_a_large_job_is_not_taken_for_a_frozen_one(postgres_url: str) -> None:
    def slowly(tx: Tx) -> None:
        tx._c.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '900ms'")
        for number in range(4):
            time.sleep(0.6)
            tx.put_alert(record(str(number)), new=True)

    with closing(Store(postgres_url)) as store:
        store.write(slowly).result()
        assert store.read(lambda tx: tx.alert("3")) == record("3")
