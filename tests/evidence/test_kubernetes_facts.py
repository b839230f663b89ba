"""Objects of the Kubernetes API become facts: the practice cluster's, recorded ones of a real cluster, broken ones."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clusters import lab_cluster

from tocsin.diagnosis import changes
from tocsin.diagnosis.facts import Facts, Subject
from tocsin.evidence.kube import objects
from tocsin.evidence.kube.client import Client
from tocsin.evidence.kube.cluster import Cluster
from tocsin.evidence.kube.values import instant, quantity
from tocsin.lab.production import Production, kubeconfig

RECORDED = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "k8s"
NONE = timedelta(0)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with lab_cluster(tmp_path_factory.mktemp("evidence")) as running:
        yield running


async def asked(kubeconfig: str, facts: Facts, **more: Any) -> Facts:
    client = Client(kubeconfig=kubeconfig, now=now, timeout=40, **more)
    try:
        return await Cluster(client, now=now, redact=str).look(facts)
    finally:
        await client.close()


async def look(production: Production, *, workload: str = "backend", **more: Any) -> Facts:
    about = Facts(now(), now(), Subject("", production.namespace, "deployment", workload))
    return await asked(str(production.kubeconfig), about, **more)


def recorded(name: str) -> list[dict[str, Any]]:
    if not RECORDED.is_dir():
        pytest.skip("the recorded answers are not beside the project")
    found = json.loads(json.loads((RECORDED / f"{name}.json").read_text())["stdout"])
    items: list[dict[str, Any]] = found["items"]
    return items


async def test_everything_that_the_cluster_says_is_known(production: Production) -> None:
    facts = await look(production)
    named = (
        "workloads",
        "revisions",
        "pods",
        "events",
        "autoscalers",
        "nodes",
        "usage",
        "jobs",
        "applications",
        "logs",
    )
    assert {name: getattr(facts, name).trouble for name in named} == dict.fromkeys(named, "")
    assert {p.workload for p in facts.pods.items} >= {"backend", "frontend"}
    assert {logs.pod for logs in facts.logs.items} == {p.name for p in facts.pods.items if p.workload == "backend"}


async def test_a_deployment_is_a_change_and_says_what_changed(production: Production) -> None:
    production.deploy("v1.1")
    production.until(lambda: production.version() == "v1.1", seconds=20, what="v1.1 runs")
    for _ in range(40):  # the cluster's controllers take a moment to tell of it
        facts = await look(production)
        change = next(c for c in changes.latest(facts) if c.workload.name == "backend")
        if change.real:
            break
        await asyncio.sleep(0.25)
    assert change.real
    assert "v1 -> " in change.differences[0]
    assert change.differences[0].endswith(":v1.1")


async def test_a_restart_is_no_change(production: Production) -> None:
    production.restart("worker")
    facts = await look(production, workload="worker")
    change = next(c for c in changes.latest(facts) if c.workload.name == "worker")
    assert not change.real


async def test_who_may_not_read_is_told_so_for_each_list(production: Production) -> None:
    facts = await look(production, context="stranger")
    assert "forbidden" in facts.workloads.error
    assert "forbidden" in facts.pods.error
    assert not facts.pods.whole


async def test_a_cluster_that_is_not_there_makes_everything_unknown(tmp_path: Path, production: Production) -> None:
    elsewhere = tmp_path / "config"
    text = production.kubeconfig.read_text()
    elsewhere.write_text(text.replace(str(production.api_port), "1"))
    facts = await asked(str(elsewhere), Facts(now(), now(), Subject("", "production", "deployment", "backend")))
    assert facts.workloads.error.startswith("Kubernetes: ")
    assert facts.logs.trouble


async def test_a_kubeconfig_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    facts = await asked(str(tmp_path / "none"), Facts(now(), now(), Subject("", "x")))
    assert facts.pods.error
    assert "\n" not in facts.pods.error


async def test_permissions_are_asked_as_kubectl_asks(production: Production) -> None:
    change = {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": production.namespace}
    allowed = {}
    for context in ("", "viewer"):
        client = Client(kubeconfig=str(production.kubeconfig), context=context, now=now, timeout=40)
        allowed[context] = await client.allowed(**change)
        await client.close()
    assert allowed == {"": True, "viewer": False}


def test_a_pod_of_a_real_cluster_says_how_it_ended_before() -> None:
    pods = [objects.pod(given, {}, NONE) for given in recorded("get-pods-json")]
    killed = next(p for p in pods if p.name.startswith("payments-"))
    assert (killed.containers[0].last_reason, killed.containers[0].last_exit_code) == ("OOMKilled", 137)
    looping = next(p for p in pods if p.name.startswith("checkout-74846cf76b"))
    assert (looping.containers[0].reason, looping.workload, looping.ready) == ("CrashLoopBackOff", "checkout", False)


def test_events_of_a_real_cluster_have_their_times_in_either_form() -> None:
    events = [objects.event(given, NONE) for given in recorded("get-events-json")]
    assert all(one.first_at and one.last_at and one.last_at >= one.first_at for one in events)
    assert {"Scheduled", "BackOff"} <= {one.reason for one in events}


def test_instants_are_moved_to_our_clock() -> None:
    ahead = objects.event({"firstTimestamp": "2026-01-05T03:00:00Z"}, timedelta(seconds=90))
    assert ahead.first_at == datetime(2026, 1, 5, 3, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(("text", "value"), [
    ("128Mi", 128 * 2**20), ("250m", 0.25), ("1", 1.0), ("1e3", 1000.0), ("2G", 2e9), ("7n", 7e-9),
    ("x", None), (None, None),
])  # fmt: skip
def test_quantities(text: str | None, value: float | None) -> None:
    assert quantity(text) == value


def test_what_is_no_instant_is_none() -> None:
    assert (instant(None), instant(""), instant("yesterday")) == (None, None, None)


@pytest.mark.parametrize("made", [
    objects.event, objects.node, objects.usage, objects.job, objects.application, objects.autoscaler,
    objects.replica_set, objects.controller_revision,
])  # fmt: skip
@pytest.mark.parametrize("given", [{}, {"metadata": None, "spec": [], "status": "x", "containers": 3, "data": 1}])
def test_a_misshapen_object_breaks_nothing(made: Any, given: dict[str, Any]) -> None:
    assert made(given, NONE) is not None


def test_a_template_keeps_no_value_of_a_variable() -> None:
    given = {"spec": {"containers": [{"name": "app", "image": "x:1", "env": [{"name": "KEY", "value": "hush-hush"}]}]}}
    made = objects.template(given)
    assert "hush-hush" not in repr(made)
    assert set(made.containers[0].environment) == {"KEY"}


def test_an_autoscaler_says_what_it_is_kept_at() -> None:
    given = {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "backend"}, "maxReplicas": 10, "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}}]},
        "status": {"currentReplicas": 10, "currentMetrics": [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 96}}}]},
    }  # fmt: skip
    gauge = objects.autoscaler(given, NONE).gauges[0]
    assert (gauge.name, gauge.current, gauge.target) == ("cpu", 96, 70)


async def test_a_cluster_that_is_given_up_on_leaves_no_traceback(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        config = tmp_path / "config"
        config.write_text(kubeconfig(server.sockets[0].getsockname()[1], "production"), encoding="utf-8")
        client = Client(kubeconfig=str(config), now=now, timeout=0.3)
        about = Facts(now(), now(), Subject("", "production", "deployment", "backend"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await Cluster(client, now=now, redact=str).look(about)
        late = await Cluster(client, now=now, redact=str).look(about)
        await client.close()
    gc.collect()
    assert (late.pods.error, said) == ("no answer within 0.3 s", [])
