"""Each test has a world of its own: a copy of a file that was migrated once, or an emptied PostgreSQL database."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from databases import BOTH
from engines import Plant, World
from structlog.testing import capture_logs

from tocsin.store.database import Store

ON_BOTH = (
    "test_alerts_in",
    "test_approval_binding",
    "test_auditor",
    "test_desk",
    "test_merging",
    "test_drill_alerts",
    "test_outbox",
    "test_silences",
    "test_steps",
    "test_storms",
    "test_trimming",
)


@pytest.fixture(autouse=True)
def said() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, kept instead of printed."""
    with capture_logs() as logged:
        yield logged


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "empty.db"
    Store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """What kind of database the world stands on."""
    return str(getattr(request, "param", "sqlite"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What these modules say of the engine holds on both databases."""
    if "kind" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        metafunc.parametrize("kind", BOTH, indirect=True)


@pytest_asyncio.fixture
async def world(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path
) -> AsyncIterator[World]:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    shutil.copy(empty_database, tmp_path / "tocsin.db")
    world = World(tmp_path / "tocsin.db", url)
    yield world
    await world.end()


@pytest.fixture
def plant(world: World) -> Plant:
    """The first process of the world."""
    return world.start()
