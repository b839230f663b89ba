"""The controllers' arithmetic on objects alone: no processes, a kubelet that makes every pod ready at once."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.lab.kube.failures import ApiError
from tocsin.lab.kube.inventory import IMAGE, Part
from tocsin.lab.kube.objects import annotations_of, deleting, name_of
from tocsin.lab.kube.resources import DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS
from tocsin.lab.kube.store import FIRST_VERSION, Store
from tocsin.lab.kube.workloads import REVISION, Workloads

Object = dict[str, Any]


class Rig:
    """One deployment, and pods that become ready, or never do where their image is `bad`."""

    def __init__(self, replicas: int = 2, *, kept: int = 1000) -> None:
        self.store = Store(kept=kept)
        part = Part("backend", f"{IMAGE}:v1", 8080, replicas)
        self.store.create(DEPLOYMENTS, part.deployment("production", time.time()))
        self.workloads = Workloads(self.store)
        self.least_ready = 99

    def settle(self, rounds: int = 60) -> "Rig":
        """Rounds of the controllers and of the kubelet, until nothing changes."""
        for _ in range(rounds):
            before = self.store.version
            self.workloads.tick()
            for pod in self.store.all(PODS):
                self._run(pod)
            self.least_ready = min(self.least_ready, sum(is_ready(pod) for pod in self.store.all(PODS)))
            if self.store.version == before:
                return self
        raise AssertionError("never settles")

    def _run(self, pod: Object) -> None:
        if deleting(pod):
            self.store.delete(PODS, "production", name_of(pod))
        elif not pod["spec"]["containers"][0]["image"].endswith(":bad"):

            def make_ready(each: Object) -> None:
                each["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

            self.store.change(PODS, "production", name_of(pod), make_ready)

    def edit(self, **spec: Any) -> "Rig":
        """Change the deployment's spec; `image` is its container's."""

        def change(each: Object) -> None:
            if "image" in spec:
                each["spec"]["template"]["spec"]["containers"][0]["image"] = f"{IMAGE}:{spec.pop('image')}"
            each["spec"] |= spec

        self.store.change(DEPLOYMENTS, "production", "backend", change)
        return self

    @property
    def deployment(self) -> Object:
        """It."""
        return self.store.get(DEPLOYMENTS, "production", "backend")

    def revisions(self) -> dict[str, str]:
        """The image of each replica set by its revision."""
        return {
            annotations_of(each)[REVISION]: each["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[
                2
            ]
            for each in self.store.all(REPLICA_SETS)
        }


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready and stays."""
    return not deleting(pod) and bool(pod["status"].get("conditions"))


def test_a_rollback_takes_the_old_replica_set_up_again_under_a_new_revision() -> None:
    rig = Rig().settle()
    first = name_of(rig.store.all(REPLICA_SETS)[0])
    rig.edit(image="v2").settle()
    assert rig.revisions() == {"1": "v1", "2": "v2"}
    rig.edit(image="v1").settle()
    assert rig.revisions() == {"3": "v1", "2": "v2"}
    assert [name_of(each) for each in rig.store.all(REPLICA_SETS) if each["spec"]["replicas"]] == [first]
    assert annotations_of(rig.deployment)[REVISION] == "3"


def test_a_deployments_first_replica_set_is_as_old_as_it_says_to_be() -> None:
    rig = Rig().settle()
    (replica_set,) = rig.store.all(REPLICA_SETS)
    assert replica_set["metadata"]["creationTimestamp"] == rig.deployment["metadata"]["creationTimestamp"]


def test_a_release_that_never_becomes_ready_leaves_the_old_pods_alone() -> None:
    rig = Rig(2).settle()
    rig.edit(image="bad").settle()
    pods = rig.store.all(PODS)
    assert sum(is_ready(pod) for pod in pods) == 2
    assert len(pods) == 3
    assert rig.deployment["status"]["unavailableReplicas"] == 1


def test_what_is_paused_is_not_rolled_out() -> None:
    rig = Rig().settle()
    rig.edit(paused=True, image="v2").settle()
    assert {pod["spec"]["containers"][0]["image"] for pod in rig.store.all(PODS)} == {f"{IMAGE}:v1"}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6))
def test_every_rollout_and_scaling_settles_on_what_is_wanted(before: int, after: int) -> None:
    rig = Rig(before).settle()
    rig.edit(image="v2", replicas=after).settle()
    images = [pod["spec"]["containers"][0]["image"] for pod in rig.store.all(PODS)]
    assert images == [f"{IMAGE}:v2"] * after
    assert rig.deployment["status"].get("availableReplicas", 0) == after


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 8))
def test_a_rollout_keeps_three_quarters_of_the_pods_ready(replicas: int) -> None:
    rig = Rig(replicas).settle()
    rig.least_ready = replicas
    rig.edit(image="v2").settle()
    assert rig.least_ready >= replicas - replicas // 4


def test_a_round_that_changes_nothing_writes_nothing() -> None:
    rig = Rig().settle()
    version = rig.store.version
    rig.workloads.tick()
    assert rig.store.version == version


def test_scalings_are_told_as_events() -> None:
    rig = Rig().settle()
    said = [each["message"] for each in rig.store.all(EVENTS) if each["reason"] == "ScalingReplicaSet"]
    assert len(said) == 1
    assert said[0].endswith("from 0 to 2")


def test_a_store_forgets_old_changes_and_says_so() -> None:
    rig = Rig(kept=10).settle()
    assert rig.store.since(rig.store.version) == []
    assert rig.store.since(rig.store.version - 1)[0].version == rig.store.version
    for number in range(10):
        rig.edit(minReadySeconds=number + 1)
    with pytest.raises(ApiError) as refused:
        rig.store.since(FIRST_VERSION)
    assert refused.value.code == 410


def test_what_was_handed_out_never_changes() -> None:
    rig = Rig()
    before = rig.deployment
    rig.edit(replicas=5)
    assert (before["spec"]["replicas"], rig.deployment["spec"]["replicas"]) == (2, 5)
    assert rig.deployment["metadata"]["generation"] == before["metadata"]["generation"] + 1
