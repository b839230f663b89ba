"""Deployments' arithmetic, without processes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.lab import rollout
from tocsin.lab.errors import RolloutError
from tocsin.lab.inventory import IMAGE, new_cluster, pending_pod
from tocsin.lab.state import Cluster, Deployment, Pod


def backend(replicas: int = 2) -> tuple[Cluster, Deployment]:
    """A fresh cluster and its backend."""
    cluster = new_cluster(1000.0, replicas=replicas)
    return cluster, cluster["deployments"]["backend"]


def step(deployment: Deployment, pods: list[Pod]) -> list[Pod]:
    """The pods after one plan is carried out; those started become ready at once."""
    plan = rollout.plan(deployment, pods)
    started = [
        pending_pod(f"p{len(pods)}{n}", "backend", template=hash_, now=0.0) for n, hash_ in enumerate(plan.start)
    ]
    for pod in started:
        pod["ready"] = True
    return [pod for pod in pods if pod["name"] not in plan.stop] + started


def settle(deployment: Deployment, pods: list[Pod]) -> list[Pod]:
    """The pods once nothing is left to do."""
    for number in range(100):
        after = step(deployment, pods)
        if rollout.plan(deployment, pods) == ((), ()):
            return pods
        for pod in after:
            pod["name"] = f"{pod['name']}-{number}"
        pods = after
    raise AssertionError("never settles")


def test_undo_goes_back_and_a_second_undo_goes_forward_again() -> None:
    _, deployment = backend()
    rollout.release(deployment, f"{IMAGE}:v2", 1.0)
    assert rollout.undo(deployment)
    assert (rollout.current(deployment)["version"], rollout.current(deployment)["revision"]) == ("v1", 3)
    assert rollout.undo(deployment)
    assert (rollout.current(deployment)["version"], rollout.current(deployment)["revision"]) == ("v2", 4)


def test_undo_to_the_current_revision_changes_nothing() -> None:
    _, deployment = backend()
    rollout.release(deployment, f"{IMAGE}:v2", 1.0)
    assert not rollout.undo(deployment, 2)
    assert rollout.undo(deployment, 1)


def test_undo_without_history_is_refused() -> None:
    _, deployment = backend()
    with pytest.raises(RolloutError, match='no rollout history found for deployment "backend"'):
        rollout.undo(deployment)


def test_releasing_what_runs_changes_nothing() -> None:
    _, deployment = backend()
    assert not rollout.release(deployment, f"{IMAGE}:v1", 1.0)
    assert rollout.release(deployment, f"{IMAGE}:v2", 1.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9))
def test_every_rollout_and_scaling_settles_on_what_is_wanted(before: int, after: int) -> None:
    _, deployment = backend(before)
    pods = settle(deployment, [])
    assert len(pods) == before
    rollout.release(deployment, f"{IMAGE}:v2", 1.0)
    deployment["replicas"] = after
    pods = settle(deployment, pods)
    assert [pod["hash"] for pod in pods] == [deployment["template"]] * after
    assert rollout.progress(deployment, pods).done


@given(st.integers(1, 9))
def test_a_rollout_keeps_three_quarters_of_the_pods_ready(replicas: int) -> None:
    _, deployment = backend(replicas)
    pods = settle(deployment, [])
    rollout.release(deployment, f"{IMAGE}:v2", 1.0)
    for number in range(40):
        pods = step(deployment, pods)
        assert sum(pod["ready"] for pod in pods) >= replicas - replicas // 4
        assert len(pods) <= replicas + -(-replicas // 4)
        for pod in pods:
            pod["name"] = f"{pod['name']}-{number}"


def test_progress_says_what_kubectl_says() -> None:
    _, deployment = backend()
    pods = settle(deployment, [])
    assert rollout.progress(deployment, pods).line == 'deployment "backend" successfully rolled out'
    pods[0]["ready"] = False
    assert rollout.progress(deployment, pods).line.endswith("finish: 1 of 2 updated replicas are available...")
    assert rollout.progress(deployment, pods[:1]).line.endswith("1 out of 2 new replicas have been updated...")


def test_the_same_event_is_counted_and_the_oldest_are_forgotten() -> None:
    cluster, _ = backend()
    for now in (1.0, 2.0):
        rollout.record(cluster, ("pod", "a"), ("Warning", "BackOff", "again"), component="kubelet", now=now)
    assert [(event["count"], event["last_at"]) for event in cluster["events"]] == [(2, 2.0)]
    for number in range(rollout.EVENTS_KEPT):
        rollout.record(cluster, ("pod", "a"), ("Normal", "Pulled", str(number)), component="kubelet", now=3.0)
    assert len(cluster["events"]) == rollout.EVENTS_KEPT
