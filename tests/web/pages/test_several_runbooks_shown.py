"""Several runbooks on `/runbook`, in the API and in a test alert's forecast."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sites import SETTINGS, URL, refusal

from tocsin.bootstrap import House, compose
from tocsin.config import load
from tocsin.engine.credentials import API, mint
from tocsin.engine.fakes import VirtualClock
from tocsin.incident.policy import Role
from tocsin.store.database import Store
from tocsin.web.app import create_app

Shown = Callable[[httpx.Response], str]
SHOP = (
    "# The shop\n\n## Severity levels\n\n| Severity | Description | Response Time |\n|---|---|---|\n"
    "| SEV1 | Nobody can buy | 15 minutes |\n| SEV2 | Some cannot | 1 hour |\n"
)
PAY = SHOP.replace("The shop", "Payments").replace("SEV", "P") + "\n## See\n\n- [Refunds](./refunds.md)\n"
RUNBOOKS = """
[runbooks.payments]
file = "pay.md"
[[routes]]
match = 'service="backend"'
runbook = "payments"
severity = "P1"
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "shop.md").write_text(SHOP)
    (tmp_path / "pay.md").write_text(PAY)
    (tmp_path / "refunds.md").write_text("# Refunds\n\nAsk Dana first.\n")
    (tmp_path / "tocsin.toml").write_text(f'runbook = "shop.md"\n{SETTINGS}{RUNBOOKS}')
    store = Store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield compose(load(tmp_path / "tocsin.toml", environ={}), store=store, clock=VirtualClock())
    store.close()


@pytest.fixture
async def asked(house: House) -> AsyncIterator[httpx.AsyncClient]:
    token = mint(house.core.storage, name="Ana", role=Role.RESPONDER, kind=API, now=house.desk.now(), lasts=None)
    transport = httpx.ASGITransport(app=create_app(house))
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers={"Authorization": f"Bearer {token}"}) as c:
        yield c


async def test_each_runbook_has_its_page_with_the_routes_that_choose_it(asked: httpx.AsyncClient, shown: Shown) -> None:
    text = shown(await asked.get("/runbook?name=payments"))
    assert "Payments" in text
    assert 'In force for what these routes match: service="backend"' in text
    assert "Main runbook payments" in shown(await asked.get("/runbook"))
    assert (await asked.get("/runbook?name=other")).status_code == 404


async def test_what_another_runbook_links_to_can_be_read(asked: httpx.AsyncClient, shown: Shown) -> None:
    assert "Ask Dana first" in shown(await asked.get("/runbook/linked?to=./refunds.md&name=payments"))
    assert "Ask Dana first" in shown(await asked.get("/runbook/linked?to=./refunds.md"))
    assert (await asked.get("/runbook/linked?to=./tocsin.toml&name=payments")).status_code == 404


async def test_the_api_gives_each_by_its_name(asked: httpx.AsyncClient) -> None:
    main = (await asked.get("/api/v1/runbook")).json()
    other = (await asked.get("/api/v1/runbook?name=payments")).json()
    assert [s["name"] for s in (*main["severities"], *other["severities"])] == ["SEV1", "SEV2", "P1", "P2"]
    assert main["names"] == other["names"] == ["payments"]
    refusal(await asked.get("/api/v1/runbook?name=other"), 404)


async def test_an_incident_is_declared_by_the_name_of_a_runbook(asked: httpx.AsyncClient) -> None:
    made = await asked.post("/api/v1/incidents", json={"title": "Cards fail", "severity": "P1", "runbook": "payments"})
    assert (made.status_code, made.json()["severity"]) == (201, "P1")
    wrong = await asked.post("/api/v1/incidents", json={"title": "Cards fail", "runbook": "pay"})
    assert [e["name"] for e in refusal(wrong, 422)["errors"]] == ["runbook"]
