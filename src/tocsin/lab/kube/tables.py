"""Tables as the API server prints them for kubectl (kubernetes, pkg/printers/internalversion/printers.go). Pure."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from tocsin.lab.kube.objects import Object, name_of, quantity, seconds
from tocsin.lab.kube.resources import Resource

Cells = list[Any]
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def table(resource: Resource, objects: Sequence[Object], *, include: str, version: str, headers: bool = True) -> Object:
    """A `Table` of the objects; `include` is None, Metadata or Object, as `includeObject` asks."""
    names, row = _PRINTERS.get(resource.full, (_PLAIN, _plain))
    columns = [_column(*each) for each in names] if headers else []
    rows = [_row(each, row(each), include) for each in objects]
    metadata = {"resourceVersion": version}
    body: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return body | {"columnDefinitions": columns, "rows": rows}


def _column(name: str, priority: int) -> Object:
    kind = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": kind, "description": name, "priority": priority}


def _row(each: Object, cells: Cells, include: str) -> Object:
    shown: Object | None = {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": each["metadata"],
    }
    if include == "Object":
        shown = each
    return {"cells": cells, "object": None if include == "None" else shown}


def age(text: str | None, *, now: float | None = None) -> str:
    """How long ago, as apimachinery's HumanDuration writes it: `45s`, `3m20s`, `25m`, `6h`, `12d`."""
    if not text:
        return "<unknown>"
    whole = max(0, int((time.time() if now is None else now) - seconds(text)))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, 1, "ms")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, _MINUTE, "hm")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, _HOUR, "dh")
    return f"{whole // _DAY}d"


def _two(whole: int, large: int, small: int, units: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{units[0]}" + (f"{rest}{units[1]}" if rest else "")


def _created(each: Object) -> str:
    return age(each["metadata"]["creationTimestamp"])


def _plain(each: Object) -> Cells:
    return [name_of(each), _created(each)]


def _pod(each: Object) -> Cells:
    statuses = each["status"].get("containerStatuses") or []
    good = sum(one["ready"] for one in statuses)
    ip, node = each["status"].get("podIP") or "<none>", each["spec"].get("nodeName") or "<none>"
    counts = f"{good}/{len(each['spec']['containers'])}"
    return [name_of(each), counts, pod_state(each), _restarts(statuses), _created(each), ip, node, "<none>", "<none>"]


def pod_state(each: Object) -> str:
    """The STATUS column of a pod."""
    if "deletionTimestamp" in each["metadata"]:
        return "Terminating"
    for one in each["status"].get("containerStatuses") or []:
        state = one["state"]
        if state.get("waiting", {}).get("reason"):
            return str(state["waiting"]["reason"])
        if "terminated" in state:
            return str(state["terminated"].get("reason") or f"ExitCode:{state['terminated']['exitCode']}")
    return str(each["status"].get("phase", "Pending"))


def _restarts(statuses: Sequence[Object]) -> str:
    count = sum(one["restartCount"] for one in statuses)
    ended = [one["lastState"]["terminated"]["finishedAt"] for one in statuses if "terminated" in one["lastState"]]
    return f"{count} ({age(max(ended))} ago)" if count and ended else str(count)


def _template(each: Object) -> Cells:
    containers = each["spec"]["template"]["spec"]["containers"]
    names, images = (",".join(one[key] for one in containers) for key in ("name", "image"))
    return [names, images, _selector(each["spec"].get("selector", {}).get("matchLabels"))]


def _selector(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def _deployment(each: Object) -> Cells:
    status = each["status"]
    counts = [f"{status.get('readyReplicas', 0)}/{each['spec']['replicas']}", status.get("updatedReplicas", 0)]
    return [name_of(each), *counts, status.get("availableReplicas", 0), _created(each), *_template(each)]


def _replica_set(each: Object) -> Cells:
    status = each["status"]
    counts = [each["spec"]["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name_of(each), *counts, _created(each), *_template(each)]


def _stateful_set(each: Object) -> Cells:
    counts = f"{each['status'].get('readyReplicas', 0)}/{each['spec']['replicas']}"
    return [name_of(each), counts, _created(each), *_template(each)[:2]]


def _service(each: Object) -> Cells:
    spec = each["spec"]
    ports = ",".join(f"{one['port']}/{one.get('protocol', 'TCP')}" for one in spec.get("ports", []))
    where = [spec.get("type", "ClusterIP"), spec.get("clusterIP", "<none>"), "<none>", ports]
    return [name_of(each), *where, _created(each), _selector(spec.get("selector"))]


def _endpoints(each: Object) -> Cells:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in each.get("subsets") or []
        for address in subset.get("addresses", [])
        for port in subset["ports"]
    ]
    return [name_of(each), ",".join(found[:3]) or "<none>", _created(each)]


def _autoscaler(each: Object) -> Cells:
    spec, status = each["spec"], each.get("status", {})
    target = spec["scaleTargetRef"]
    metrics = status.get("currentMetrics") or []
    now = f"{metrics[0]['resource']['current']['averageUtilization']}%" if metrics else "<unknown>"
    use = f"cpu: {now}/{spec['metrics'][0]['resource']['target']['averageUtilization']}%"
    limits = [str(spec.get("minReplicas", 1)), spec["maxReplicas"], status.get("currentReplicas", 0)]
    return [name_of(each), f"{target['kind']}/{target['name']}", use, *limits, _created(each)]


def _event(each: Object) -> Cells:
    involved, source = each["involvedObject"], each.get("source", {})
    count, first = each.get("count") or 1, age(each.get("firstTimestamp"))
    last = age(each.get("lastTimestamp") or each.get("eventTime"))
    about = f"{involved['kind'].lower()}/{involved['name']}"
    component = ", ".join(filter(None, [source.get("component", ""), source.get("host", "")]))
    usual = [last, each["type"], each["reason"], about]
    return [*usual, involved.get("fieldPath", ""), component, each["message"], first, count, name_of(each)]


def _node(each: Object) -> Cells:
    ready = next((one for one in each["status"]["conditions"] if one["type"] == "Ready"), {"status": "Unknown"})
    state = {"True": "Ready", "False": "NotReady"}.get(ready["status"], "Unknown")
    state += ",SchedulingDisabled" if each["spec"].get("unschedulable") else ""
    roles = [key.partition("/")[2] for key in each["metadata"]["labels"] if key.startswith("node-role.kubernetes.io/")]
    info, addresses = each["status"]["nodeInfo"], {one["type"]: one["address"] for one in each["status"]["addresses"]}
    wide = [addresses["InternalIP"], "<none>", info["osImage"], info["kernelVersion"], info["containerRuntimeVersion"]]
    return [name_of(each), state, ",".join(roles) or "<none>", _created(each), info["kubeletVersion"], *wide]


def _namespace(each: Object) -> Cells:
    return [name_of(each), each["status"]["phase"], _created(each)]


def _config_map(each: Object) -> Cells:
    return [name_of(each), len(each.get("data") or {}), _created(each)]


def _secret(each: Object) -> Cells:
    return [name_of(each), each.get("type", "Opaque"), len(each.get("data") or {}), _created(each)]


def _claim(each: Object) -> Cells:
    spec, status = each["spec"], each["status"]
    size = status["capacity"]["storage"]
    rest = [size, "RWO", spec.get("storageClassName", "standard"), "<unset>", _created(each), "Filesystem"]
    return [name_of(each), status["phase"], spec["volumeName"], *rest]


def _application(each: Object) -> Cells:
    status = each["status"]
    return [name_of(each), status["sync"]["status"], status["health"]["status"], status["sync"].get("revision", "")]


def _pod_metrics(each: Object) -> Cells:
    use = each["containers"][0]["usage"]
    return [name_of(each), use["cpu"], f"{int(quantity(use['memory'])) >> 20}Mi", each["window"]]


def _node_metrics(each: Object) -> Cells:
    use = each["usage"]
    return [name_of(each), use["cpu"], f"{int(quantity(use['memory'])) >> 20}Mi", each["window"]]


def _columns(usual: str, wide: str = "") -> list[tuple[str, int]]:
    return [(name, 0) for name in usual.split("|")] + [(name, 1) for name in wide.split("|") if name]


_PLAIN = _columns("Name|Age")
_TEMPLATE = "Containers|Images|Selector"
_EVENT = [
    ("Last Seen", 0), ("Type", 0), ("Reason", 0), ("Object", 0), ("Subobject", 1), ("Source", 1), ("Message", 0),
    ("First Seen", 1), ("Count", 1), ("Name", 1),
]  # fmt: skip
_MEASURED = _columns("Name|CPU|Memory|Window")
_PRINTERS: dict[str, tuple[list[tuple[str, int]], Callable[[Object], Cells]]] = {
    "pods": (_columns("Name|Ready|Status|Restarts|Age", "IP|Node|Nominated Node|Readiness Gates"), _pod),
    "deployments.apps": (_columns("Name|Ready|Up-to-date|Available|Age", _TEMPLATE), _deployment),
    "replicasets.apps": (_columns("Name|Desired|Current|Ready|Age", _TEMPLATE), _replica_set),
    "statefulsets.apps": (_columns("Name|Ready|Age", "Containers|Images"), _stateful_set),
    "services": (_columns("Name|Type|Cluster-IP|External-IP|Port(s)|Age", "Selector"), _service),
    "endpoints": (_columns("Name|Endpoints|Age"), _endpoints),
    "horizontalpodautoscalers.autoscaling": (
        _columns("Name|Reference|Targets|MinPods|MaxPods|Replicas|Age"),
        _autoscaler,
    ),
    "events": (_EVENT, _event),
    "nodes": (
        _columns("Name|Status|Roles|Age|Version", "Internal-IP|External-IP|OS-Image|Kernel-Version|Container-Runtime"),
        _node,
    ),
    "namespaces": (_columns("Name|Status|Age"), _namespace),
    "configmaps": (_columns("Name|Data|Age"), _config_map),
    "secrets": (_columns("Name|Type|Data|Age"), _secret),
    "persistentvolumeclaims": (
        _columns("Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age", "VolumeMode"),
        _claim,
    ),
    "applications.argoproj.io": (_columns("Name|Sync Status|Health Status", "Revision"), _application),
    "pods.metrics.k8s.io": (_MEASURED, _pod_metrics),
    "nodes.metrics.k8s.io": (_MEASURED, _node_metrics),
}
