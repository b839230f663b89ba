"""What can be done to the practice production, as steps of a scenario."""

import json
import time

from tocsin.lab.kube.argo import DESIRED, application
from tocsin.lab.kube.inventory import IMAGE
from tocsin.lab.kube.patches import merge
from tocsin.lab.production import Object, Production
from tocsin.lab.scenarios.model import Lever

_MERGE = "application/merge-patch+json"


def deploy(version: str, app: str = "backend") -> Lever:
    """Release a version."""
    return lambda production: production.deploy(version, app)


def strike(app: str, **traits: object) -> Lever:
    """Something befalls an app, and the pods that replace its pods too."""
    return lambda production: production.strike(app, **traits)


def strike_running(app: str, **traits: object) -> Lever:
    """Something befalls the pods of an app that run now."""
    return lambda production: production.strike_running(app, **traits)


def load(per_second: float) -> Lever:
    """So many requests a second come."""
    return lambda production: production.load(per_second)


def restart(app: str = "backend") -> Lever:
    """Somebody restarts an app."""
    return lambda production: production.restart(app)


def configure(**data: str) -> Lever:
    """Somebody changes the backend's ConfigMap."""
    return lambda production: production.configure(**data)


def push(tag: str, *, version: str, **traits: object) -> Lever:
    """A build is pushed under a tag that is in use."""

    def act(production: Production) -> None:
        production.push(f"{IMAGE}:{tag}", "web", version=version, **traits)

    return act


def memory(limit: str, app: str = "backend") -> Lever:
    """Somebody deploys another memory limit."""
    container = {"name": app, "resources": {"limits": {"memory": limit}, "requests": {"memory": "8Mi"}}}

    def act(production: Production) -> None:
        production.patch(app, {"spec": {"template": {"spec": {"containers": [container]}}}})

    return act


def sql(statement: str, *, keep: bool = False) -> Lever:
    """A statement in the database; with `keep` its session stays open."""
    return lambda production: production.sql(statement, keep=keep)


def autoscale(most: int) -> Lever:
    """Let the autoscaler go higher."""

    def act(production: Production) -> None:
        path = f"/apis/autoscaling/v2/namespaces/{production.namespace}/horizontalpodautoscalers/backend"
        production.api("PATCH", path, {"spec": {"maxReplicas": most}}, content_type=_MERGE)

    return act


def git(version: str, *, self_heal: bool) -> Lever:
    """Commit a version of the backend to the repository that Argo CD follows; it is deployed by that."""

    def act(production: Production) -> None:
        container: Object = {"name": "backend", "image": f"{IMAGE}:{version}"}
        found = production.deployment()
        containers = [{**found["spec"]["template"]["spec"]["containers"][0], **container}]
        wanted: dict[str, Object] = {"backend": {"template": {"spec": {"containers": containers}}}}
        path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
        made = application("qawave", production.namespace, wanted, self_heal=self_heal, now=time.time())
        known = {each["metadata"]["name"]: each for each in production.api("GET", path)["items"]}
        if "qawave" in known:
            entry = {**made["status"]["history"][0], "id": len(known["qawave"]["status"]["history"])}
            change: Object = {"metadata": {"annotations": {DESIRED: json.dumps(wanted)}}}
            production.api("PATCH", f"{path}/qawave", change, content_type=_MERGE)
            history = [*known["qawave"]["status"]["history"], entry]
            change = {"status": {"history": history}}
            production.api("PUT", f"{path}/qawave", merge(change, production.api("GET", f"{path}/qawave")))
        else:
            production.api("POST", path, made)
        production.deploy(version)

    return act


def job(name: str, *, failed: bool) -> Lever:
    """A Job has run, e.g. a migration."""

    def act(production: Production) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        kind: Object = {"type": "Failed", "reason": "BackoffLimitExceeded"} if failed else {"type": "Complete"}
        status: Object = {"conditions": [{**kind, "status": "True", "lastTransitionTime": now}], "startTime": now}
        status |= {"failed": 1} if failed else {"succeeded": 1, "completionTime": now}
        template = {"spec": {"containers": [{"name": "migrate", "image": f"{IMAGE}:v1"}], "restartPolicy": "Never"}}
        body = {"metadata": {"name": name}, "spec": {"template": template}, "status": status}
        production.api("POST", f"/apis/batch/v1/namespaces/{production.namespace}/jobs", body)

    return act


def both(*levers: Lever) -> Lever:
    """One after the other, at once."""

    def act(production: Production) -> None:
        for each in levers:
            each(production)

    return act


def at_rest(_production: Production) -> None:
    """Nothing: time passes."""
