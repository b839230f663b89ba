"""`kubectl describe` for pods, deployments and nodes, in the layout of the real one; of others their YAML."""

import sys
import time
from datetime import datetime

from tocsin.lab.kubectl.client import Cluster, Kind, Object
from tocsin.lab.kubectl.formats import age, as_yaml, indented
from tocsin.lab.kubectl.get import asked, select
from tocsin.lab.kubectl.options import KubectlError, Options

REVISION = "deployment.kubernetes.io/revision"


def describe(cluster: Cluster, options: Options) -> int:
    """Describe the objects named, or all of their kind."""
    if len(options.words) < 2:
        raise KubectlError(
            "error: You must specify the type of resource to describe. See 'kubectl describe -h' for help."
        )
    kinds, names = asked(cluster, options)
    objects = select(cluster, kinds[0], options, names)
    if not objects:
        print(f"No resources found in {options.namespace} namespace.", file=sys.stderr)
        return 0
    sys.stdout.write("\n\n".join(_described(cluster, kinds[0], each) for each in objects))
    return 0


def _described(cluster: Cluster, kind: Kind, each: Object) -> str:
    writers = {"pods": _pod, "deployments.apps": _deployment, "nodes": _node}
    text = writers[kind.full](cluster, each) if kind.full in writers else as_yaml(each)
    return text + _events(cluster, each)


def _when(text: str | None) -> str:
    if not text:
        return "<unset>"
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", datetime.fromisoformat(text).utctimetuple())


def _age(text: str) -> str:
    return age(datetime.fromisoformat(text).timestamp())


def _fields(*fields: tuple[str, str], width: int) -> str:
    return "".join(f"{name:<{width}}{value}\n" for name, value in fields)


def _pairs(values: dict[str, str] | None, *, width: int) -> str:
    return f"\n{'':{width}}".join(f"{name}={value}" for name, value in (values or {}).items()) or "<none>"


def _pod(_cluster: Cluster, each: Object) -> str:
    metadata, status, owner = each["metadata"], each["status"], each["metadata"]["ownerReferences"][0]
    text = _fields(
        ("Name:", metadata["name"]),
        ("Namespace:", metadata["namespace"]),
        ("Priority:", "0"),
        ("Node:", f"{each['spec'].get('nodeName', '<none>')}/{status.get('hostIP', '')}"),
        ("Start Time:", _when(status.get("startTime"))),
        ("Labels:", _pairs(metadata["labels"], width=14)),
        ("Annotations:", _pairs(metadata.get("annotations"), width=14)),
        ("Status:", "Terminating (lasts 0s)" if "deletionTimestamp" in metadata else status["phase"]),
        ("IP:", status.get("podIP", "")),
        width=14,
    )
    text += f"IPs:\n  IP:           {status.get('podIP', '')}\nControlled By:  {owner['kind']}/{owner['name']}\n"
    statuses = {one["name"]: one for one in status.get("containerStatuses", [])}
    text += "Containers:\n"
    text += "".join(_container(spec, statuses.get(spec["name"], {})) for spec in each["spec"]["containers"])
    text += "Conditions:\n  Type              Status\n"
    text += "".join(f"  {one['type']:<18}{one['status']} \n" for one in status.get("conditions", []))
    text += (
        f"Volumes:            <none>\nQoS Class:          {status.get('qosClass', '')}\nNode-Selectors:     <none>\n"
    )
    text += f"Tolerations:        node.kubernetes.io/not-ready:NoExecute op=Exists for 300s\n{'':20}"
    return text + "node.kubernetes.io/unreachable:NoExecute op=Exists for 300s\n"


def _container(spec: Object, status: Object) -> str:
    port = (spec.get("ports") or [{}])[0].get("containerPort", "<none>")
    fields = [
        ("Container ID:", status.get("containerID", "")),
        ("Image:", spec["image"]),
        ("Image ID:", status.get("imageID", "")),
        ("Port:", f"{port}/TCP"),
        ("Host Port:", "0/TCP"),
        *_state("State:", status.get("state", {"waiting": {"reason": "ContainerCreating"}})),
        *(_state("Last State:", status["lastState"]) if status.get("lastState") else ()),
        ("Ready:", str(status.get("ready", False))),
        ("Restart Count:", str(status.get("restartCount", 0))),
    ]
    text = f"  {spec['name']}:\n" + "".join(f"    {name:<16}{value}\n" for name, value in fields)
    for title in ("limits", "requests"):
        amounts = (spec.get("resources") or {}).get(title) or {}
        text += f"    {title.title()}:\n" * bool(amounts)
        text += "".join(f"      {name + ':':<9}{amount}\n" for name, amount in amounts.items())
    probe = (spec.get("readinessProbe") or {}).get("httpGet")
    if probe:
        where = f"http-get http://:{probe['port']}{probe['path']}"
        text += f"    Readiness:  {where} delay=0s timeout=1s period=1s #success=1 #failure=3\n"
    told = [f"      {one['name']}:  {one.get('value', '')}\n" for one in spec.get("env") or []]
    return (
        text
        + ("    Environment:\n" + "".join(told) if told else "    Environment:  <none>\n")
        + "    Mounts:       <none>\n"
    )


def _state(title: str, state: Object) -> list[tuple[str, str]]:
    kind = next(iter(state), "waiting")
    found: Object = state.get(kind, {})
    fields = [(title, kind.title())]
    if kind == "running":
        return [*fields, ("  Started:", _when(found["startedAt"]))]
    fields.append(("  Reason:", found.get("reason", "")))
    if kind == "terminated":
        fields += [("  Exit Code:", str(found["exitCode"])), ("  Started:", _when(found["startedAt"]))]
        fields.append(("  Finished:", _when(found["finishedAt"])))
    return fields


def _deployment(cluster: Cluster, each: Object) -> str:
    metadata, spec, found = each["metadata"], each["spec"], each["status"]
    counts = (
        f"{spec['replicas']} desired | {found.get('updatedReplicas', 0)} updated | {found.get('replicas', 0)} total | "
        f"{found.get('availableReplicas', 0)} available | {found.get('unavailableReplicas', 0)} unavailable"
    )
    annotations = [f"{name}: {value}" for name, value in (metadata.get("annotations") or {}).items()]
    text = _fields(
        ("Name:", metadata["name"]),
        ("Namespace:", metadata["namespace"]),
        ("CreationTimestamp:", _when(metadata["creationTimestamp"])),
        ("Labels:", _pairs(metadata.get("labels"), width=24)),
        ("Annotations:", f"\n{'':24}".join(annotations) or "<none>"),
        ("Selector:", _pairs(spec["selector"]["matchLabels"], width=24)),
        ("Replicas:", counts),
        ("StrategyType:", "RollingUpdate"),
        ("MinReadySeconds:", "0"),
        ("RollingUpdateStrategy:", "25% max unavailable, 25% max surge"),
        width=24,
    )
    template = spec["template"]
    text += f"Pod Template:\n  Labels:  {_pairs(template['metadata'].get('labels'), width=11)}\n"
    restarted = template["metadata"].get("annotations")
    if restarted:
        text += f"  Annotations:  {_pairs(restarted, width=16).replace('=', ': ', 1)}\n"
    text += "  Containers:\n" + "".join(_wanted(one) for one in template["spec"]["containers"])
    text += "  Volumes:         <none>\n  Node-Selectors:  <none>\n  Tolerations:     <none>\nConditions:\n"
    conditions = [[one["type"], one["status"], one["reason"]] for one in found.get("conditions", [])]
    text += indented([["Type", "Status", "Reason"], ["----", "------", "------"], *conditions], "  ")
    return text + _replica_sets(cluster, each)


def _wanted(spec: Object) -> str:
    port = (spec.get("ports") or [{}])[0].get("containerPort", "<none>")
    text = f"   {spec['name']}:\n    Image:      {spec['image']}\n    Port:       {port}/TCP\n    Host Port:  0/TCP\n"
    for title in ("limits", "requests"):
        amounts = (spec.get("resources") or {}).get(title) or {}
        text += f"    {title.title()}:\n" * bool(amounts)
        text += "".join(f"      {name + ':':<9}{amount}\n" for name, amount in amounts.items())
    return text + "    Environment:   <none>\n    Mounts:        <none>\n"


def _replica_sets(cluster: Cluster, deployment: Object) -> str:
    metadata = deployment["metadata"]
    found = cluster.get(cluster.path(cluster.kind("replicasets"), metadata["namespace"]))["items"]
    texts: dict[bool, list[str]] = {True: [], False: []}
    for each in found:
        if any(owner["uid"] == metadata["uid"] for owner in each["metadata"]["ownerReferences"]):
            current = each["metadata"]["annotations"][REVISION] == metadata["annotations"].get(REVISION)
            size = f"{each['status'].get('replicas', 0)}/{each['spec']['replicas']}"
            texts[current].append(f"{each['metadata']['name']} ({size} replicas created)")
    old, new = ", ".join(texts[False]) or "<none>", ", ".join(texts[True])
    return f"OldReplicaSets:  {old}\nNewReplicaSet:   {new}\n"


def _node(cluster: Cluster, each: Object) -> str:
    metadata, status = each["metadata"], each["status"]
    text = _fields(
        ("Name:", metadata["name"]),
        ("Roles:", "<none>"),
        ("Labels:", _pairs(metadata["labels"], width=20)),
        ("Annotations:", "<none>"),
        ("CreationTimestamp:", _when(metadata["creationTimestamp"])),
        ("Taints:", "<none>"),
        ("Unschedulable:", str(bool(each["spec"].get("unschedulable"))).lower()),
        width=20,
    )
    conditions = [[one["type"], one["status"], one["reason"], one["message"]] for one in status["conditions"]]
    headers = [["Type", "Status", "Reason", "Message"], ["----", "------", "------", "-------"]]
    text += "Conditions:\n" + indented([*headers, *conditions], "  ") + "Addresses:\n"
    text += "".join(f"  {one['type'] + ':':<13}{one['address']}\n" for one in status["addresses"])
    for title in ("Capacity", "Allocatable"):
        rows = [[f"{name}:", str(value)] for name, value in status[title.lower()].items()]
        text += f"{title}:\n" + indented(rows, "  ")
    pods = cluster.get("/api/v1/pods", {"fieldSelector": f"spec.nodeName={metadata['name']}"})["items"]
    rows = [["Namespace", "Name", "Age"], ["---------", "----", "---"]]
    rows += [
        [pod["metadata"]["namespace"], pod["metadata"]["name"], _age(pod["metadata"]["creationTimestamp"])]
        for pod in pods
    ]
    return text + f"Non-terminated Pods:          ({len(pods)} in total)\n" + indented(rows, "  ")


def _events(cluster: Cluster, about: Object) -> str:
    metadata = about["metadata"]
    selector = f"involvedObject.name={metadata['name']},involvedObject.uid={metadata['uid']}"
    namespace = metadata.get("namespace", "default")
    found = cluster.get(f"/api/v1/namespaces/{namespace}/events", {"fieldSelector": selector})["items"]
    if not found:
        return "Events:              <none>\n"
    rows = [["Type", "Reason", "Age", "From", "Message"], ["----", "------", "----", "----", "-------"]]
    for each in sorted(found, key=lambda one: str(one["lastTimestamp"])):
        times = f" (x{each['count']} over {_age(each['firstTimestamp'])})" if each["count"] > 1 else ""
        when = _age(each["lastTimestamp"]) + times
        rows.append([each["type"], each["reason"], when, each["source"]["component"], each["message"]])
    return "Events:\n" + indented(rows, "  ")
