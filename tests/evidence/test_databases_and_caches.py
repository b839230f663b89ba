"""PostgreSQL, Redis, health addresses and dependencies, each against something real on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import psycopg
import pytest

from tocsin.evidence.kube.logs import read_log
from tocsin.evidence.postgresql import PostgreSql
from tocsin.evidence.postgresql import Server as Database
from tocsin.evidence.reaching import Address, Dependencies, Endpoints
from tocsin.evidence.redis import Redis
from tocsin.evidence.redis import Server as Cache

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


async def test_who_waits_for_whom_is_seen(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    async with (
        await psycopg.AsyncConnection.connect(url) as holder,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as waiter,
    ):
        await holder.execute("CREATE TEMP TABLE mine (x int)")
        await holder.execute("SELECT pg_advisory_xact_lock(4711)")
        blocked = asyncio.create_task(waiter.execute("SELECT pg_advisory_xact_lock(4711), 'secret-value'"))
        found = await _until_waiting(PostgreSql((Database("main", url),), redact=str))
        await holder.rollback()
        await blocked
    assert found.waiting[0].blockers == (found.holders[0].pid,)
    assert found.holders[0].state == "idle in transaction"
    assert "secret-value" not in repr(found)
    assert found.version >= 10
    assert 0 < found.connections < found.most


async def _until_waiting(asked: PostgreSql):  # type: ignore[no-untyped-def]
    for _ in range(100):
        taken = await asked.look(AT)
        if taken.items and taken.items[0].waiting and taken.items[0].holders:
            return taken.items[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"nobody waits: {taken}")


async def test_a_database_that_is_not_there_is_unknown_and_keeps_its_password() -> None:
    asked = PostgreSql((Database("main", "postgresql://u:hush-hush@127.0.0.1:1/x"),), redact=str)
    taken = await asked.look(AT)
    assert taken.error.startswith("main: ")
    assert "hush-hush" not in f"{taken!r} {asked!r} {Database('main', 'postgresql://u:hush-hush@h/x')!r}"


async def test_none_set_up_is_absent_and_no_trouble() -> None:
    for taken in (await PostgreSql((), redact=str).look(AT), await Redis(()).look(AT), await Dependencies(()).look(AT)):
        assert taken.absent
        assert not taken.trouble
        assert not taken.whole


@asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[int]:
    """A port on which everything that comes is answered so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_redis_says_what_it_is_short_of() -> None:
    info = b"# Server\r\nredis_version:7.2.4\r\nmaxclients:10\r\nrejected_connections:3\r\nloading:0\r\nrole:master\r\n"
    async with listening(b"$%d\r\n%s\r\n" % (len(info), info)) as port:
        taken = await Redis((Cache("cache", f"redis://127.0.0.1:{port}"),)).look(AT)
    assert [(c.version, c.most_clients, c.rejected, c.loading) for c in taken.items] == [("7.2.4", 10, 3, False)]


@pytest.mark.parametrize("answer", [b"-NOAUTH Authentication required.\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_what_is_no_redis_is_unknown(answer: bytes) -> None:
    async with listening(answer) as port:
        taken = await Redis((Cache("cache", f"redis://127.0.0.1:{port}"),)).look(AT)
    assert taken.error.startswith("cache: ")


async def test_any_answer_of_a_dependency_is_reached_and_a_refusal_is_not() -> None:
    async with listening(b"?") as port:
        tried = Dependencies((Address("there", "127.0.0.1", port), Address("gone", "127.0.0.1", 1)))
        taken = await tried.look(AT)
    assert [(d.name, d.reached) for d in taken.items] == [("there", True), ("gone", False)]
    assert taken.items[1].reason == "connection refused"


async def test_a_name_that_nobody_knows_is_said() -> None:
    taken = await Dependencies((Address("x", "no-such-host.invalid", 80),)).look(AT)
    assert "name is not known" in taken.items[0].reason


async def test_a_health_address_tells_status_and_first_words_without_its_credentials() -> None:
    async with (
        listening(b"HTTP/1.1 503 No\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ndown") as port,
        httpx.AsyncClient() as client,
    ):
        url = f"http://user:hush-hush@127.0.0.1:{port}/health?token=hush-hush"
        taken = await Endpoints({"backend": url}, client, redact=str).look(AT)
    found = taken.items[0]
    assert (found.status, found.healthy, found.body, found.kind) == (503, False, "down", "text/plain")
    assert "hush-hush" not in repr(found)


async def test_no_answer_is_no_status() -> None:
    async with httpx.AsyncClient() as client:
        taken = await Endpoints({"x": "http://127.0.0.1:1/health"}, client, redact=str).look(AT)
    assert (taken.items[0].status, taken.items[0].healthy) == (None, False)


@pytest.mark.parametrize(("line", "state"), [
    ('ERROR: column "total" does not exist', "42703"),
    ("org.postgresql.util.PSQLException: ERROR: deadlock detected", "40P01"),
    ("failed: SQLSTATE[23505] duplicate", "23505"),
    ("could not extend file: No space left on device", "53100"),
    ("level=error msg=timeout", ""),
    ("200 GET /", ""),
])  # fmt: skip
def test_a_log_is_read_for_what_the_database_said(line: str, state: str) -> None:
    found = read_log("pod", f"2026-01-05T03:00:00Z {line}\n" * 3, redact=str)
    assert [f.state for f in found.failures] == ([state] if state else [])
    assert found.errors == (3 if state or "error" in line else 0)
