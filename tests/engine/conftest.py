"""Each test has a world on a database file of its own, copied from one that was migrated once."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from engines import Plant, World
from structlog.testing import capture_logs

from tocsin.store.database import Store


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


@pytest_asyncio.fixture
async def world(tmp_path: Path, empty_database: Path) -> AsyncIterator[World]:
    shutil.copy(empty_database, tmp_path / "tocsin.db")
    world = World(tmp_path / "tocsin.db")
    yield world
    await world.end()


@pytest.fixture
def plant(world: World) -> Plant:
    """The first process of the world."""
    return world.start()
