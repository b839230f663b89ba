"""The cluster's memory as Kubernetes objects, the JSON that the API server would answer.

Objects are plain JSON values here: this module is the border where the cluster's own types end.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tocsin.lab import rollout
from tocsin.lab.kubectl.options import KubectlError
from tocsin.lab.state import Cluster, Deployment, Event, Node, Pod, ReplicaSet

Object = dict[str, Any]


class Resource(NamedTuple):
    """A kind of object: its plural with group as errors name it, its other names, whether a namespace holds it."""

    plural: str
    names: tuple[str, ...]
    namespaced: bool
    build: Callable[[Cluster], list[Object]]

    @property
    def short(self) -> str:
        """The singular with group, as `-o name` and verbs print it: `deployment.apps`."""
        group = self.plural.partition(".")[2]
        return f"{self.names[0]}.{group}" if group else self.names[0]


def iso(at: float | None) -> str | None:
    """An instant in Kubernetes' format: UTC, whole seconds."""
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def uid(text: str) -> str:
    """A uid that is always the same for the same text (FNV-1a, four times)."""
    digits = ""
    for salt in "abcd":
        digest = 2166136261
        for byte in f"{salt}{text}".encode():
            digest = ((digest ^ byte) * 16777619) & 0xFFFFFFFF
        digits += f"{digest:08x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _metadata(cluster: Cluster, name: str, *, created_at: float, labels: dict[str, str]) -> Object:
    return {
        "creationTimestamp": iso(created_at),
        "labels": labels,
        "name": name,
        "namespace": cluster["namespace"],
        "uid": uid(f"{name}{created_at}"),
    }


def pods(cluster: Cluster) -> list[Object]:
    """Every pod."""
    return [_pod(cluster, pod) for pod in cluster["pods"].values()]


def _pod(cluster: Cluster, pod: Pod) -> Object:
    labels = {"app": pod["app"]}
    labels |= {"pod-template-hash": pod["hash"]} if pod["hash"] else {"statefulset.kubernetes.io/pod-name": pod["name"]}
    owner = ("ReplicaSet", f"{pod['app']}-{pod['hash']}") if pod["hash"] else ("StatefulSet", pod["app"])
    metadata = _metadata(cluster, pod["name"], created_at=pod["created_at"], labels=labels)
    metadata["generateName"] = pod["name"][: -len(pod["name"].rpartition("-")[2])]
    metadata["ownerReferences"] = [
        {"apiVersion": "apps/v1", "controller": True, "kind": owner[0], "name": owner[1], "uid": uid(owner[1])}
    ]
    if pod["deleted_at"] is not None:
        metadata["deletionTimestamp"] = iso(pod["deleted_at"])
    spec: Object = {"containers": [_container(cluster, pod["app"], pod["image"])], "nodeName": pod["node"]}
    spec |= {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30}
    host = next((node["ip"] for node in cluster["nodes"] if node["name"] == pod["node"]), "")
    status: Object = {
        "conditions": _conditions(pod),
        "containerStatuses": [_container_status(pod)],
        "hostIP": host,
        "phase": "Pending" if pod["started_at"] is None and not pod["restarts"] and pod["last"] is None else "Running",
        "podIP": pod["ip"],
        "podIPs": [{"ip": pod["ip"]}],
        "qosClass": "Burstable",
        "startTime": iso(pod["created_at"]),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _conditions(pod: Pod) -> list[Object]:
    ready = {
        "status": "True" if pod["ready"] else "False",
        "lastTransitionTime": iso(pod["ready_at"] or pod["created_at"]),
    }
    settled = {"status": "True", "lastTransitionTime": iso(pod["created_at"])}
    if not pod["ready"]:
        unready = f"containers with unready status: [{pod['app']}]"
        ready |= {"reason": "ContainersNotReady", "message": unready}
    kinds = (("Initialized", settled), ("Ready", ready), ("ContainersReady", ready), ("PodScheduled", settled))
    return [{"lastProbeTime": None, "type": kind, **values} for kind, values in kinds]


def _container_status(pod: Pod) -> Object:
    state: Object = {"running": {"startedAt": iso(pod["started_at"])}}
    if pod["started_at"] is None:
        state = {"waiting": {"reason": pod["waiting"]}}
    last = {}
    if pod["last"] is not None:
        ended = pod["last"]
        last["terminated"] = {
            "exitCode": ended["exit_code"],
            "finishedAt": iso(ended["finished_at"]),
            "reason": ended["reason"],
            "startedAt": iso(ended["started_at"]),
        }
    return {
        "containerID": f"containerd://{uid(pod['name']).replace('-', '')}",
        "image": pod["image"],
        "imageID": f"sha256:{uid(pod['image']).replace('-', '')}",
        "lastState": last,
        "name": pod["app"],
        "ready": pod["ready"],
        "restartCount": pod["restarts"],
        "started": pod["started_at"] is not None,
        "state": state,
    }


def _container(cluster: Cluster, app: str, image: str) -> Object:
    deployment = cluster["deployments"].get(app)
    limits, requests, port = {"memory": "1Gi"}, {"cpu": "250m", "memory": "512Mi"}, 5432
    if deployment is not None:
        limits = {"memory": deployment["memory_limit"]}
        requests = {"cpu": deployment["cpu_request"], "memory": deployment["memory_request"]}
        port = deployment["port"]
    container: Object = {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "name": app,
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "resources": {"limits": limits, "requests": requests},
    }
    if deployment is not None and deployment["real"]:
        get = {
            "httpGet": {"path": "/health", "port": port, "scheme": "HTTP"},
            "failureThreshold": 3,
            "periodSeconds": 1,
        }
        container["readinessProbe"] = get
    return container


def _template(cluster: Cluster, deployment: Deployment, template: ReplicaSet, *, hashed: bool) -> Object:
    name = deployment["name"]
    labels = {"app": name} | ({"pod-template-hash": template["hash"]} if hashed else {})
    metadata: Object = {"labels": labels}
    if template["restarted_at"] is not None:
        metadata["annotations"] = {"kubectl.kubernetes.io/restartedAt": iso(template["restarted_at"])}
    spec = {"containers": [_container(cluster, name, template["image"])], "restartPolicy": "Always"}
    return {"metadata": metadata, "spec": spec}


def deployments(cluster: Cluster) -> list[Object]:
    """Every deployment."""
    return [_deployment(cluster, deployment) for deployment in cluster["deployments"].values()]


def _deployment(cluster: Cluster, deployment: Deployment) -> Object:
    name, template = deployment["name"], rollout.current(deployment)
    mine = rollout.pods_of(cluster, name)
    available = sum(pod["ready"] for pod in mine)
    metadata = _metadata(cluster, name, created_at=deployment["created_at"], labels={"app": name})
    metadata["annotations"] = {"deployment.kubernetes.io/revision": str(template["revision"])}
    metadata["generation"] = template["revision"]
    enough = available >= deployment["replicas"] - deployment["replicas"] // 4
    done = rollout.progress(deployment, mine).done
    conditions = [
        ("Available", enough, "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"),
        ("Progressing", True, "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"),
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "progressDeadlineSeconds": 600,
            "replicas": deployment["replicas"],
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}, "type": "RollingUpdate"},
            "template": _template(cluster, deployment, template, hashed=False),
        },
        "status": {
            "availableReplicas": available,
            "conditions": [{"type": kind, "status": str(good), "reason": why} for kind, good, why in conditions],
            "observedGeneration": template["revision"],
            "readyReplicas": available,
            "replicas": len(mine),
            "unavailableReplicas": max(0, max(len(mine), deployment["replicas"]) - available),
            "updatedReplicas": sum(pod["hash"] == template["hash"] for pod in mine),
        },
    }


def replica_sets(cluster: Cluster) -> list[Object]:
    """Every replica set of every deployment, also those scaled to nothing."""
    return [
        _replica_set(cluster, deployment, template)
        for deployment in cluster["deployments"].values()
        for template in rollout.history(deployment)
    ]


def _replica_set(cluster: Cluster, deployment: Deployment, template: ReplicaSet) -> Object:
    labels = {"app": deployment["name"], "pod-template-hash": template["hash"]}
    name = f"{deployment['name']}-{template['hash']}"
    metadata = _metadata(cluster, name, created_at=template["created_at"], labels=labels)
    metadata["annotations"] = {"deployment.kubernetes.io/revision": str(template["revision"])}
    mine = [pod for pod in rollout.pods_of(cluster, deployment["name"]) if pod["hash"] == template["hash"]]
    desired = deployment["replicas"] if template["hash"] == deployment["template"] else len(mine)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata,
        "spec": {
            "replicas": desired,
            "selector": {"matchLabels": labels},
            "template": _template(cluster, deployment, template, hashed=True),
        },
        "status": {"replicas": len(mine), "readyReplicas": sum(pod["ready"] for pod in mine)},
    }


def stateful_sets(cluster: Cluster) -> list[Object]:
    """The database's StatefulSet, told from its pod."""
    found = []
    for pod in cluster["pods"].values():
        if pod["hash"]:
            continue
        metadata = _metadata(cluster, pod["app"], created_at=pod["created_at"], labels={"app": pod["app"]})
        spec = {"replicas": 1, "template": {"spec": {"containers": [_container(cluster, pod["app"], pod["image"])]}}}
        status = {"replicas": 1, "readyReplicas": int(pod["ready"])}
        found.append(
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec, "status": status}
        )
    return found


def services(cluster: Cluster) -> list[Object]:
    """A service for each deployment and for the database."""
    found = []
    ports = {name: deployment["port"] for name, deployment in cluster["deployments"].items()} | {"postgresql": 5432}
    for number, (name, port) in enumerate(ports.items()):
        metadata = _metadata(cluster, name, created_at=cluster["nodes"][0]["created_at"], labels={"app": name})
        spec = {
            "clusterIP": f"10.96.14.{20 + number}",
            "ports": [{"port": port, "protocol": "TCP", "targetPort": port}],
            "selector": {"app": name},
            "type": "ClusterIP",
        }
        found.append({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    return found


def autoscalers(cluster: Cluster) -> list[Object]:
    """The backend's autoscaler: an entry only, it never scales."""
    backend = cluster["deployments"]["backend"]
    metadata = _metadata(cluster, "backend", created_at=backend["created_at"], labels={"app": "backend"})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "backend"}
    spec = {"maxReplicas": 10, "minReplicas": 2, "scaleTargetRef": target}
    status = {"currentReplicas": len(rollout.pods_of(cluster, "backend")), "desiredReplicas": backend["replicas"]}
    kind = "HorizontalPodAutoscaler"
    return [{"apiVersion": "autoscaling/v2", "kind": kind, "metadata": metadata, "spec": spec, "status": status}]


def nodes(cluster: Cluster) -> list[Object]:
    """The cluster's machines: entries only."""
    return [_node(node) for node in cluster["nodes"]]


def _node(node: Node) -> Object:
    labels = {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": node["name"], "kubernetes.io/os": "linux"}
    capacity = {"cpu": "4", "ephemeral-storage": "78643200Ki", "memory": "8129332Ki", "pods": "110"}
    info = {
        "architecture": "amd64",
        "containerRuntimeVersion": "containerd://1.7.27",
        "kernelVersion": "6.1.0-37-amd64",
        "kubeletVersion": "v1.32.4",
        "operatingSystem": "linux",
        "osImage": "Debian GNU/Linux 12 (bookworm)",
    }
    metadata = {"creationTimestamp": iso(node["created_at"]), "labels": labels, "name": node["name"]}
    addresses = [{"address": node["ip"], "type": "InternalIP"}, {"address": node["name"], "type": "Hostname"}]
    status = {
        "addresses": addresses,
        "allocatable": capacity,
        "capacity": capacity,
        "conditions": [{"reason": "KubeletReady", "status": "True", "type": "Ready"}],
        "nodeInfo": info,
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}, "status": status}


def namespaces(cluster: Cluster) -> list[Object]:
    """The namespaces; only the cluster's own holds anything."""
    created = iso(cluster["nodes"][0]["created_at"])
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"creationTimestamp": created, "name": name},
            "status": {"phase": "Active"},
        }
        for name in ("default", "kube-system", cluster["namespace"])
    ]


_KINDS = {"pod": "Pod", "deployment": "Deployment", "replicaset": "ReplicaSet", "node": "Node"}


def events(cluster: Cluster) -> list[Object]:
    """Every event of the last hours."""
    return [_event(cluster, event) for event in cluster["events"]]


def _event(cluster: Cluster, event: Event) -> Object:
    name = f"{event['object']}.{uid(event['message'])[:8]}{int(event['first_at'] * 1000):x}"
    metadata = _metadata(cluster, name, created_at=event["first_at"], labels={})
    del metadata["labels"]
    involved = {"kind": _KINDS[event["kind"]], "name": event["object"], "namespace": cluster["namespace"]}
    return {
        "apiVersion": "v1",
        "count": event["count"],
        "eventTime": None,
        "firstTimestamp": iso(event["first_at"]),
        "involvedObject": involved,
        "kind": "Event",
        "lastTimestamp": iso(event["last_at"]),
        "message": event["message"],
        "metadata": metadata,
        "reason": event["reason"],
        "source": {"component": event["component"]},
        "type": event["type"],
    }


_AUTOSCALER_NAMES = ("horizontalpodautoscaler", "hpa", "horizontalpodautoscalers")
RESOURCES = (
    Resource("pods", ("pod", "po", "pods"), True, pods),
    Resource("services", ("service", "svc", "services"), True, services),
    Resource("deployments.apps", ("deployment", "deploy", "deployments", "deployment.apps"), True, deployments),
    Resource("replicasets.apps", ("replicaset", "rs", "replicasets", "replicaset.apps"), True, replica_sets),
    Resource("statefulsets.apps", ("statefulset", "sts", "statefulsets", "statefulset.apps"), True, stateful_sets),
    Resource("horizontalpodautoscalers.autoscaling", _AUTOSCALER_NAMES, True, autoscalers),
    Resource("events", ("event", "ev", "events"), True, events),
    Resource("nodes", ("node", "no", "nodes"), False, nodes),
    Resource("namespaces", ("namespace", "ns", "namespaces"), False, namespaces),
)


def resource(name: str) -> Resource:
    """The kind of object that `name` means.

    Raises:
        KubectlError: there is none.
    """
    for each in RESOURCES:
        if name.lower() in (*each.names, each.plural):
            return each
    raise KubectlError(f'error: the server doesn\'t have a resource type "{name}"')


def not_found(plural: str, name: str) -> KubectlError:
    """The server's answer for an object that is not there."""
    return KubectlError(f'Error from server (NotFound): {plural} "{name}" not found')
