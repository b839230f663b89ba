"""Kubernetes events: the same thing said again is counted, the oldest are forgotten."""

import time
from collections.abc import Callable
from typing import NamedTuple

from tocsin.lab.kube.objects import Object, digest, iso, name_of
from tocsin.lab.kube.resources import EVENTS
from tocsin.lab.kube.store import Store

KEPT = 400


class Said(NamedTuple):
    """What an event says."""

    reason: str
    message: str
    type: str = "Normal"


class Recorder:
    """Writes the events of one component."""

    def __init__(self, store: Store, component: str, *, host: str = "") -> None:
        self._store = store
        self._source = {"component": component} | ({"host": host} if host else {})

    def record(self, about: Object, said: Said, *, container: str = "") -> None:
        """Add an event about an object, or count it again."""
        now = iso(time.time())
        metadata = about["metadata"]
        namespace = metadata.get("namespace", "default")
        key = f"{metadata['uid']}{said.reason}{said.message}{container}"
        name = f"{name_of(about)}.{digest(key):08x}{digest(key, salt='e'):08x}"
        known = self._store.find(EVENTS, namespace, name)
        if known is not None:
            self._store.change(EVENTS, namespace, name, _again(now))
            return
        involved = {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": name_of(about),
            "resourceVersion": metadata["resourceVersion"],
            "uid": metadata["uid"],
        }
        involved |= {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
        involved |= {"fieldPath": f"spec.containers{{{container}}}"} if container else {}
        event: Object = {"metadata": {"name": name, "namespace": namespace}, "involvedObject": involved}
        event |= {"reason": said.reason, "message": said.message, "type": said.type, "source": self._source}
        event |= {"count": 1, "eventTime": None, "firstTimestamp": now, "lastTimestamp": now}
        event |= {"reportingComponent": self._source["component"], "reportingInstance": ""}
        self._store.create(EVENTS, event)
        self._forget()

    def _forget(self) -> None:
        known = self._store.all(EVENTS)
        if len(known) > KEPT:
            oldest = min(known, key=lambda each: str(each["lastTimestamp"]))
            self._store.delete(EVENTS, oldest["metadata"]["namespace"], name_of(oldest))


def _again(now: str) -> Callable[[Object], None]:
    def edit(event: Object) -> None:
        event["count"] += 1
        event["lastTimestamp"] = now

    return edit
