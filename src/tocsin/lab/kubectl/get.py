"""`kubectl get` and `kubectl top`: the server's tables, and its objects as JSON, YAML, names and JSON paths."""

import sys

from tocsin.lab.kubectl.client import TABLE, Cluster, Kind, Object
from tocsin.lab.kubectl.formats import as_json, as_yaml, find, json_path, table
from tocsin.lab.kubectl.options import KubectlError, Options

ARGUMENTS = (
    "error: there is no need to specify a resource type as a separate argument when passing arguments in "
    "resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource "
    "resource/<resource_name>'"
)


def get(cluster: Cluster, options: Options) -> int:
    """List objects, or show those named."""
    if len(options.words) < 2:
        raise KubectlError("error: Required resource not specified.\nSee 'kubectl get -h' for help and examples")
    if options.get("raw"):
        sys.stdout.write(cluster.ask("GET", options.get("raw")).decode())
        return 0
    if options.has("watch"):
        raise KubectlError("error: this stand-in does not watch; run the command again instead")
    kinds, names = asked(cluster, options)
    if options.get("output") not in ("", "wide"):
        objects = [each for kind in kinds for each in select(cluster, kind, options, names)]
        return _print_objects(cluster, objects, options, single=bool(names))
    found = [(kind, _tables(cluster, kind, options, names)) for kind in kinds]
    shown = [(kind, each) for kind, each in found if each["rows"]]
    if not shown:
        inside = not options.has("all-namespaces") and kinds[0].namespaced
        print(f"No resources found{f' in {options.namespace} namespace.' if inside else ''}", file=sys.stderr)
        return 0
    sys.stdout.write("\n".join(_table(kind, each, options, prefixed=len(kinds) > 1) for kind, each in shown))
    return 0


def asked(cluster: Cluster, options: Options) -> tuple[list[Kind], list[str]]:
    """The resources and the names that a command line asks for."""
    word, names = options.words[1], list(options.words[2:])
    if any("/" in name for name in names):
        raise KubectlError(ARGUMENTS)
    if "/" in word:
        kind, _, name = word.partition("/")
        return [cluster.kind(kind)], [name]
    if word == "all":
        return [each for each in cluster.kinds() if each.in_all], []
    return [cluster.kind(each) for each in word.split(",")], names


def _query(options: Options) -> dict[str, str]:
    return {"labelSelector": options.get("selector"), "fieldSelector": options.get("field-selector")}


def _tables(cluster: Cluster, kind: Kind, options: Options, names: list[str]) -> Object:
    namespace = "" if options.has("all-namespaces") else options.namespace
    query = _query(options) | {"includeObject": "Object"}
    if not names:
        found = cluster.get(cluster.path(kind, namespace), query, accept=TABLE)
    else:
        each = [cluster.get(cluster.path(kind, namespace, name), query, accept=TABLE) for name in names]
        found = each[0] | {"rows": [row for one in each for row in one["rows"]]}
    if options.get("sort-by"):
        path = options.get("sort-by")
        found["rows"].sort(key=lambda row: [str(value) for value in find(path, row["object"])])
    return found


def select(cluster: Cluster, kind: Kind, options: Options, names: list[str]) -> list[Object]:
    """The objects asked for.

    Raises:
        KubectlError: a named one is not there.
    """
    namespace = "" if options.has("all-namespaces") else options.namespace
    if names:
        return [cluster.get(cluster.path(kind, namespace, name)) for name in names]
    found: list[Object] = cluster.get(cluster.path(kind, namespace), _query(options))["items"]
    if options.get("sort-by"):
        found.sort(key=lambda each: [str(value) for value in find(options.get("sort-by"), each)])
    return found


def _print_objects(cluster: Cluster, objects: list[Object], options: Options, *, single: bool) -> int:
    output = options.get("output")
    listed: Object = {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {"resourceVersion": ""}}
    whole = objects[0] if single and len(objects) == 1 else listed
    if output == "json":
        sys.stdout.write(as_json(whole))
    elif output == "yaml":
        sys.stdout.write(as_yaml(whole))
    elif output == "name":
        for each in objects:
            print(f"{cluster.kind(each['kind']).short}/{each['metadata']['name']}")
    elif output.startswith("jsonpath="):
        sys.stdout.write(json_path(output.removeprefix("jsonpath="), whole))
    else:
        allowed = "json,name,yaml,wide,jsonpath"
        raise KubectlError(
            f'error: unable to match a printer suitable for the output format "{output}", '
            f"allowed formats are: {allowed}"
        )
    return 0


def _table(kind: Kind, found: Object, options: Options, *, prefixed: bool) -> str:
    wide, everywhere = options.get("output") == "wide", options.has("all-namespaces") and kind.namespaced
    shown = [at for at, each in enumerate(found["columnDefinitions"]) if wide or not each["priority"]]
    rows = [] if options.has("no-headers") else [_headers(found, shown, options, everywhere=everywhere)]
    for row in found["rows"]:
        cells = [str(row["cells"][at]) for at in shown]
        metadata = row["object"]["metadata"]
        line = [*([metadata["namespace"]] if everywhere else []), f"{kind.short}/" * prefixed + cells[0], *cells[1:]]
        if options.has("show-labels"):
            labels = metadata.get("labels") or {}
            line.append(",".join(f"{key}={value}" for key, value in labels.items()) or "<none>")
        rows.append(line)
    return table(rows)


def _headers(found: Object, shown: list[int], options: Options, *, everywhere: bool) -> list[str]:
    names = [str(found["columnDefinitions"][at]["name"]).upper() for at in shown]
    return ["NAMESPACE"] * everywhere + names + ["LABELS"] * options.has("show-labels")


def top(cluster: Cluster, options: Options) -> int:
    """Use of processor and memory, as the metrics API tells it."""
    subject = options.words[1] if len(options.words) > 1 else ""
    base = "/apis/metrics.k8s.io/v1beta1"
    if subject in ("pod", "pods", "po"):
        where = "" if options.has("all-namespaces") else f"/namespaces/{options.namespace}"
        names = options.words[2:]
        found = cluster.get(f"{base}{where}/pods", {"labelSelector": options.get("selector")})["items"]
        mine = [each for each in found if not names or each["metadata"]["name"] in names]
        if not mine:
            print(f"No resources found in {options.namespace} namespace.", file=sys.stderr)
            return 0
        headers, rows = ["NAME", "CPU(cores)", "MEMORY(bytes)"], [_used(each) for each in mine]
    elif subject in ("node", "nodes", "no"):
        room = {
            each["metadata"]["name"]: each["status"]["allocatable"] for each in cluster.get("/api/v1/nodes")["items"]
        }
        headers = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
        rows = [_of_node(each, room[each["metadata"]["name"]]) for each in cluster.get(f"{base}/nodes")["items"]]
    else:
        problem = f'error: unknown command "{subject}" for "kubectl top"' if subject else "error: missing pods or nodes"
        raise KubectlError(problem)
    sys.stdout.write(table([headers, *rows] if not options.has("no-headers") else rows, trailing=True))
    return 0


def _used(each: Object) -> list[str]:
    usage = each["containers"][0]["usage"]
    return [each["metadata"]["name"], _milli(usage["cpu"]), _mebi(usage["memory"])]


def _of_node(each: Object, room: Object) -> list[str]:
    cpu, memory = each["usage"]["cpu"], each["usage"]["memory"]
    cores, kibi = int(cpu[:-1]) / 1e9, int(memory[:-2])
    shares = [f"{cores / int(room['cpu']):.0%}", f"{kibi / int(room['memory'][:-2]):.0%}"]
    return [each["metadata"]["name"], _milli(cpu), shares[0], _mebi(memory), shares[1]]


def _milli(nano: str) -> str:
    return f"{int(nano[:-1]) // 1_000_000}m"


def _mebi(kibi: str) -> str:
    return f"{int(kibi[:-2]) // 1024}Mi"
