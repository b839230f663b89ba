"""A PostgreSQL for the whole session where the programs are installed; tests that need it are skipped where not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from bench.postgres import ABSENT, cluster, programs
from databases import MIGRATED, Databases

from tocsin.store.database import Store


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that ran inside a test has set up logs on streams that end with the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """A server, and in it a migrated database to copy or to empty."""
    if programs() is None:
        pytest.skip(ABSENT)
    with cluster(durable=False) as server:
        Store(server.create(MIGRATED)).close()
        yield Databases(server)


@pytest.fixture
def postgres_url(databases: Databases) -> str:
    """A migrated PostgreSQL database with nothing in it."""
    return databases.emptied()
