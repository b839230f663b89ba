"""Objects of the Kubernetes API -> facts. Refuses to judge, and to keep what a variable is set to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tocsin.diagnosis.facts import (
    Application,
    Autoscaler,
    Condition,
    Container,
    ContainerState,
    Event,
    Gauge,
    Job,
    Node,
    Pod,
    Revision,
    Template,
    Usage,
    Workload,
)
from tocsin.evidence.kube.values import Json, digest, inside, instant, listed, quantity, whole

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
REVISION = "deployment.kubernetes.io/revision"
_HASHES = ("pod-template-hash", "controller-revision-hash")
_ITS_OWN = ("name", "image", "resources", "env")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def template(given: Json) -> Template:
    """A pod template, without `restartedAt` and the labels that controllers put there."""
    meta, spec = inside(given, "metadata"), inside(given, "spec")
    annotations = {k: v for k, v in inside(meta, "annotations").items() if k != RESTARTED_AT}
    labels = {k: v for k, v in inside(meta, "labels").items() if k not in _HASHES}
    rest = {k: v for k, v in spec.items() if k != "containers"}
    return Template(
        tuple(container(c) for c in listed(spec.get("containers"))),
        digest([annotations, labels, rest]),
        instant(inside(meta, "annotations").get(RESTARTED_AT)),
    )


def container(given: Json) -> Container:
    limits, requests = inside(given, "resources", "limits"), inside(given, "resources", "requests")
    variables = {str(v.get("name")): digest([v.get("value"), v.get("valueFrom")]) for v in listed(given.get("env"))}
    return Container(
        str(given.get("name", "")), str(given.get("image", "")), quantity(limits.get("memory")),
        quantity(requests.get("memory")), quantity(limits.get("cpu")), quantity(requests.get("cpu")), variables,
        digest({k: v for k, v in given.items() if k not in _ITS_OWN}),
    )  # fmt: skip


def conditions(given: Json, shift: timedelta) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            str(c.get("type", "")), str(c.get("status", "")), str(c.get("reason", "")), str(c.get("message", "")),
            instant(c.get("lastTransitionTime"), shift),
        )
        for c in listed(inside(given, "status").get("conditions"))
    )  # fmt: skip


def workload(kind: str, given: Json, shift: timedelta) -> Workload:
    meta, spec, status = inside(given, "metadata"), inside(given, "spec"), inside(given, "status")
    daemon = kind == "daemonset"
    ready = status.get("numberReady") if daemon else status.get("readyReplicas")
    updated = status.get("updatedNumberScheduled") if daemon else status.get("updatedReplicas")
    available = status.get("numberAvailable") if daemon else status.get("availableReplicas")
    desired = whole(status.get("desiredNumberScheduled")) if daemon else whole(spec.get("replicas", 1))
    return Workload(
        kind, str(meta.get("name", "")), str(meta.get("namespace", "")), desired, whole(ready), whole(updated),
        whole(available), whole(meta.get("generation")), whole(status.get("observedGeneration")),
        bool(spec.get("paused", False)), template(inside(spec, "template")), conditions(given, shift), keeper(meta),
        instant(meta.get("creationTimestamp"), shift),
    )  # fmt: skip


def keeper(meta: Json) -> str:
    """What says that it puts the object back: Argo CD's tracking id, Flux's labels; empty when nothing does."""
    labels, annotations = inside(meta, "labels"), inside(meta, "annotations")
    tracked = str(annotations.get("argocd.argoproj.io/tracking-id", ""))
    if tracked:
        return f"Argo CD application {tracked.partition(':')[0]}"
    for label, name in (
        ("kustomize.toolkit.fluxcd.io/name", "Kustomization"),
        ("helm.toolkit.fluxcd.io/name", "release"),
    ):
        if labels.get(label):
            return f"Flux {name} {labels[label]}"
    return ""


def owner(given: Json) -> tuple[str, str]:
    """(kind in lower case, name) of what controls the object; empty when nothing does."""
    owners = listed(inside(given, "metadata").get("ownerReferences"))
    found = next((o for o in owners if o.get("controller")), None)
    return (str(found.get("kind", "")).lower(), str(found.get("name", ""))) if found else ("", "")


def replica_set(given: Json, shift: timedelta) -> Revision:
    """A Deployment's revision. Its template may carry `restartedAt`, as the Deployment's own does."""
    meta, status = inside(given, "metadata"), inside(given, "status")
    kind, name = owner(given)
    number = str(inside(meta, "annotations").get(REVISION, ""))
    return Revision(
        str(meta.get("name", "")), kind, name, str(meta.get("namespace", "")), int(number) if number.isdigit() else 0,
        instant(meta.get("creationTimestamp"), shift) or NEVER, whole(status.get("replicas")),
        whole(status.get("readyReplicas")), template(inside(given, "spec", "template")),
    )  # fmt: skip


def controller_revision(given: Json, shift: timedelta) -> Revision:
    """A revision of a StatefulSet or DaemonSet."""
    meta = inside(given, "metadata")
    kind, name = owner(given)
    return Revision(
        str(meta.get("name", "")), kind, name, str(meta.get("namespace", "")), whole(given.get("revision")),
        instant(meta.get("creationTimestamp"), shift) or NEVER,
        template=template(inside(given, "data", "spec", "template")),
    )  # fmt: skip


def pod(given: Json, owners: Mapping[str, tuple[str, str]], shift: timedelta) -> Pod:
    """`owners` gives each ReplicaSet's (kind, name) of owner by its name."""
    meta, status = inside(given, "metadata"), inside(given, "status")
    kind, name = owner(given)
    revision = name
    if kind == "replicaset":
        kind, name = owners.get(name) or ("deployment", name.rpartition("-")[0])
    elif kind in ("statefulset", "daemonset"):
        hash_ = str(inside(meta, "labels").get("controller-revision-hash", ""))
        revision = hash_ if hash_.startswith(f"{name}-") else f"{name}-{hash_}"
    said = {c.type: c for c in conditions(given, shift)}
    ready, scheduled = said.get("Ready"), said.get("PodScheduled")
    waits = scheduled is not None and scheduled.status == "False"
    return Pod(
        str(meta.get("name", "")), str(meta.get("namespace", "")), name, kind, revision,
        str(inside(given, "spec").get("nodeName", "")), str(status.get("phase", "")),
        ready is not None and ready.status == "True", ready.since if ready else None,
        instant(meta.get("creationTimestamp"), shift),
        (scheduled.message or scheduled.reason) if scheduled and waits else "",
        bool(meta.get("deletionTimestamp")),
        tuple(container_state(c, shift) for c in listed(status.get("containerStatuses"))), str(status.get("podIP", "")),
    )  # fmt: skip


def container_state(given: Json, shift: timedelta) -> ContainerState:
    state = inside(given, "state")
    name = next((n for n in ("terminated", "waiting", "running") if n in state), "waiting")
    now, last = inside(state, name), inside(given, "lastState", "terminated")
    return ContainerState(
        str(given.get("name", "")), str(given.get("image", "")), str(given.get("imageID", "")),
        bool(given.get("ready")), whole(given.get("restartCount")), name, str(now.get("reason", "")),
        str(now.get("message", ""))[:500], now.get("exitCode"), instant(now.get("startedAt"), shift),
        instant(now.get("finishedAt"), shift), str(last.get("reason", "")), last.get("exitCode"),
        instant(last.get("finishedAt"), shift),
    )  # fmt: skip


def event(given: Json, shift: timedelta) -> Event:
    about, series = inside(given, "involvedObject"), inside(given, "series")
    at = given.get("eventTime") or inside(given, "metadata").get("creationTimestamp")
    return Event(
        str(about.get("kind", "")), str(about.get("name", "")), str(about.get("namespace", "")),
        str(given.get("reason", "")), str(given.get("message", ""))[:500], str(given.get("type", "")),
        whole(given.get("count")) or whole(series.get("count")) or 1, instant(given.get("firstTimestamp") or at, shift),
        instant(given.get("lastTimestamp") or series.get("lastObservedTime") or at, shift),
    )  # fmt: skip


def autoscaler(given: Json, shift: timedelta) -> Autoscaler:
    """Of autoscaling/v2, or v2beta2 which has the same fields."""
    meta, spec, status = inside(given, "metadata"), inside(given, "spec"), inside(given, "status")
    about = inside(spec, "scaleTargetRef")
    return Autoscaler(
        str(meta.get("name", "")), str(meta.get("namespace", "")), str(about.get("kind", "")).lower(),
        str(about.get("name", "")), whole(spec.get("minReplicas", 1)), whole(spec.get("maxReplicas")),
        whole(status.get("currentReplicas")), whole(status.get("desiredReplicas")), _gauges(spec, status),
        conditions(given, shift),
    )  # fmt: skip


def _gauges(spec: Json, status: Json) -> tuple[Gauge, ...]:
    """Resource metrics by utilisation, others by value, each with its target, in the order of the specification."""
    current = {
        _named(m): inside(m, str(m.get("type", "")).lower(), "current") for m in listed(status.get("currentMetrics"))
    }
    found = []
    for metric in listed(spec.get("metrics")):
        target = inside(_inner(metric), "target")
        seen = current.get(_named(metric), {})
        for key in ("averageUtilization", "averageValue", "value"):
            if key in target:
                found.append(Gauge(_named(metric), quantity(seen.get(key)), quantity(target[key])))
                break
    return tuple(found)


def _named(metric: Json) -> str:
    inner = _inner(metric)
    return str(inner.get("name") or inside(inner, "metric").get("name") or metric.get("type", ""))


def _inner(metric: Json) -> Json:
    """What stands under the metric's type: `Resource` under `resource`."""
    kind = str(metric.get("type", ""))
    return inside(metric, kind[:1].lower() + kind[1:])


def node(given: Json, shift: timedelta) -> Node:
    meta, room = inside(given, "metadata"), inside(given, "status", "allocatable")
    said = conditions(given, shift)
    ready = next((c.status == "True" for c in said if c.type == "Ready"), False)
    free = not inside(given, "spec").get("unschedulable", False)
    return Node(str(meta.get("name", "")), ready, free, said, quantity(room.get("cpu")), quantity(room.get("memory")))


def usage(given: Json, shift: timedelta) -> Usage:
    """Of metrics.k8s.io/v1beta1."""
    used = [inside(c, "usage") for c in listed(given.get("containers"))]
    return Usage(
        str(inside(given, "metadata").get("name", "")),
        sum(quantity(u.get("cpu")) or 0.0 for u in used),
        sum(quantity(u.get("memory")) or 0.0 for u in used),
    )


def job(given: Json, shift: timedelta) -> Job:
    meta, status = inside(given, "metadata"), inside(given, "status")
    images = [str(c.get("image", "")) for c in listed(inside(given, "spec", "template", "spec").get("containers"))]
    failed = next((c for c in conditions(given, shift) if c.type == "Failed" and c.status == "True"), None)
    return Job(
        str(meta.get("name", "")), str(meta.get("namespace", "")), images[0] if images else "",
        whole(status.get("succeeded")), whole(status.get("failed")), instant(status.get("startTime"), shift),
        instant(status.get("completionTime"), shift) or (failed.since if failed else None),
        failed.reason if failed else "",
    )  # fmt: skip


def application(given: Json, shift: timedelta) -> Application:
    """Of argoproj.io/v1alpha1."""
    meta, spec, status = inside(given, "metadata"), inside(given, "spec"), inside(given, "status")
    automated = inside(spec, "syncPolicy").get("automated")
    kept = [r for r in listed(status.get("resources")) if r.get("group") == "apps" or r.get("kind") == "Deployment"]
    deployed = (instant(h.get("deployedAt"), shift) for h in listed(status.get("history")))
    return Application(
        str(meta.get("name", "")), str(meta.get("namespace", "")),
        str(inside(spec, "destination").get("namespace", "")), str(inside(status, "health").get("status", "")),
        str(inside(status, "sync").get("status", "")), isinstance(automated, Mapping),
        bool(inside(automated).get("selfHeal", False)),
        tuple(f"{str(r.get('kind', '')).lower()}/{r.get('name', '')}" for r in kept),
        tuple(at for at in deployed if at is not None),
    )  # fmt: skip
