"""The scheduler, and the endpoints of services: which pods stand behind a name."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from tocsin.lab.kube.kubelet import Kubelet
from tocsin.lab.kube.objects import Object, deleting, digest, iso, labels_of, name_of, quantity, ready
from tocsin.lab.kube.proxy import Proxy
from tocsin.lab.kube.recorder import Recorder, Said
from tocsin.lab.kube.resources import ENDPOINTS, NODES, PODS, SERVICES
from tocsin.lab.kube.store import Store
from tocsin.lab.world import endpoints_file, write


class Scheduler:
    """Gives each pod a node: the one with the fewest pods among those that take it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = Recorder(store, "default-scheduler")

    def tick(self) -> None:
        """Place what waits for a place."""
        pods = self._store.all(PODS)
        for pod in pods:
            if not pod["spec"].get("nodeName") and not deleting(pod):
                self._place(pod, self._store.all(PODS))

    def _place(self, pod: Object, pods: Sequence[Object]) -> None:
        nodes = self._store.all(NODES)
        open_nodes = [node for node in nodes if not node["spec"].get("unschedulable")]
        fitting = [node for node in open_nodes if _fits(pod, node, pods)]
        if not fitting:
            self._refuse(pod, nodes, open_nodes)
            return
        best = min(fitting, key=lambda node: sum(_on(each, node) for each in pods))
        number = nodes.index(best) + 1
        address = f"10.244.{number}.{20 + digest(name_of(pod)) % 230}"
        host = next(each["address"] for each in best["status"]["addresses"] if each["type"] == "InternalIP")

        def place(each: Object) -> None:
            each["spec"]["nodeName"] = name_of(best)
            each["status"] |= {"hostIP": host, "podIP": address, "podIPs": [{"ip": address}]}
            each["status"]["hostIPs"] = [{"ip": host}]
            each["status"].pop("conditions", None)

        namespace = pod["metadata"]["namespace"]
        self._store.change(PODS, namespace, name_of(pod), place)
        place_said = f"Successfully assigned {namespace}/{name_of(pod)} to {name_of(best)}"
        self._events.record(pod, Said("Scheduled", place_said))

    def _refuse(self, pod: Object, nodes: Sequence[Object], open_nodes: Sequence[Object]) -> None:
        parts = []
        if len(nodes) > len(open_nodes):
            parts.append(f"{len(nodes) - len(open_nodes)} node(s) were unschedulable")
        if open_nodes:
            parts.append(f"{len(open_nodes)} Insufficient cpu")
        message = f"0/{len(nodes)} nodes are available: {', '.join(parts)}."
        unplaced: Object = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        known = pod["status"].get("conditions") or []
        if known and known[0].get("message") == message:
            return
        unplaced |= {"lastProbeTime": None, "lastTransitionTime": iso(time.time())}

        def refuse(each: Object) -> None:
            each["status"] |= {"phase": "Pending", "conditions": [unplaced]}

        self._store.change(PODS, pod["metadata"]["namespace"], name_of(pod), refuse)
        self._events.record(pod, Said("FailedScheduling", message, "Warning"))


def _on(pod: Object, node: Object) -> bool:
    return bool(pod["spec"].get("nodeName") == name_of(node))


def requests(pod: Object, resource: str) -> float:
    """What the pod's containers ask for, in cores or bytes."""
    asked = ((each.get("resources") or {}).get("requests") or {} for each in pod["spec"]["containers"])
    return sum(quantity(each.get(resource)) for each in asked)


def _fits(pod: Object, node: Object, pods: Sequence[Object]) -> bool:
    mine = [each for each in pods if _on(each, node)]
    room = node["status"]["allocatable"]
    return all(
        sum(requests(each, resource) for each in mine) + requests(pod, resource) <= quantity(room[resource])
        for resource in ("cpu", "memory")
    )


class Services:
    """Keeps the Endpoints objects, and the file by which the pods' processes find each other."""

    def __init__(self, store: Store, kubelet: Kubelet, state_dir: Path) -> None:
        self._store = store
        self._kubelet = kubelet
        self._file = endpoints_file(state_dir)
        self._addresses = state_dir / "services.json"
        self._written = ""
        self._proxies: dict[str, Proxy] = {}

    def tick(self) -> None:
        """Bring both up to date."""
        ports: dict[str, list[int]] = {}
        pods = self._store.all(PODS)
        for service in self._store.all(SERVICES):
            selector = service["spec"].get("selector") or {}
            mine = [pod for pod in pods if selector.items() <= labels_of(pod).items() and not deleting(pod)]
            self._keep(service, mine)
            mine_running = [self._kubelet.containers.get(pod["metadata"]["uid"]) for pod in mine if ready(pod)]
            ports[name_of(service)] = [each.port for each in mine_running if each is not None and each.running]
        for name, found in ports.items():
            if name not in self._proxies:
                self._proxies[name] = Proxy()
                write(self._addresses, {each: proxy.port for each, proxy in self._proxies.items()})
            self._proxies[name].serve(tuple(found))
        if (text := json.dumps(ports)) != self._written:
            write(self._file, ports)
            self._written = text

    def _keep(self, service: Object, pods: Sequence[Object]) -> None:
        namespace, name = service["metadata"]["namespace"], name_of(service)
        port = service["spec"]["ports"][0]["targetPort"]
        subset: Object = {"ports": [{"port": port, "protocol": "TCP"}]}
        for key, wanted in (("addresses", True), ("notReadyAddresses", False)):
            found = [_address(pod) for pod in pods if ready(pod) is wanted and pod["status"].get("podIP")]
            subset |= {key: found} if found else {}
        subsets = [subset] if len(subset) > 1 else []
        if self._store.find(ENDPOINTS, namespace, name) is None:
            self._store.create(ENDPOINTS, {"metadata": {"name": name, "namespace": namespace}, "subsets": subsets})
            return

        def keep(each: Object) -> None:
            each["subsets"] = subsets

        self._store.change(ENDPOINTS, namespace, name, keep)


def _address(pod: Object) -> Object:
    target = {
        "kind": "Pod",
        "name": name_of(pod),
        "namespace": pod["metadata"]["namespace"],
        "uid": pod["metadata"]["uid"],
    }
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target}
