"""`kubectl describe` for pods, deployments and nodes, in the layout of the real one."""

import sys
import time

from tocsin.lab import rollout
from tocsin.lab.kubectl.formats import age, indented
from tocsin.lab.kubectl.get import select, status
from tocsin.lab.kubectl.objects import Object, resource, uid
from tocsin.lab.kubectl.options import KubectlError, Options
from tocsin.lab.state import Cluster, Node, Pod


def describe(cluster: Cluster, options: Options) -> int:
    """Describe the objects named, or all of their kind."""
    if len(options.words) < 2:
        raise KubectlError(
            "error: You must specify the type of resource to describe. See 'kubectl describe -h' for help."
        )
    word, _, name = options.words[1].partition("/")
    kind = resource(word)
    writers = {"pods": _pod, "deployments.apps": _deployment, "nodes": _node}
    if kind.plural not in writers:
        raise KubectlError(
            f"error: describing {kind.plural} is not something this cluster can do; try kubectl get -o yaml"
        )
    objects = select(cluster, kind, options, [name] if name else list(options.words[2:]))
    if not objects:
        print(f"No resources found in {options.namespace} namespace.", file=sys.stderr)
        return 0
    sys.stdout.write("\n\n".join(writers[kind.plural](cluster, each) for each in objects))
    return 0


def _when(at: float | None) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(at or 0.0))


def _pod(cluster: Cluster, each: Object) -> str:
    pod = cluster["pods"][each["metadata"]["name"]]
    labels = [f"{name}={value}" for name, value in each["metadata"]["labels"].items()]
    host = each["status"]["hostIP"]
    owner = each["metadata"]["ownerReferences"][0]
    text = _fields(
        ("Name:", pod["name"]),
        ("Namespace:", cluster["namespace"]),
        ("Priority:", "0"),
        ("Node:", f"{pod['node']}/{host}"),
        ("Start Time:", _when(pod["created_at"])),
        ("Labels:", f"\n{'':14}".join(labels)),
        ("Annotations:", "<none>"),
        ("Status:", "Terminating (lasts 0s)" if pod["deleted_at"] else each["status"]["phase"]),
        ("IP:", pod["ip"]),
        width=14,
    )
    text += f"IPs:\n  IP:           {pod['ip']}\nControlled By:  {owner['kind']}/{owner['name']}\nContainers:\n"
    text += _container(pod, each["spec"]["containers"][0])
    ready = "True" if pod["ready"] else "False"
    text += "Conditions:\n  Type              Status\n  Initialized       True \n"
    text += f"  Ready             {ready} \n  ContainersReady   {ready} \n  PodScheduled      True \n"
    text += "Volumes:            <none>\nQoS Class:          Burstable\nNode-Selectors:     <none>\n"
    text += f"Tolerations:        node.kubernetes.io/not-ready:NoExecute op=Exists for 300s\n{'':20}"
    text += "node.kubernetes.io/unreachable:NoExecute op=Exists for 300s\n"
    return text + _events(cluster, "pod", pod["name"])


def _fields(*fields: tuple[str, str], width: int) -> str:
    return "".join(f"{name:<{width}}{value}\n" for name, value in fields)


def _container(pod: Pod, spec: Object) -> str:
    port = spec["ports"][0]["containerPort"]
    text = f"  {pod['app']}:\n"
    fields = [
        ("Container ID:", f"containerd://{uid(pod['name']).replace('-', '')}" if pod["started_at"] else ""),
        ("Image:", pod["image"]),
        ("Image ID:", f"sha256:{uid(pod['image']).replace('-', '')}"),
        ("Port:", f"{port}/TCP"),
        ("Host Port:", "0/TCP"),
        ("State:", "Running" if pod["started_at"] else "Waiting"),
    ]
    fields.append(("  Started:", _when(pod["started_at"])) if pod["started_at"] else ("  Reason:", pod["waiting"]))
    if pod["last"] is not None:
        fields += [
            ("Last State:", "Terminated"),
            ("  Reason:", pod["last"]["reason"]),
            ("  Exit Code:", str(pod["last"]["exit_code"])),
            ("  Started:", _when(pod["last"]["started_at"])),
            ("  Finished:", _when(pod["last"]["finished_at"])),
        ]
    fields += [("Ready:", str(pod["ready"])), ("Restart Count:", str(pod["restarts"]))]
    text += "".join(f"    {name:<16}{value}\n" for name, value in fields)
    resources = spec["resources"]
    text += f"    Limits:\n      memory:  {resources['limits']['memory']}\n"
    text += f"    Requests:\n      cpu:     {resources['requests']['cpu']}\n"
    text += f"      memory:  {resources['requests']['memory']}\n"
    if "readinessProbe" in spec:
        text += f"    Readiness:  http-get http://:{port}/health delay=0s timeout=1s period=1s #success=1 #failure=3\n"
    return text + "    Environment:  <none>\n    Mounts:       <none>\n"


def _deployment(cluster: Cluster, each: Object) -> str:
    deployment = cluster["deployments"][each["metadata"]["name"]]
    name, found = deployment["name"], each["status"]
    replicas = (
        f"{deployment['replicas']} desired | {found['updatedReplicas']} updated | {found['replicas']} total | "
        f"{found['availableReplicas']} available | {found['unavailableReplicas']} unavailable"
    )
    text = _fields(
        ("Name:", name),
        ("Namespace:", cluster["namespace"]),
        ("CreationTimestamp:", _when(deployment["created_at"])),
        ("Labels:", f"app={name}"),
        ("Annotations:", f"deployment.kubernetes.io/revision: {rollout.current(deployment)['revision']}"),
        ("Selector:", f"app={name}"),
        ("Replicas:", replicas),
        ("StrategyType:", "RollingUpdate"),
        ("MinReadySeconds:", "0"),
        ("RollingUpdateStrategy:", "25% max unavailable, 25% max surge"),
        width=24,
    )
    text += f"Pod Template:\n  Labels:  app={name}\n"
    restarted = each["spec"]["template"]["metadata"].get("annotations")
    if restarted:
        text += f"  Annotations:  kubectl.kubernetes.io/restartedAt: {restarted['kubectl.kubernetes.io/restartedAt']}\n"
    text += f"  Containers:\n   {name}:\n    Image:      {rollout.current(deployment)['image']}\n"
    text += f"    Port:       {deployment['port']}/TCP\n    Host Port:  0/TCP\n    Limits:\n"
    text += (
        f"      memory:  {deployment['memory_limit']}\n    Requests:\n      cpu:         {deployment['cpu_request']}\n"
    )
    text += f"      memory:      {deployment['memory_request']}\n    Environment:   <none>\n    Mounts:        <none>\n"
    text += "  Volumes:         <none>\n  Node-Selectors:  <none>\n  Tolerations:     <none>\nConditions:\n"
    conditions = [[kind["type"], kind["status"], kind["reason"]] for kind in found["conditions"]]
    text += indented([["Type", "Status", "Reason"], ["----", "------", "------"], *conditions], "  ")
    text += _replica_sets(cluster, name)
    return text + _events(cluster, "deployment", name)


def _replica_sets(cluster: Cluster, name: str) -> str:
    deployment = cluster["deployments"][name]
    pods = rollout.pods_of(cluster, name)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for template in rollout.history(deployment):
        size = sum(pod["hash"] == template["hash"] for pod in pods)
        wanted = template["hash"] == deployment["template"]
        desired = deployment["replicas"] if wanted else size
        texts[wanted].append(f"{name}-{template['hash']} ({size}/{desired} replicas created)")
    old, new = ", ".join(texts[False]) or "<none>", ", ".join(texts[True])
    return f"OldReplicaSets:  {old}\nNewReplicaSet:   {new}\n"


def _node(cluster: Cluster, each: Object) -> str:
    node: Node = next(node for node in cluster["nodes"] if node["name"] == each["metadata"]["name"])
    labels = [f"{name}={value}" for name, value in each["metadata"]["labels"].items()]
    text = _fields(
        ("Name:", node["name"]),
        ("Roles:", "<none>"),
        ("Labels:", f"\n{'':20}".join(labels)),
        ("Annotations:", "<none>"),
        ("CreationTimestamp:", _when(node["created_at"])),
        ("Taints:", "<none>"),
        ("Unschedulable:", "false"),
        width=20,
    )
    conditions = [
        ["MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
        ["DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
        ["PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"],
        ["Ready", "True", "KubeletReady", "kubelet is posting ready status"],
    ]
    headers = [["Type", "Status", "Reason", "Message"], ["----", "------", "------", "-------"]]
    text += "Conditions:\n" + indented([*headers, *conditions], "  ")
    text += f"Addresses:\n  InternalIP:  {node['ip']}\n  Hostname:    {node['name']}\n"
    for title in ("Capacity", "Allocatable"):
        rows = [[f"{name}:", str(value)] for name, value in each["status"][title.lower()].items()]
        text += f"{title}:\n" + indented(rows, "  ")
    pods = [pod for pod in cluster["pods"].values() if pod["node"] == node["name"]]
    text += f"Non-terminated Pods:          ({len(pods)} in total)\n" + _pods_on(cluster, pods)
    return text + _events(cluster, "node", node["name"])


def _pods_on(cluster: Cluster, pods: list[Pod]) -> str:
    rows = [["Namespace", "Name", "Status", "Age"], ["---------", "----", "------", "---"]]
    rows += [[cluster["namespace"], pod["name"], status(pod), age(pod["created_at"])] for pod in pods]
    text = indented(rows, "  ")
    text += "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)\n"
    headers = [["Resource", "Requests", "Limits"], ["--------", "--------", "------"]]
    cpu, memory = 100 * len(pods), 128 * len(pods)
    allocated = [
        ["cpu", f"{cpu}m ({cpu // 40}%)", "0 (0%)"],
        ["memory", f"{memory}Mi ({memory // 79}%)", f"{4 * memory}Mi ({4 * memory // 79}%)"],
    ]
    return text + indented([*headers, *allocated], "  ")


def _events(cluster: Cluster, kind: str, name: str) -> str:
    rows = []
    for event in cluster["events"]:
        if (event["kind"], event["object"]) == (kind, name):
            times = f" (x{event['count']} over {age(event['first_at'])})" if event["count"] > 1 else ""
            row = [event["type"], event["reason"], age(event["last_at"]) + times, event["component"], event["message"]]
            rows.append(row)
    if not rows:
        return "Events:              <none>\n"
    headers = [["Type", "Reason", "Age", "From", "Message"], ["----", "------", "----", "----", "-------"]]
    return "Events:\n" + indented([*headers, *rows], "  ")
