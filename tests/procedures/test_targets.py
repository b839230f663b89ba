"""What a kubectl command acts on, and looking at it with a kubectl that is made up."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tocsin.incident.mitigations import NOWHERE, Footing
from tocsin.procedures.cluster import KubectlCluster
from tocsin.procedures.runner import Runner, Settings
from tocsin.procedures.targets import Target, asks_cluster, namespace, target
from tocsin.runbook.shell import read_command, split_fence

KUBECTL = """#!/bin/bash
echo "$@" >> {log}
case "$*" in
  "config current-context") echo production;;
  "config view"*) echo https://one;;
  "get deployment backend -n shop -o json") echo '{{"metadata": {{"generation": 7}}, "spec": {{"replicas": 3}}}}';;
  "get pods -n shop -o name") printf 'pod/backend-1\\npod/--evil\\npod/backend-2\\n';;
  *) echo "Error from server (Forbidden): no" >&2; exit 1;;
esac
"""


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("kubectl rollout undo deployment/backend -n shop", Target("deployment", "backend", "shop")),
        ("kubectl -n shop scale deploy backend --replicas=5", Target("deployment", "backend", "shop")),
        ("kubectl rollout restart sts/db --namespace=shop", Target("statefulset", "db", "shop")),
        ("kubectl rollout restart deployment/<name>", Target("deployment", "<name>")),
        ("kubectl delete pod backend-1", None),
        ("kubectl scale deploy/a --replicas=1; kubectl scale deploy/b --replicas=1", None),
        ("echo 'unclosed", None),
    ],
)
def test_the_workload_of_a_command_is_read_or_not_guessed(command: str, found: Target | None) -> None:
    assert target(command) == found


def test_namespace_and_cluster_are_read_from_the_words() -> None:
    assert namespace("kubectl get pods -n shop") == "shop"
    assert namespace("kubectl get pods") == ""
    assert asks_cluster("helm rollback backend")
    assert not asks_cluster("systemctl restart nginx")


@pytest.fixture
def cluster(tmp_path: Path) -> KubectlCluster:
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL.format(log=tmp_path / "asked"))
    program.chmod(0o755)
    return KubectlCluster(Runner(Settings(environment={"PATH": f"{tmp_path}:/usr/bin:/bin"})))


async def footing(cluster: KubectlCluster, command: str, values: Mapping[str, str] | None = None) -> Footing:
    (step,) = split_fence(f"# Do\n{command}", line=1).steps
    return await cluster.footing(step, environment=(), values=values or {})


async def test_the_footing_names_cluster_target_generation_and_replicas(cluster: KubectlCluster) -> None:
    found = Footing("production (https://one)", "deployment/backend in shop, generation 7", 3)
    assert await footing(cluster, "kubectl rollout undo deployment/backend -n shop") == found
    assert await footing(cluster, "kubectl rollout undo deployment/<name> -n shop", {"name": "backend"}) == found


async def test_what_cannot_be_read_is_unknown_and_what_is_no_cluster_is_not_asked(cluster: KubectlCluster) -> None:
    other = await footing(cluster, "kubectl rollout undo deployment/other -n shop")
    assert other.target == "deployment/other in shop, generation unknown"
    assert await footing(cluster, "systemctl restart nginx") == NOWHERE
    own = await footing(cluster, "kubectl --context=staging rollout undo deployment/backend -n shop")
    assert own.context == "as the command itself says: --context=staging"


async def test_pods_are_listed_once_for_all_who_ask_and_only_usable_names(
    cluster: KubectlCluster, tmp_path: Path
) -> None:
    (step,) = split_fence("# Logs\nkubectl logs <pod-name> -n shop", line=1).steps
    for _ in range(3):
        found = await cluster.choices(step.placeholders[0], step, environment=())
        assert found.values == ("backend-1", "backend-2")
    assert (tmp_path / "asked").read_text().count("get pods") == 1


async def test_when_they_cannot_be_listed_it_is_said_why(cluster: KubectlCluster) -> None:
    (step,) = split_fence("# Logs\nkubectl logs <pod-name> -n other", line=1).steps
    found = await cluster.choices(step.placeholders[0], step, environment=())
    assert (found.values, "Forbidden" in found.reason) == ((), True)
    (text,) = read_command("grep <text> file", line=1).placeholders
    assert (await cluster.choices(text, step, environment=())).reason == "there is no list of every text"
