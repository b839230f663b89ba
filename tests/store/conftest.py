"""What holds of a store holds on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import BOTH

from tocsin.store.database import Store


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it, of either kind; on PostgreSQL its tables are made."""
    return f"sqlite:///{tmp_path}/tocsin.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url, busy_seconds=0.05)
    yield store
    store.close()
