"""Sites, each on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest
from sites import SETTINGS, Site, opened

from tocsin.store.database import Store


class Opener(Protocol):
    async def __call__(self, *, settings: str = SETTINGS, alert_token: str | None = None) -> Site: ...


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "empty.db"
    Store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
async def opener(tmp_path: Path, empty_database: Path) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:

        async def open_site(*, settings: str = SETTINGS, alert_token: str | None = None) -> Site:
            return await opened(stack, tmp_path, settings, database=empty_database, alert_token=alert_token)

        yield open_site


@pytest.fixture
async def site(opener: Opener) -> Site:
    return await opener()
