"""How deployments change: release, undo, restart, scale, and which pods to start and stop next. Pure.

The arithmetic is the deployment controller's: maxSurge 25 %, maxUnavailable 25 % (rounded up and down), unready pods
of old replica sets first. Randomness comes in as an argument.
"""

from math import ceil, floor
from typing import NamedTuple

from tocsin.lab.errors import RolloutError
from tocsin.lab.state import Cluster, Deployment, Pod, ReplicaSet

EVENTS_KEPT = 400
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, no digits that look like them (apimachinery, util/rand)."""


class Plan(NamedTuple):
    """What the controller does next for one deployment: templates' hashes to start a pod of, names of pods to stop."""

    start: tuple[str, ...]
    stop: tuple[str, ...]


class Progress(NamedTuple):
    """How far a rollout is: kubectl's own line, and whether it is over."""

    line: str
    done: bool


def template_hash(image: str, restarted_at: float | None) -> str:
    """A pod-template-hash: FNV-1a 32 of the template in Kubernetes' safe alphabet."""
    digest = 2166136261
    for byte in f"{image}|{restarted_at}".encode():
        digest = ((digest ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(digest))


def pod_name(deployment: str, template: str, entropy: bytes) -> str:
    """A pod's name as Kubernetes generates it, `entropy` being at least five random bytes."""
    return f"{deployment}-{template}-" + "".join(_SAFE[byte % len(_SAFE)] for byte in entropy[:5])


def current(deployment: Deployment) -> ReplicaSet:
    """The replica set that the deployment wants."""
    return deployment["replica_sets"][deployment["template"]]


def history(deployment: Deployment) -> list[ReplicaSet]:
    """Every replica set, oldest revision first."""
    return sorted(deployment["replica_sets"].values(), key=lambda each: each["revision"])


def release(deployment: Deployment, image: str, now: float) -> bool:
    """Want `image` from now on; False if that is what is wanted already."""
    return _adopt(deployment, image, restarted_at=current(deployment)["restarted_at"], now=now)


def restart(deployment: Deployment, now: float) -> None:
    """Want the same image in new pods (kubectl sets the annotation `restartedAt`)."""
    _adopt(deployment, current(deployment)["image"], restarted_at=now, now=now)


def undo(deployment: Deployment, to_revision: int = 0) -> bool:
    """Want the template of an earlier revision again (0: the one before); False if it is the current one.

    The template returns as the newest revision, so that a second `undo` goes forward again, as in Kubernetes.

    Raises:
        RolloutError: there is no such revision.
    """
    revisions = history(deployment)
    if to_revision == 0:
        if len(revisions) < 2:
            raise RolloutError(f'no rollout history found for deployment "{deployment["name"]}"')
        wanted = revisions[-2]
    else:
        found = [each for each in revisions if each["revision"] == to_revision]
        if not found:
            raise RolloutError(f"unable to find specified revision {to_revision} in history")
        wanted = found[0]
    if wanted["hash"] == deployment["template"]:
        return False
    wanted["revision"] = revisions[-1]["revision"] + 1
    deployment["template"] = wanted["hash"]
    return True


def _adopt(deployment: Deployment, image: str, *, restarted_at: float | None, now: float) -> bool:
    wanted = template_hash(image, restarted_at)
    if wanted == deployment["template"]:
        return False
    revision = max(each["revision"] for each in deployment["replica_sets"].values()) + 1
    known = deployment["replica_sets"].get(wanted)
    if known is None:
        known = new_replica_set(image, restarted_at=restarted_at, now=now)
        deployment["replica_sets"][wanted] = known
    known["revision"] = revision
    deployment["template"] = wanted
    return True


def new_replica_set(image: str, *, restarted_at: float | None, now: float) -> ReplicaSet:
    """A replica set of revision 1 that wants `image`; the version is the image's tag."""
    return {
        "hash": template_hash(image, restarted_at),
        "revision": 1,
        "image": image,
        "version": image.rpartition(":")[2],
        "restarted_at": restarted_at,
        "created_at": now,
    }


def pods_of(cluster: Cluster, app: str) -> list[Pod]:
    """The app's pods that are not being deleted, oldest first."""
    mine = (pod for pod in cluster["pods"].values() if pod["app"] == app and pod["deleted_at"] is None)
    return sorted(mine, key=lambda pod: pod["created_at"])


def plan(deployment: Deployment, pods: list[Pod]) -> Plan:
    """The next pods to start and to stop. `pods` are the deployment's that are not being deleted."""
    want = deployment["replicas"]
    new = [pod for pod in pods if pod["hash"] == deployment["template"]]
    old = [pod for pod in pods if pod["hash"] != deployment["template"]]
    if len(new) > want:
        surplus = sorted(new, key=lambda pod: (pod["ready"], -pod["created_at"]))[: len(new) - want]
        return Plan((), tuple(pod["name"] for pod in surplus))
    surge = ceil(want / 4)
    missing = max(0, min(want - len(new), want + surge - len(pods)))
    new_unready = sum(not pod["ready"] for pod in new)
    spare = len(pods) - (want - floor(want / 4)) - new_unready
    going = [pod for pod in old if not pod["ready"]] + [pod for pod in old if pod["ready"]]
    return Plan((deployment["template"],) * missing, tuple(pod["name"] for pod in going[: max(0, spare)]))


def progress(deployment: Deployment, pods: list[Pod]) -> Progress:
    """The line `kubectl rollout status` prints now (kubectl, polymorphichelpers/rollout_status.go)."""
    name, want = deployment["name"], deployment["replicas"]
    updated = sum(pod["hash"] == deployment["template"] for pod in pods)
    available = sum(pod["hash"] == deployment["template"] and pod["ready"] for pod in pods)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < want:
        return Progress(f"{waiting}{updated} out of {want} new replicas have been updated...", done=False)
    if len(pods) > updated:
        old = len(pods) - updated
        return Progress(f"{waiting}{old} old replicas are pending termination...", done=False)
    if available < updated:
        return Progress(f"{waiting}{available} of {updated} updated replicas are available...", done=False)
    return Progress(f'deployment "{name}" successfully rolled out', done=True)


def record(
    cluster: Cluster, subject: tuple[str, str], what: tuple[str, str, str], *, component: str, now: float
) -> None:
    """Add an event, or count it again: `subject` is (kind, name), `what` is (type, reason, message)."""
    for event in cluster["events"]:
        known = (event["kind"], event["object"]), (event["type"], event["reason"], event["message"])
        if known == (subject, what):
            event["count"] += 1
            event["last_at"] = now
            return
    cluster["events"].append(
        {
            "kind": subject[0],
            "object": subject[1],
            "type": what[0],
            "reason": what[1],
            "message": what[2],
            "component": component,
            "count": 1,
            "first_at": now,
            "last_at": now,
        }
    )
    del cluster["events"][:-EVENTS_KEPT]


def delete_pod(cluster: Cluster, pod: Pod, *, now: float) -> None:
    """Begin a pod's end; the controller stops its process and, if it is still wanted, starts another pod."""
    pod["deleted_at"] = now
    pod["ready"] = False
    record(
        cluster,
        ("pod", pod["name"]),
        ("Normal", "Killing", f"Stopping container {pod['app']}"),
        component="kubelet",
        now=now,
    )
    if pod["hash"]:
        owner = ("replicaset", f"{pod['app']}-{pod['hash']}")
        what = ("Normal", "SuccessfulDelete", f"Deleted pod: {pod['name']}")
        record(cluster, owner, what, component="replicaset-controller", now=now)
