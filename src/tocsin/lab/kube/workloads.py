"""The controllers of deployments, replica sets and stateful sets: they create, change and delete other objects.

The arithmetic is the deployment controller's (kubernetes, pkg/controller/deployment/rolling.go): replica sets are
found again by their template, so that a rollback reuses the old one under a new revision.
"""

import copy
import json
import os
import time
from collections.abc import Sequence
from math import ceil, floor

from tocsin.lab.kube.objects import (
    Object,
    annotations_of,
    condition,
    deleting,
    digest,
    iso,
    labels_of,
    name_of,
    owned_by,
    owner_reference,
    ready,
    safe,
    seconds,
    suffix,
)
from tocsin.lab.kube.recorder import Recorder, Said
from tocsin.lab.kube.resources import DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, Resource
from tocsin.lab.kube.store import Store

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
HASH = "pod-template-hash"
_NOT_COPIED = (REVISION, HISTORY, DESIRED, "kubectl.kubernetes.io/last-applied-configuration")


class Workloads:
    """One round of all three controllers a `tick`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._deployments = Recorder(store, "deployment-controller")
        self._replica_sets = Recorder(store, "replicaset-controller")
        self._stateful_sets = Recorder(store, "statefulset-controller")

    def tick(self) -> None:
        """Bring what is one step nearer to what is wanted."""
        for each in self._store.all(DEPLOYMENTS):
            self._deployment(each)
        pods = self._store.all(PODS)
        for each in self._store.all(REPLICA_SETS):
            self._replica_set(each, [pod for pod in pods if owned_by(pod, each)])
        for each in self._store.all(STATEFUL_SETS):
            self._stateful_set(each, [pod for pod in pods if owned_by(pod, each)])

    def _deployment(self, deployment: Object) -> None:
        sets = [each for each in self._store.all(REPLICA_SETS) if owned_by(each, deployment)]
        wanted = self._wanted_set(deployment, sets)
        if wanted is None:
            if deployment["spec"].get("paused"):
                self._settle(deployment, sets, None)
                return
            wanted = self._new_set(deployment, sets)
            sets.append(wanted)
        old = [each for each in sets if name_of(each) != name_of(wanted)]
        if deployment["spec"].get("paused"):
            self._settle(deployment, sets, wanted)
            return
        wanted = self._renumber(deployment, wanted, old)
        self._roll(deployment, wanted, old)
        self._forget_old(deployment, old)
        self._settle(deployment, [each for each in self._store.all(REPLICA_SETS) if owned_by(each, deployment)], wanted)

    def _wanted_set(self, deployment: Object, sets: Sequence[Object]) -> Object | None:
        template = deployment["spec"]["template"]
        same = [each for each in sets if _same_template(each["spec"]["template"], template)]
        return min(same, key=lambda each: str(each["metadata"]["creationTimestamp"]), default=None)

    def _new_set(self, deployment: Object, sets: Sequence[Object]) -> Object:
        template = copy.deepcopy(deployment["spec"]["template"])
        mark = safe(digest(json.dumps(template, sort_keys=True)))
        labels = labels_of(template) | {HASH: mark}
        template["metadata"] = {**template.get("metadata", {}), "labels": labels}
        replica_set: Object = {
            "metadata": {
                "name": f"{name_of(deployment)}-{mark}",
                "namespace": deployment["metadata"]["namespace"],
                "labels": labels,
                "annotations": _copied(deployment)
                | {REVISION: str(_latest(sets) + 1), DESIRED: str(deployment["spec"]["replicas"])},
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": deployment["spec"]["selector"]["matchLabels"] | {HASH: mark}},
                "template": template,
            },
            "status": {"replicas": 0},
        }
        if not sets:  # as old as its deployment, which may say that it is older than this cluster
            replica_set["metadata"]["creationTimestamp"] = deployment["metadata"]["creationTimestamp"]
        return self._store.create(REPLICA_SETS, replica_set)

    def _renumber(self, deployment: Object, wanted: Object, old: Sequence[Object]) -> Object:
        """Give the wanted set the highest revision, and the deployment that of its set."""
        latest, mine = _latest(old), int(annotations_of(wanted).get(REVISION, "0"))
        if mine <= latest:

            def renumber(each: Object) -> None:
                known = each["metadata"]["annotations"]
                known[HISTORY] = ",".join(filter(None, [known.get(HISTORY, ""), str(mine)]))
                known |= _copied(deployment) | {REVISION: str(latest + 1)}

            wanted = self._change(REPLICA_SETS, wanted, renumber)
        revision = annotations_of(wanted)[REVISION]
        if annotations_of(deployment).get(REVISION) != revision:

            def follow(each: Object) -> None:
                each["metadata"].setdefault("annotations", {})[REVISION] = revision

            self._change(DEPLOYMENTS, deployment, follow)
        return wanted

    def _roll(self, deployment: Object, wanted: Object, old: Sequence[Object]) -> None:
        want = int(deployment["spec"]["replicas"])
        surge, unavailable = _limits(deployment, want)
        total = sum(each["spec"]["replicas"] for each in (wanted, *old))
        have = wanted["spec"]["replicas"]
        if have > want:
            self._scale(deployment, wanted, want)
            return
        if have < want and total < want + surge:
            self._scale(deployment, wanted, have + min(want + surge - total, want - have))
            return
        living = [each for each in old if each["spec"]["replicas"]]
        if not living:
            return
        missing = have - _available(wanted)
        spare = total - (want - unavailable) - missing
        for each in sorted(living, key=_created):  # first those that do no work anyway
            unhealthy = each["spec"]["replicas"] - _available(each)
            going = max(0, min(spare, unhealthy))
            if going:
                self._scale(deployment, each, each["spec"]["replicas"] - going)
                return
        spare = sum(_available(each) for each in (wanted, *old)) - (want - unavailable)
        oldest = min(living, key=_created)
        if spare > 0:
            self._scale(deployment, oldest, max(0, oldest["spec"]["replicas"] - spare))

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        was = replica_set["spec"]["replicas"]
        if was == replicas:
            return

        def scale(each: Object) -> None:
            each["spec"]["replicas"] = replicas
            each["metadata"]["annotations"][DESIRED] = str(deployment["spec"]["replicas"])

        self._change(REPLICA_SETS, replica_set, scale)
        verb = "up" if replicas > was else "down"
        message = f"Scaled {verb} replica set {name_of(replica_set)} from {was} to {replicas}"
        self._deployments.record(deployment, Said("ScalingReplicaSet", message))

    def _forget_old(self, deployment: Object, old: Sequence[Object]) -> None:
        idle = [each for each in old if not each["spec"]["replicas"] and not each["status"].get("replicas")]
        surplus = len(idle) - int(deployment["spec"].get("revisionHistoryLimit", 10))
        for each in sorted(idle, key=_revision)[: max(0, surplus)]:
            self._store.delete(REPLICA_SETS, each["metadata"]["namespace"], name_of(each))

    def _settle(self, deployment: Object, sets: Sequence[Object], wanted: Object | None) -> None:
        """Write the deployment's status."""
        wanted = next((each for each in sets if wanted and name_of(each) == name_of(wanted)), None)
        updated = int(wanted["status"].get("replicas", 0)) if wanted else 0
        replicas = sum(int(each["status"].get("replicas", 0)) for each in sets)
        available = sum(_available(each) for each in sets)
        status: Object = {"observedGeneration": deployment["metadata"].get("generation", 1)}
        counts = {
            "replicas": replicas,
            "updatedReplicas": updated,
            "readyReplicas": available,
            "availableReplicas": available,
            "unavailableReplicas": max(0, max(replicas, int(deployment["spec"]["replicas"])) - available),
        }
        status |= {name: count for name, count in counts.items() if count}
        status["conditions"] = _conditions(deployment, status, wanted)

        def settle(each: Object) -> None:
            each["status"] = status

        if _settled(deployment["status"]) != _settled(status):
            self._change(DEPLOYMENTS, deployment, settle)

    def _replica_set(self, replica_set: Object, pods: Sequence[Object]) -> None:
        living = [pod for pod in pods if not deleting(pod)]
        want = replica_set["spec"]["replicas"]
        for _ in range(want - len(living)):
            name = f"{name_of(replica_set)}-{suffix(os.urandom(5))}"
            self._store.create(PODS, _pod(replica_set, name))
            self._replica_sets.record(replica_set, Said("SuccessfulCreate", f"Created pod: {name}"))
        surplus = sorted(living, key=lambda pod: (ready(pod), -seconds(pod["metadata"]["creationTimestamp"])))
        for pod in surplus[: max(0, len(living) - want)]:
            delete_pod(self._store, pod)
            self._replica_sets.record(replica_set, Said("SuccessfulDelete", f"Deleted pod: {name_of(pod)}"))
        good = sum(ready(pod) for pod in living)
        status: Object = {"replicas": len(living), "observedGeneration": replica_set["metadata"].get("generation", 1)}
        if living:
            status["fullyLabeledReplicas"] = len(living)
        if good:
            status |= {"readyReplicas": good, "availableReplicas": good}

        def settle(each: Object) -> None:
            each["status"] = status

        self._change(REPLICA_SETS, replica_set, settle)

    def _stateful_set(self, stateful_set: Object, pods: Sequence[Object]) -> None:
        names = {name_of(pod) for pod in pods}
        want = stateful_set["spec"]["replicas"]
        for number in range(want):
            name = f"{name_of(stateful_set)}-{number}"
            if name not in names:
                pod = _pod(stateful_set, name)
                pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = name
                self._store.create(PODS, pod)
                message = f"create Pod {name} in StatefulSet {name_of(stateful_set)} successful"
                self._stateful_sets.record(stateful_set, Said("SuccessfulCreate", message))
        for pod in pods:
            if int(name_of(pod).rpartition("-")[2]) >= want and not deleting(pod):
                delete_pod(self._store, pod)
        good = sum(ready(pod) for pod in pods)
        status: Object = {"replicas": len(pods), "currentReplicas": len(pods), "updatedReplicas": len(pods)}
        status |= {"readyReplicas": good, "availableReplicas": good, "collisionCount": 0}

        def settle(each: Object) -> None:
            each["status"] = status

        self._change(STATEFUL_SETS, stateful_set, settle)

    def _change(self, resource: Resource, each: Object, edit):  # type: ignore[no-untyped-def]
        return self._store.change(resource, each["metadata"]["namespace"], name_of(each), edit)


def delete_pod(store: Store, pod: Object) -> Object:
    """Begin a pod's end; the kubelet stops its process and then forgets it."""
    grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))

    def mark(each: Object) -> None:
        each["metadata"] |= {"deletionTimestamp": iso(time.time() + grace), "deletionGracePeriodSeconds": grace}

    return pod if deleting(pod) else store.change(PODS, pod["metadata"]["namespace"], name_of(pod), mark)


def _pod(owner: Object, name: str) -> Object:
    template = copy.deepcopy(owner["spec"]["template"])
    metadata = {
        "name": name,
        "generateName": f"{name_of(owner)}-",
        "namespace": owner["metadata"]["namespace"],
        "labels": labels_of(template),
        "ownerReferences": [owner_reference(owner)],
    }
    annotations = annotations_of(template)
    template["spec"] |= {"enableServiceLinks": True, "tolerations": _tolerations()}
    return {
        "metadata": metadata | ({"annotations": annotations} if annotations else {}),
        "spec": template["spec"],
        "status": {"phase": "Pending", "qosClass": _quality(template["spec"])},
    }


def _tolerations() -> list[Object]:
    """What admission gives every pod (DefaultTolerationSeconds)."""
    return [
        {"effect": "NoExecute", "key": f"node.kubernetes.io/{key}", "operator": "Exists", "tolerationSeconds": 300}
        for key in ("not-ready", "unreachable")
    ]


def _quality(spec: Object) -> str:
    resources = [each.get("resources") or {} for each in spec["containers"]]
    if not any(resources):
        return "BestEffort"
    return "Guaranteed" if all(each.get("requests") == each.get("limits") for each in resources) else "Burstable"


def _same_template(one: Object, other: Object) -> bool:
    return _without_hash(one) == _without_hash(other)


def _without_hash(template: Object) -> Object:
    labels = {key: value for key, value in labels_of(template).items() if key != HASH}
    return {"annotations": annotations_of(template), "labels": labels, "spec": template["spec"]}


def _copied(deployment: Object) -> dict[str, str]:
    return {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}


def _revision(replica_set: Object) -> int:
    return int(annotations_of(replica_set).get(REVISION, "0"))


def _latest(sets: Sequence[Object]) -> int:
    return max((_revision(each) for each in sets), default=0)


def _created(each: Object) -> str:
    return str(each["metadata"]["creationTimestamp"])


def _available(replica_set: Object) -> int:
    return int(replica_set["status"].get("availableReplicas", 0))


def _limits(deployment: Object, want: int) -> tuple[int, int]:
    """maxSurge and maxUnavailable in pods, rounded up and down."""
    rolling = deployment["spec"].get("strategy", {}).get("rollingUpdate") or {}
    surge, unavailable = rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%")
    most = ceil(want * int(surge[:-1]) / 100) if isinstance(surge, str) else int(surge)
    fewer = floor(want * int(unavailable[:-1]) / 100) if isinstance(unavailable, str) else int(unavailable)
    return most, fewer if most or fewer else 1


def _settled(status: Object) -> Object:
    """A status without its instants, so that a round that changes nothing writes nothing."""
    plain = [
        {key: value for key, value in each.items() if not key.startswith("last")}
        for each in status.get("conditions", [])
    ]
    return {**status, "conditions": plain}


def _conditions(deployment: Object, status: Object, wanted: Object | None) -> list[Object]:
    want = int(deployment["spec"]["replicas"])
    enough = status.get("availableReplicas", 0) >= want - _limits(deployment, want)[1]
    available = _condition(deployment, "Available", met=enough)
    available |= {
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }
    name = name_of(wanted) if wanted else ""
    done = (
        status.get("updatedReplicas", 0) == want
        and status.get("replicas", 0) == want
        and status.get("availableReplicas", 0) == want
    )
    late = not done and _stalled(deployment, status)
    progressing = _condition(deployment, "Progressing", met=not late)
    if deployment["spec"].get("paused"):
        why = ("DeploymentPaused", "Deployment is paused")
        progressing["status"] = "Unknown"
    elif late:
        why = ("ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    elif done:
        why = ("NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    else:
        why = ("ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    known = condition(deployment, "Progressing") or {}
    if (known.get("reason"), _counts(deployment["status"])) != (why[0], _counts(status)):
        progressing["lastUpdateTime"] = iso(time.time())
    return [available, progressing | {"reason": why[0], "message": why[1]}]


def _counts(status: Object) -> tuple[int, ...]:
    return tuple(int(status.get(name, 0)) for name in ("updatedReplicas", "replicas", "availableReplicas"))


def _stalled(deployment: Object, status: Object) -> bool:
    """Whether a rollout has got no further for longer than its deadline."""
    known = condition(deployment, "Progressing")
    same_wish = deployment["status"].get("observedGeneration") == deployment["metadata"].get("generation", 1)
    if known is None or not same_wish or known["reason"] == "NewReplicaSetAvailable":
        return False
    if known["reason"] == "ProgressDeadlineExceeded":
        return _counts(deployment["status"]) == _counts(status)
    limit = float(deployment["spec"].get("progressDeadlineSeconds", 600))
    return time.time() - seconds(known["lastUpdateTime"]) > limit


def _condition(deployment: Object, kind: str, *, met: bool) -> Object:
    known = condition(deployment, kind) or {}
    status, now = str(met), iso(time.time())
    same = known.get("status") == status
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": known["lastUpdateTime"] if known else now,
        "lastTransitionTime": known["lastTransitionTime"] if same else now,
    }
