"""A served house and the terminals of its people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served import Served, served
from terminals import Terminal

from tocsin.incident.policy import Role
from tocsin.store.database import Store


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("house")
    database = folder / "empty.db"
    Store(f"sqlite:///{database}").close()
    with served(folder, database=database) as found:
        yield found


@pytest.fixture
def ana(house: Served) -> Terminal:
    return Terminal(house.environment())


@pytest.fixture
def onlooker(house: Served) -> Terminal:
    return Terminal(house.environment(Role.VIEWER, "Olga"))
