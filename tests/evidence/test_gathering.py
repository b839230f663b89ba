"""Everything at once: a source that hangs, fails or is not set up is unknown, and holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from clusters import lab_cluster

from tocsin.diagnosis.deciders import decide
from tocsin.diagnosis.facts import Facts, Subject
from tocsin.diagnosis.questions import Topic
from tocsin.evidence.gathering import Gathering
from tocsin.evidence.kube.client import Client
from tocsin.evidence.kube.cluster import Cluster
from tocsin.evidence.measuring import Measuring, Names
from tocsin.evidence.postgresql import PostgreSql
from tocsin.evidence.prometheus import Prometheus
from tocsin.evidence.reaching import Address, Dependencies, Endpoints
from tocsin.evidence.redis import Redis, Server
from tocsin.lab.production import Production

ABOUT = Subject("backend", "production", "deployment", "backend")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
async def hanging() -> AsyncIterator[int]:
    """A port that takes every connection and answers none."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def gathering(http: httpx.AsyncClient, *, port: int = 1, complete: bool = False) -> Gathering:
    """Everything set up, all of it at that port."""
    url = f"http://127.0.0.1:{port}"
    return Gathering(
        cluster=None,
        measuring=Measuring(Prometheus(url, http, timeout=0.2)),
        databases=PostgreSql((), timeout=0.2, redact=str),
        caches=Redis((Server("cache", f"redis://127.0.0.1:{port}"),), timeout=0.2),
        endpoints=Endpoints({"backend": f"{url}/health"}, http, timeout=0.2, redact=str),
        dependencies=Dependencies((Address("cache", "127.0.0.1", port),), timeout=0.2),
        now=now,
        timeout=0.5,
        complete=complete,
    )


async def test_sources_that_hang_are_unknown_and_say_so(http: httpx.AsyncClient, hanging: int) -> None:
    facts = await gathering(http, port=hanging).facts(ABOUT, reported_at=now())
    assert "no answer within" in facts.series.error
    assert "no answer within" in facts.caches.error
    assert facts.endpoints.items[0].status is None
    assert facts.dependencies.items[0].reached


async def test_sources_that_refuse_are_told_apart_from_those_that_are_not_set_up(http: httpx.AsyncClient) -> None:
    facts = await gathering(http).facts(ABOUT, reported_at=now())
    assert facts.series.error.startswith("Prometheus: ")
    assert (facts.workloads.absent, facts.databases.absent) != ("", "")
    assert (facts.workloads.error, facts.databases.error) == ("", "")


async def test_who_vouches_that_all_is_set_up_has_no_absent_databases(http: httpx.AsyncClient) -> None:
    facts = await gathering(http, complete=True).facts(ABOUT, reported_at=now())
    assert facts.databases.whole
    assert facts.workloads.absent


async def test_an_alert_from_the_future_is_of_now(http: httpx.AsyncClient) -> None:
    facts = await gathering(http).facts(ABOUT, reported_at=now() + timedelta(hours=1))
    assert facts.reported_at <= facts.at


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with lab_cluster(tmp_path_factory.mktemp("gathering")) as running:
        yield running


async def test_a_bad_version_is_blamed_from_what_was_really_measured(
    production: Production, http: httpx.AsyncClient
) -> None:
    client = Client(kubeconfig=str(production.kubeconfig), now=now, timeout=40)
    gathers = Gathering(
        cluster=Cluster(client, now=now, redact=str),
        measuring=Measuring(Prometheus(production.prometheus_url, http), names=Names(every=timedelta(seconds=1))),
        databases=PostgreSql((), redact=str),
        caches=Redis((Server("redis", production.redis_url),)),
        endpoints=Endpoints({}, http, redact=str),
        dependencies=Dependencies(
            (Address("redis", "127.0.0.1", int(production.redis_url.split(":")[2].split("/")[0])),)
        ),
        now=now,
        timeout=60,
        complete=True,
    )
    await gathers.warm()
    before = {pod["metadata"]["name"] for pod in production.pods("backend")}
    await asyncio.sleep(8)  # measurements of how it usually is
    production.deploy("v2")
    facts = await _until_decided(gathers)
    later = await _until_replaced(gathers)
    await client.close()
    assert {p.name for p in later.earlier if p.workload == "backend"} <= before
    found = decide(Topic.DEPLOYMENT, facts)
    assert (found.answer, found.about) == ("yes", "deployment/backend")
    assert any("v1 -> " in line for line in found.evidence)


async def _until_decided(gathers: Gathering) -> Facts:
    reported = now()
    for _ in range(60):
        facts = await gathers.facts(ABOUT, reported_at=reported)
        if decide(Topic.DEPLOYMENT, facts).answer == "yes":
            break
        await asyncio.sleep(0.5)
    return facts


async def _until_replaced(gathers: Gathering) -> Facts:
    """What is known once a pod that was met in calm is there no more."""
    for _ in range(120):
        facts = await gathers.facts(ABOUT, reported_at=now())
        if any(p.workload == "backend" for p in facts.earlier):
            return facts
        await asyncio.sleep(0.5)
    raise AssertionError("no pod was ever replaced")
