"""An outside judge of `/openapi.json`: schemathesis draws what the document allows and holds every answer against it.

Beside `test_openapi_properties`, which sends what the document does not allow. The draw is the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served import Served, served

from tocsin.incident.policy import Role

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
ENDLESS = "/stream"
NEVER_SAID = (404, 405)
"""What no operation names: a path that a strange word makes another one."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("judged"), database=empty_database) as found:
        yield found


@pytest.fixture(scope="module")
def asked(house: Served) -> dict[str, str]:
    """An administrator's credential, and an incident to ask about."""
    headers = {"Authorization": f"Bearer {house.site.token(Role.ADMIN, 'Ana')}"}
    httpx.post(f"{house.url}/api/v1/incidents", json={"title": "Checkout is down"}, headers=headers, timeout=60)
    return headers


def operations(document: dict[str, Any], url: str) -> list[Any]:
    """All of them but those that never end."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    every = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    return [one for one in every if ENDLESS not in one.path]


def test_every_answer_is_as_the_document_says(house: Served, asked: dict[str, str]) -> None:
    drawn = st.one_of([one.as_strategy() for one in operations(house.site.app.openapi(), house.url)])

    @settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=drawn)
    def judge(case: Any) -> None:
        answer = case.call(headers=asked, timeout=120)
        if answer.status_code not in NEVER_SAID:
            case.validate_response(answer, checks=CHECKS)

    judge()
