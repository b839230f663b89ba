"""The horizontal pod autoscaler: processor use against its target, within its limits.

(kubernetes, pkg/controller/podautoscaler/horizontal.go: tolerance 10 %, and a pause before it scales down.)
"""

import time
from collections.abc import Sequence
from math import ceil

from tocsin.lab.kube.nodes import requests
from tocsin.lab.kube.objects import Object, condition, iso, labels_of, name_of, ready, seconds
from tocsin.lab.kube.recorder import Recorder, Said
from tocsin.lab.kube.resources import AUTOSCALERS, DEPLOYMENTS, PODS
from tocsin.lab.kube.store import Store
from tocsin.lab.kube.usage import Usage

EVERY_S = 3.0
TOLERANCE = 0.1
SETTLE_S = 12.0
STARTING_S = 6.0
"""Use while a pod starts says nothing (--horizontal-pod-autoscaler-cpu-initialization-period)."""
_BELOW, _ABOVE, _WITHIN = "TooFewReplicas", "TooManyReplicas", "DesiredWithinRange"
_SAID = {
    _BELOW: "the desired replica count is less than the minimum replica count",
    _ABOVE: "the desired replica count is more than the maximum replica count",
    _WITHIN: "the desired count is within the acceptable range",
}


class Autoscaler:
    """A look every three seconds at every HorizontalPodAutoscaler."""

    def __init__(self, store: Store, usage: Usage) -> None:
        self._store = store
        self._usage = usage
        self._events = Recorder(store, "horizontal-pod-autoscaler")
        self._looked_at = 0.0
        self._wishes: dict[str, list[tuple[float, int]]] = {}

    def tick(self) -> None:
        """Scale what has to be scaled."""
        if time.time() - self._looked_at < EVERY_S:
            return
        self._looked_at = time.time()
        for each in self._store.all(AUTOSCALERS):
            self._look(each)

    def _look(self, autoscaler: Object) -> None:
        spec, namespace = autoscaler["spec"], autoscaler["metadata"]["namespace"]
        target = self._store.find(DEPLOYMENTS, namespace, spec["scaleTargetRef"]["name"])
        if target is None or target["spec"]["replicas"] == 0:
            return
        have = target["spec"]["replicas"]
        selector = target["spec"]["selector"]["matchLabels"]
        pods = [pod for pod in self._store.all(PODS, namespace) if selector.items() <= labels_of(pod).items()]
        use = self._use(pods)
        wanted_use = spec["metrics"][0]["resource"]["target"]["averageUtilization"]
        wish = have if use is None or abs(use / wanted_use - 1) <= TOLERANCE else ceil(have * use / wanted_use)
        limit = (
            _WITHIN
            if spec["minReplicas"] <= wish <= spec["maxReplicas"]
            else _ABOVE
            if wish > spec["maxReplicas"]
            else _BELOW
        )
        wish = self._patient(
            autoscaler["metadata"]["uid"], have, max(spec["minReplicas"], min(spec["maxReplicas"], wish))
        )
        if wish != have:
            self._scale(autoscaler, target, wish, above=wish > have)
        self._tell(autoscaler, have, wish, use=use, limit=limit)

    def _use(self, pods: Sequence[Object]) -> int | None:
        """Average use of what the ready pods request, in per cent; None when nothing is measured."""
        old = [pod for pod in pods if ready(pod) and time.time() - seconds(pod["status"]["startTime"]) > STARTING_S]
        found = [(self._usage.of(pod), requests(pod, "cpu")) for pod in old]
        measured = [(used[0], asked) for used, asked in found if used and asked]
        return round(100 * sum(u for u, _ in measured) / sum(a for _, a in measured)) if measured else None

    def _patient(self, uid: str, have: int, wish: int) -> int:
        """Up at once; down only to the highest wish of the last seconds; within the limits always."""
        now = time.time()
        known = [one for one in self._wishes.get(uid, [(now, have)]) if now - one[0] < SETTLE_S]
        self._wishes[uid] = [*known, (now, wish)]
        return wish if wish >= have else min(have, max(count for _, count in self._wishes[uid]))

    def _scale(self, autoscaler: Object, target: Object, wish: int, *, above: bool) -> None:
        def scale(each: Object) -> None:
            each["spec"]["replicas"] = wish

        self._store.change(DEPLOYMENTS, target["metadata"]["namespace"], name_of(target), scale)
        why = "cpu resource utilization (percentage of request) above target" if above else "All metrics below target"
        self._events.record(autoscaler, Said("SuccessfulRescale", f"New size: {wish}; reason: {why}"))

    def _tell(self, autoscaler: Object, have: int, wish: int, *, use: int | None, limit: str) -> None:
        resource: Object = {"name": "cpu", "current": {"averageUtilization": use, "averageValue": "0"}}
        active = use is not None
        conditions = [
            _condition(
                autoscaler, "AbleToScale", ("True", "ReadyForNewScale", "recommended size matches current size")
            ),
            _condition(
                autoscaler,
                "ScalingActive",
                ("True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count")
                if active
                else (
                    "False",
                    "FailedGetResourceMetric",
                    "unable to get metrics for resource cpu: no metrics returned",
                ),
            ),
            _condition(autoscaler, "ScalingLimited", ("False" if limit == _WITHIN else "True", limit, _SAID[limit])),
        ]
        status: Object = {"currentReplicas": have, "desiredReplicas": wish, "conditions": conditions}
        status["currentMetrics"] = [{"type": "Resource", "resource": resource}] if active else None

        def tell(each: Object) -> None:
            each["status"] = status
            if wish != have:
                each["status"]["lastScaleTime"] = iso(time.time())
            elif "lastScaleTime" in autoscaler["status"]:
                each["status"]["lastScaleTime"] = autoscaler["status"]["lastScaleTime"]

        self._store.change(AUTOSCALERS, autoscaler["metadata"]["namespace"], name_of(autoscaler), tell)


def _condition(autoscaler: Object, kind: str, what: tuple[str, str, str]) -> Object:
    known = condition(autoscaler, kind) or {}
    same = known.get("status") == what[0]
    changed = known["lastTransitionTime"] if same else iso(time.time())
    return {"type": kind, "status": what[0], "reason": what[1], "message": what[2], "lastTransitionTime": changed}
