"""`kubectl get` and `kubectl top`."""

import sys
import time
from collections.abc import Callable

from tocsin.lab.kubectl.formats import age, as_json, as_yaml, find, json_path, table
from tocsin.lab.kubectl.objects import RESOURCES, Object, Resource, iso, not_found, resource
from tocsin.lab.kubectl.options import KubectlError, Options
from tocsin.lab.state import Cluster, Pod

ALL = (
    "pods",
    "services",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "horizontalpodautoscalers.autoscaling",
)
Row = tuple[list[str], list[str]]
"""A line of a table: the usual cells, and those that `-o wide` adds."""


def get(cluster: Cluster, options: Options) -> int:
    """List objects, or show those named."""
    if len(options.words) < 2:
        raise KubectlError("error: Required resource not specified.\nSee 'kubectl get -h' for help and examples")
    if options.has("watch"):
        raise KubectlError("error: the practice cluster does not watch; run the command again instead")
    kinds = _kinds(options.words[1])
    names = list(options.words[2:])
    if "/" in options.words[1]:
        kind, _, name = options.words[1].partition("/")
        kinds, names = [resource(kind)], [name]
    found = [(kind, select(cluster, kind, options, names)) for kind in kinds]
    if options.get("output") not in ("", "wide"):
        return _print_objects([each for _, objects in found for each in objects], options, single=bool(names))
    shown = [(kind, objects) for kind, objects in found if objects]
    if not shown:
        where = (
            "" if options.has("all-namespaces") or not kinds[0].namespaced else f" in {options.namespace} namespace."
        )
        print(f"No resources found{where}", file=sys.stderr)
        return 0
    blocks = [_table(cluster, kind, objects, options, prefixed=len(kinds) > 1) for kind, objects in shown]
    sys.stdout.write("\n".join(blocks))
    return 0


def _kinds(text: str) -> list[Resource]:
    if text == "all":
        return [each for each in RESOURCES if each.plural in ALL]
    return [resource(name.partition("/")[0]) for name in text.split(",")]


def select(cluster: Cluster, kind: Resource, options: Options, names: list[str]) -> list[Object]:
    """The objects asked for, in kubectl's order.

    Raises:
        KubectlError: a named one is not there.
    """
    here = not kind.namespaced or options.has("all-namespaces") or options.namespace == cluster["namespace"]
    objects = kind.build(cluster) if here else []
    if any("/" in name for name in names):
        raise KubectlError(
            "error: there is no need to specify a resource type as a separate argument when passing arguments in "
            "resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource "
            "resource/<resource_name>'"
        )
    if names:
        by_name = {each["metadata"]["name"]: each for each in objects}
        missing = [name for name in names if name not in by_name]
        if missing and not options.has("ignore-not-found"):
            raise not_found(kind.plural, missing[0])
        return [by_name[name] for name in names if name in by_name]
    objects = [each for each in objects if selected(each["metadata"].get("labels", {}), options.get("selector"))]
    objects = [each for each in objects if _fields_match(each, options.get("field-selector"))]
    if kind.plural != "events":
        objects.sort(key=lambda each: str(each["metadata"]["name"]))
    if options.get("sort-by"):
        objects.sort(key=lambda each: [str(value) for value in find(options.get("sort-by"), each)])
    return objects


def selected(labels: dict[str, str], selector: str) -> bool:
    """Whether labels meet a selector of `a=b`, `a==b`, `a!=b`, `a`, `!a` parts."""
    for part in filter(None, selector.split(",")):
        name, unequal, value = part.partition("!=")
        if unequal and labels.get(name.strip()) == value.strip():
            return False
        name, equal, value = part.replace("==", "=").partition("=")
        if not unequal and equal and labels.get(name.strip()) != value.strip():
            return False
        if not unequal and not equal and (part.lstrip("!").strip() in labels) is part.startswith("!"):
            return False
    return True


def _fields_match(each: Object, selector: str) -> bool:
    for part in filter(None, selector.split(",")):
        path, unequal, value = part.partition("!=")
        if not unequal:
            path, _, value = part.replace("==", "=").partition("=")
        if (value in [str(found) for found in find(path, each)]) is bool(unequal):
            return False
    return True


def _print_objects(objects: list[Object], options: Options, *, single: bool) -> int:
    output = options.get("output")
    listed: Object = {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {"resourceVersion": ""}}
    whole = objects[0] if single and len(objects) == 1 else listed
    if output == "json":
        sys.stdout.write(as_json(whole))
    elif output == "yaml":
        sys.stdout.write(as_yaml(whole))
    elif output == "name":
        for each in objects:
            print(f"{resource(each['kind']).short}/{each['metadata']['name']}")
    elif output.startswith("jsonpath="):
        sys.stdout.write(json_path(output.removeprefix("jsonpath="), whole))
    else:
        allowed = "json,name,yaml,wide,jsonpath"
        raise KubectlError(
            f'error: unable to match a printer suitable for the output format "{output}", '
            f"allowed formats are: {allowed}"
        )
    return 0


def _table(cluster: Cluster, kind: Resource, objects: list[Object], options: Options, *, prefixed: bool) -> str:
    headers, wide, row_of = _COLUMNS[kind.plural]
    prefix = f"{kind.short}/" if prefixed else ""
    is_wide, everywhere = options.get("output") == "wide", options.has("all-namespaces") and kind.namespaced
    rows = [] if options.has("no-headers") else [_line(everywhere, "NAMESPACE", headers, wide if is_wide else [])]
    for each in objects:
        usual, more = row_of(cluster, each)
        usual = [prefix + usual[0], *usual[1:]]
        rows.append(_line(everywhere, cluster["namespace"], usual, more if is_wide else []))
    if options.has("show-labels"):
        labels = [
            ",".join(f"{key}={value}" for key, value in each["metadata"].get("labels", {}).items()) for each in objects
        ]
        texts = labels if options.has("no-headers") else ["LABELS", *labels]
        rows = [[*row, text or "<none>"] for row, text in zip(rows, texts, strict=True)]
    return table(rows)


def _line(everywhere: bool, namespace: str, usual: list[str], wide: list[str]) -> list[str]:
    return [*([namespace] if everywhere else []), *usual, *wide]


def status(pod: Pod) -> str:
    """The STATUS column of a pod."""
    if pod["deleted_at"] is not None:
        return "Terminating"
    return pod["waiting"] or "Running"


def _pod(cluster: Cluster, each: Object) -> Row:
    pod = cluster["pods"][each["metadata"]["name"]]
    usual = [pod["name"], f"{int(pod['ready'])}/1", status(pod), str(pod["restarts"]), age(pod["created_at"])]
    return usual, [pod["ip"] or "<none>", pod["node"] or "<none>", "<none>", "<none>"]


def _deployment(cluster: Cluster, each: Object) -> Row:
    deployment = cluster["deployments"][each["metadata"]["name"]]
    found = each["status"]
    counts = [f"{found['readyReplicas']}/{deployment['replicas']}", str(found["updatedReplicas"])]
    usual = [deployment["name"], *counts, str(found["availableReplicas"]), age(deployment["created_at"])]
    image = each["spec"]["template"]["spec"]["containers"][0]["image"]
    return usual, [deployment["name"], image, f"app={deployment['name']}"]


def _replica_set(cluster: Cluster, each: Object) -> Row:
    name = each["metadata"]["name"]
    app, _, template = name.rpartition("-")
    found = each["status"]
    counts = [str(each["spec"]["replicas"]), str(found["replicas"]), str(found["readyReplicas"])]
    known = cluster["deployments"][app]["replica_sets"][template]
    return [name, *counts, age(known["created_at"])], [app, known["image"], f"app={app},pod-template-hash={template}"]


def _stateful_set(cluster: Cluster, each: Object) -> Row:
    pod = cluster["pods"][f"{each['metadata']['name']}-0"]
    return [pod["app"], f"{int(pod['ready'])}/1", age(pod["created_at"])], [pod["app"], pod["image"]]


def _service(cluster: Cluster, each: Object) -> Row:
    spec, name = each["spec"], each["metadata"]["name"]
    ports = f"{spec['ports'][0]['port']}/TCP"
    usual = [name, spec["type"], spec["clusterIP"], "<none>", ports, age(cluster["nodes"][0]["created_at"])]
    return usual, [f"app={name}"]


def _autoscaler(cluster: Cluster, each: Object) -> Row:
    backend = cluster["deployments"]["backend"]
    replicas = str(each["status"]["currentReplicas"])
    return ["backend", "Deployment/backend", "cpu: 12%/70%", "2", "10", replicas, age(backend["created_at"])], []


def _event(cluster: Cluster, each: Object) -> Row:
    involved = each["involvedObject"]
    subject = f"{involved['kind'].lower()}/{involved['name']}"
    last = next(event["last_at"] for event in cluster["events"] if iso(event["last_at"]) == each["lastTimestamp"])
    usual = [age(last), each["type"], each["reason"], subject, each["message"]]
    return usual, [each["source"]["component"], str(each["count"]), each["metadata"]["name"]]


def _node(cluster: Cluster, each: Object) -> Row:
    node = next(node for node in cluster["nodes"] if node["name"] == each["metadata"]["name"])
    info = each["status"]["nodeInfo"]
    usual = [node["name"], "Ready", "<none>", age(node["created_at"]), info["kubeletVersion"]]
    return usual, [node["ip"], "<none>", info["osImage"], info["kernelVersion"], info["containerRuntimeVersion"]]


def _namespace(cluster: Cluster, each: Object) -> Row:
    return [each["metadata"]["name"], "Active", age(cluster["nodes"][0]["created_at"])], []


_TEMPLATE_COLUMNS = ["CONTAINERS", "IMAGES", "SELECTOR"]
_COLUMNS: dict[str, tuple[list[str], list[str], Callable[[Cluster, Object], Row]]] = {
    "pods": (["NAME", "READY", "STATUS", "RESTARTS", "AGE"], ["IP", "NODE", "NOMINATED NODE", "READINESS GATES"], _pod),
    "deployments.apps": (["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"], _TEMPLATE_COLUMNS, _deployment),
    "replicasets.apps": (["NAME", "DESIRED", "CURRENT", "READY", "AGE"], _TEMPLATE_COLUMNS, _replica_set),
    "statefulsets.apps": (["NAME", "READY", "AGE"], ["CONTAINERS", "IMAGES"], _stateful_set),
    "services": (["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"], ["SELECTOR"], _service),
    "horizontalpodautoscalers.autoscaling": (
        ["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"],
        [],
        _autoscaler,
    ),
    "events": (["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], ["SOURCE", "COUNT", "NAME"], _event),
    "nodes": (
        ["NAME", "STATUS", "ROLES", "AGE", "VERSION"],
        ["INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"],
        _node,
    ),
    "namespaces": (["NAME", "STATUS", "AGE"], [], _namespace),
}  # fmt: skip


def top(cluster: Cluster, options: Options) -> int:
    """Use of processor and memory: measured for the backend's processes, a settled figure for what is only listed."""
    subject = options.words[1] if len(options.words) > 1 else ""
    if subject in ("pod", "pods", "po"):
        rows = _top_pods(cluster, options)
        if not rows:
            print(f"No resources found in {options.namespace} namespace.", file=sys.stderr)
            return 0
        headers = ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    elif subject in ("node", "nodes", "no"):
        headers = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
        rows = [[node["name"], "318m", "7%", "2744Mi", "34%"] for node in cluster["nodes"]]
    else:
        raise KubectlError(
            f'error: unknown command "{subject}" for "kubectl top"' if subject else "error: missing pods or nodes"
        )
    sys.stdout.write(table([headers, *rows] if not options.has("no-headers") else rows, trailing=True))
    return 0


def _top_pods(cluster: Cluster, options: Options) -> list[list[str]]:
    kind = resource("pods")
    rows = []
    for each in select(cluster, kind, options, list(options.words[2:])):
        pod = cluster["pods"][each["metadata"]["name"]]
        if pod["started_at"] is not None:
            cpu, memory = _use(pod)
            rows.append([pod["name"], f"{cpu}m", f"{memory}Mi"])
    return rows


_LISTED_USE = {"frontend": (3, 41), "redis": (9, 23), "postgresql": (38, 214)}


def _use(pod: Pod) -> tuple[int, int]:
    """Milli-cores since the container started and MiB resident."""
    if pod["pid"] is None:
        return _LISTED_USE.get(pod["app"], (1, 16))
    try:
        with open(f"/proc/{pod['pid']}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:  # no /proc here, or the process has just ended
        return 1, 16
    ticks = int(fields[11]) + int(fields[12])
    lived = max(1.0, time.time() - (pod["started_at"] or 0.0))
    return max(1, int(ticks * 10 / lived)), int(fields[21]) * 4096 // 1_048_576
