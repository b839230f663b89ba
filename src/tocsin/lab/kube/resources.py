"""The resources that the practice cluster serves, and the discovery documents that tell of them. Pure."""

from typing import NamedTuple

from tocsin.lab.kube.objects import Object

_READ = ("get", "list", "watch")
_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Resource(NamedTuple):
    """One kind of object and where it is served."""

    group: str
    version: str
    plural: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: tuple[str, ...] = _ALL
    subresources: tuple[str, ...] = ()
    in_all: bool = False
    generated: bool = False

    @property
    def full(self) -> str:
        """The plural with its group, as errors name it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The name in the singular."""
        return self.kind.lower()


PODS = Resource("", "v1", "pods", "Pod", ("po",), subresources=("log", "exec", "eviction", "status"), in_all=True)
SERVICES = Resource("", "v1", "services", "Service", ("svc",), in_all=True)
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints", ("ep",))
EVENTS = Resource("", "v1", "events", "Event", ("ev",))
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", ("cm",))
SECRETS = Resource("", "v1", "secrets", "Secret")
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", ("pvc",))
NODES = Resource("", "v1", "nodes", "Node", ("no",), namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", ("ns",), namespaced=False)
DEPLOYMENTS = Resource(
    "apps", "v1", "deployments", "Deployment", ("deploy",), subresources=("scale", "status"), in_all=True,
    generated=True,
)  # fmt: skip
REPLICA_SETS = Resource(
    "apps", "v1", "replicasets", "ReplicaSet", ("rs",), subresources=("scale", "status"), in_all=True, generated=True
)
STATEFUL_SETS = Resource(
    "apps", "v1", "statefulsets", "StatefulSet", ("sts",), subresources=("scale", "status"), in_all=True,
    generated=True,
)  # fmt: skip
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet", ("ds",), in_all=True, generated=True)
AUTOSCALERS = Resource(
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", ("hpa",), subresources=("status",),
    in_all=True,
)  # fmt: skip
JOBS = Resource("batch", "v1", "jobs", "Job", in_all=True)
CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob", ("cj",), in_all=True)
REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False,
    verbs=("create",),
)  # fmt: skip
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", verbs=("get", "list"))
NODE_METRICS = Resource("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False, verbs=("get", "list"))
APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application", ("app", "apps"))

RESOURCES = (
    PODS, SERVICES, ENDPOINTS, EVENTS, CONFIG_MAPS, SECRETS, CLAIMS, NODES, NAMESPACES, DEPLOYMENTS, REPLICA_SETS,
    STATEFUL_SETS, DAEMON_SETS, AUTOSCALERS, JOBS, CRON_JOBS, REVIEWS, POD_METRICS, NODE_METRICS, APPLICATIONS,
)  # fmt: skip
_GROUPS = ("apps", "autoscaling", "batch", "authorization.k8s.io", "metrics.k8s.io", "argoproj.io")


def find(group: str, version: str, plural: str) -> Resource | None:
    """The resource served there."""
    wanted = (group, version, plural)
    return next((each for each in RESOURCES if (each.group, each.version, each.plural) == wanted), None)


def of_kind(api_version: str, kind: str) -> Resource | None:
    """The resource whose objects say so of themselves."""
    return next((each for each in RESOURCES if (each.api_version, each.kind) == (api_version, kind)), None)


def served() -> list[tuple[str, str]]:
    """Each group with its one version, the core group first."""
    versions = {each.group: each.version for each in RESOURCES}
    return [(group, versions[group]) for group in ("", *_GROUPS)]


def groups() -> Object:
    """`GET /apis`, the old form."""
    found = []
    for group, version in served()[1:]:
        one = {"groupVersion": f"{group}/{version}", "version": version}
        found.append({"name": group, "versions": [one], "preferredVersion": one})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def versions() -> Object:
    """`GET /api`, the old form."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def resource_list(group: str, version: str) -> Object | None:
    """`GET /apis/apps/v1`: what the group serves; None when it serves nothing."""
    mine = [each for each in RESOURCES if (each.group, each.version) == (group, version)]
    if not mine:
        return None
    found: list[Object] = []
    for each in mine:
        entry: Object = {
            "name": each.plural,
            "singularName": each.singular,
            "namespaced": each.namespaced,
            "kind": each.kind,
            "verbs": list(each.verbs),
        }
        entry |= {"shortNames": list(each.short)} if each.short else {}
        found.append(entry | ({"categories": ["all"]} if each.in_all else {}))
        found += [_sub(each, name) for name in each.subresources]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}


def _sub(each: Resource, name: str) -> Object:
    entry: Object = {"name": f"{each.plural}/{name}", "singularName": "", "namespaced": each.namespaced}
    kind, verbs = _subresource(each, name)
    if name == "scale":
        entry |= {"group": "autoscaling", "version": "v1"}
    return entry | {"kind": kind, "verbs": verbs}


def _subresource(each: Resource, name: str) -> tuple[str, list[str]]:
    kinds = {"scale": "Scale", "exec": "PodExecOptions", "eviction": "Eviction"}
    verbs = {"log": ["get"], "exec": ["create", "get"], "eviction": ["create"]}
    return kinds.get(name, each.kind), verbs.get(name, ["get", "patch", "update"])


def aggregated(*, core: bool) -> Object:
    """`GET /api` or `/apis` as one APIGroupDiscoveryList (apidiscovery.k8s.io/v2)."""
    items = []
    for group, version in served():
        if (group == "") is core:
            mine = [each for each in RESOURCES if each.group == group]
            one = {"version": version, "resources": [_discovered(each) for each in mine], "freshness": "Current"}
            items.append({"metadata": {"name": group, "creationTimestamp": None}, "versions": [one]})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _discovered(each: Resource) -> Object:
    kind = {"group": each.group, "version": each.version, "kind": each.kind}
    entry: Object = {
        "resource": each.plural,
        "responseKind": kind,
        "scope": "Namespaced" if each.namespaced else "Cluster",
        "singularResource": each.singular,
        "verbs": list(each.verbs),
    }
    entry |= {"shortNames": list(each.short)} if each.short else {}
    entry |= {"categories": ["all"]} if each.in_all else {}
    subs: list[Object] = []
    for name in each.subresources:
        sub_kind, verbs = _subresource(each, name)
        group = "autoscaling" if name == "scale" else each.group
        response = {"group": group, "version": each.version, "kind": sub_kind}
        subs.append({"subresource": name, "responseKind": response, "verbs": verbs})
    return entry | ({"subresources": subs} if subs else {})
