"""Argo CD, as much of it as changes what a responder does: it puts back what differs from what Git says.

An Application says in an annotation of its own which objects it keeps; what they should be is what they were when the
lab last synchronised it (`practice.tocsin.dev/desired`, where a real one reads a repository).
"""

import json
import time

from tocsin.lab.kube.objects import Object, annotations_of, iso, name_of, sha256_like
from tocsin.lab.kube.patches import merge
from tocsin.lab.kube.resources import APPLICATIONS, DEPLOYMENTS
from tocsin.lab.kube.store import Store

DESIRED = "practice.tocsin.dev/desired"
REVERT_AFTER_S = 2.0


class Argo:
    """Looks at every Application; heals where `syncPolicy.automated.selfHeal` says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._differs_since: dict[str, float] = {}

    def tick(self) -> None:
        """Compare, report, and after two seconds put back."""
        for application in self._store.all(APPLICATIONS):
            wanted = json.loads(annotations_of(application).get(DESIRED, "{}"))
            differing = [name for name, spec in wanted.items() if self._differs(name, spec)]
            uid, now = application["metadata"]["uid"], time.time()
            if not differing:
                self._differs_since.pop(uid, None)
            since = self._differs_since.setdefault(uid, now) if differing else now
            automated = (application["spec"].get("syncPolicy") or {}).get("automated") or {}
            if differing and automated.get("selfHeal") and now - since > REVERT_AFTER_S:
                for name in differing:
                    self._heal(name, wanted[name])
                self._differs_since.pop(uid, None)
            self._tell(application, differing)

    def _deployment(self, name: str) -> Object | None:
        return next((each for each in self._store.all(DEPLOYMENTS) if name_of(each) == name), None)

    def _differs(self, name: str, spec: Object) -> bool:
        found = self._deployment(name)
        return found is not None and merge(spec, found["spec"]) != found["spec"]

    def _heal(self, name: str, spec: Object) -> None:
        found = self._deployment(name)
        if found is not None:

            def heal(each: Object) -> None:
                each["spec"] = merge(spec, each["spec"])

            self._store.change(DEPLOYMENTS, found["metadata"]["namespace"], name, heal)

    def _tell(self, application: Object, differing: list[str]) -> None:
        state = "OutOfSync" if differing else "Synced"

        def tell(each: Object) -> None:
            each["status"]["sync"]["status"] = state
            for resource in each["status"]["resources"]:
                resource["status"] = "OutOfSync" if resource["name"] in differing else "Synced"

        metadata = application["metadata"]
        self._store.change(APPLICATIONS, metadata["namespace"], name_of(application), tell)


def application(name: str, namespace: str, wanted: dict[str, Object], *, self_heal: bool, now: float) -> Object:
    """An Application that keeps Deployments' `spec` as `wanted` has it (merged: what it leaves out is free)."""
    automated = {"prune": True, "selfHeal": self_heal}
    resources = [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "name": each,
            "namespace": namespace,
            "status": "Synced",
        }
        for each in wanted
    ]
    revision = sha256_like(json.dumps(wanted, sort_keys=True))[:40]
    return {
        "metadata": {"name": name, "namespace": "argocd", "annotations": {DESIRED: json.dumps(wanted)}},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.qawave.example/deploy.git", "path": name, "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": automated},
        },
        "status": {
            "sync": {"status": "Synced", "revision": revision},
            "health": {"status": "Healthy"},
            "history": [{"id": 0, "revision": revision, "deployedAt": iso(now)}],
            "resources": resources,
        },
    }
